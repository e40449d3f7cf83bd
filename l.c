int cassette_insert(const char*p){return 7;}
