// Several requests in one write get their answers in order, also where the answers are larger than
// any buffer.
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  char all[8192] = "";
  for (int i = 0; i < 20; i++) {
    char path[40];
    snprintf(path, sizeof path, "/text?%d", i);
    strcat(all, get(path));
  }
  put(fd, all);
  for (int i = 0; i < 20; i++) receive(fd);

  // A body between them, and a request that arrives in two parts.
  strcpy(all, get("/text?before"));
  strcat(all, post("/echo", 5));
  strcat(all, "first");
  strcat(all, post("/echo", 6));
  strcat(all, "sec");
  put(fd, all);
  receive(fd);
  receive(fd);
  put(fd, "ond");
  receive(fd);

  strcpy(all, get("/text?size=700000"));
  strcat(all, get("/text?size=600000"));
  strcat(all, get("/text?after"));
  put(fd, all);
  printf("%zu\n", receive_into(fd, answer, sizeof answer));
  printf("%zu\n", receive_into(fd, answer, sizeof answer));
  receive(fd);
  return 0;
}
