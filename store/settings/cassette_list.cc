// See cassette_list.h.
#include "store/settings/cassette_list.h"

namespace cassette {

std::vector<std::string> split_cassettes(std::string_view list) {
  if (list.find(',') == std::string_view::npos) return {std::string(list)};
  std::vector<std::string> paths;
  std::string path;
  auto finish = [&] {
    const std::size_t begin = path.find_first_not_of(" \t");
    if (begin != std::string::npos) {
      paths.push_back(path.substr(begin, path.find_last_not_of(" \t") + 1 - begin));
    }
    path.clear();
  };
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] != ',') {
      path += list[i];
    } else if (i + 1 < list.size() && list[i + 1] == ',') {
      path += ',';
      ++i;
    } else {
      finish();
    }
  }
  finish();
  return paths;
}

std::string join_cassettes(const std::vector<std::string>& paths) {
  std::string list;
  for (const std::string& path : paths) {
    if (!list.empty()) list += ',';
    for (char c : path) list.append(c == ',' ? 2 : 1, c);
  }
  return list;
}

}  // namespace cassette
