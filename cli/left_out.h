// The programs of a run that the session knows nothing of: the library could not enter them, so that they were not
// started, or ran without it; or they could not join the session. As the processes of the tree have noted them
// (store/settings/tree.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/run_plan.h"

namespace cassette {

struct LeftOut {
  enum class Kind {
    kNotEntered,    ///< it ran, neither recorded nor replayed
    kNotStarted,    ///< it would have
    kNotInSession,  ///< its requests were missed
  };
  Kind kind = Kind::kNotEntered;
  std::string program;
  std::string why;  ///< empty for kNotEntered: it was said when it was started
};

/// Each line once, in their order.
std::vector<LeftOut> parse_left_out(std::string_view lines);
/// For the summary.
std::string left_out_line(const LeftOut& program);
/// The same as an object on one line: what docs/cli.md lists.
std::string left_out_json(const LeftOut& program);

/// The list, which is there while the object lives.
class LeftOutList {
 public:
  explicit LeftOutList(const RunPlan& plan);
  ~LeftOutList();
  LeftOutList(const LeftOutList&) = delete;
  LeftOutList& operator=(const LeftOutList&) = delete;

  std::vector<LeftOut> read() const;

 private:
  std::string path_;
};

}  // namespace cassette
