// See unsaid.h.
#include "cli/unsaid.h"

#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <fstream>
#include <iostream>

#include "store/settings/tree.h"

namespace cassette {

Unsaid::Unsaid(const RunPlan& plan) {
  char path[PATH_MAX];
  auto get = [&plan](const char* name) { return plan.environment.get(name); };
  if (!unsaid_file(get, path, sizeof path)) return;
  // Its directory is made with the session. Without the list such messages are lost.
  const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  close(fd);
  path_ = path;
}

Unsaid::~Unsaid() {
  if (!path_.empty()) unlink(path_.c_str());
}

void Unsaid::print() const {
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) std::cerr << line + "\n";
}

}  // namespace cassette
