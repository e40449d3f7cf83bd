// See left_out.h.
#include "cli/left_out.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "cli/json.h"
#include "store/files.h"
#include "store/settings/tree.h"

namespace cassette {

namespace {

std::string_view take(std::string_view& text, char end) {
  const std::size_t size = std::min(text.find(end), text.size());
  const std::string_view taken = text.substr(0, size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return taken;
}

}  // namespace

std::vector<LeftOut> parse_left_out(std::string_view lines) {
  std::vector<LeftOut> programs;
  while (!lines.empty()) {
    std::string_view line = take(lines, '\n');
    LeftOut program;
    program.program = take(line, '\t');
    program.why = take(line, '\t');
    if (line == kNotStarted) program.kind = LeftOut::Kind::kNotStarted;
    if (line == kNotInSession) program.kind = LeftOut::Kind::kNotInSession;
    auto is_same = [&program](const LeftOut& other) {
      return other.kind == program.kind && other.program == program.program &&
             other.why == program.why;
    };
    if (program.program.empty() || std::any_of(programs.begin(), programs.end(), is_same)) continue;
    programs.push_back(std::move(program));
  }
  return programs;
}

std::string left_out_line(const LeftOut& program) {
  switch (program.kind) {
    case LeftOut::Kind::kNotStarted:
      return program.program + ": not started: " + program.why;
    case LeftOut::Kind::kNotInSession:
      return program.program + ": its requests were missed: " + program.why;
    case LeftOut::Kind::kNotEntered:
      break;
  }
  return program.program + ": not entered, neither recorded nor replayed";
}

std::string left_out_json(const LeftOut& program) {
  JsonOutput out;
  out.begin_object();
  switch (program.kind) {
    case LeftOut::Kind::kNotEntered:
      out.member("not_entered", program.program);
      break;
    case LeftOut::Kind::kNotStarted:
      out.member("not_started", program.program);
      out.member("why", program.why);
      break;
    case LeftOut::Kind::kNotInSession:
      out.member("not_in_session", program.program);
      out.member("why", program.why);
      break;
  }
  out.end_object();
  return out.line();
}

LeftOutList::LeftOutList(const RunPlan& plan) {
  char path[4096];
  auto get = [&plan](const char* name) { return plan.environment.get(name); };
  if (!not_entered_file(get, path, sizeof path)) return;
  // Its directory is made with the session. Without the list nothing is in the summary.
  const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  close(fd);
  path_ = path;
}

LeftOutList::~LeftOutList() {
  if (!path_.empty()) unlink(path_.c_str());
}

std::vector<LeftOut> LeftOutList::read() const {
  if (path_.empty()) return {};
  auto lines = read_file(path_);
  return lines ? parse_left_out(*lines) : std::vector<LeftOut>();
}

}  // namespace cassette
