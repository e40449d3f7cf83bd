// What the processes of a program could not say on their own stderr, because it was closed, or another file by then
// (store/standard_error.h): `cassette run` says it when the program has ended.
#pragma once

#include <string>

#include "cli/run_plan.h"

namespace cassette {

/// While it lives there is a list that messages are added to.
class Unsaid {
 public:
  explicit Unsaid(const RunPlan& plan);
  ~Unsaid();
  Unsaid(const Unsaid&) = delete;
  Unsaid& operator=(const Unsaid&) = delete;

  /// Says them on stderr, as they are.
  void print() const;

 private:
  std::string path_;
};

}  // namespace cassette
