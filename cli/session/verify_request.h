// What `cassette session verify` was asked: the command line, and which interaction it means. Pure, but for
// what the command line complains about.
#pragma once

#include <optional>
#include <string>

#include "cli/session/requests.h"
#include "store/session/control.h"
#include "store/session/verification.h"

namespace cassette {

struct VerifyRequest {
  std::string id;
  Criteria criteria;                       ///< method, host and path; the rest needs the session
  std::optional<std::string> interaction;  ///< as given: an index from 1, or an id
  std::optional<std::string> cassette;     ///< as given
  ExpectedCount expected;
  bool json = false;
};
Parsed<VerifyRequest> parse_verify(const Arguments& arguments);

/// All criteria: `--interaction` and `--cassette` as the session has them. Errors: the session does not have
/// them open, or several of its cassettes have such an interaction.
Result<Criteria> resolve(const VerifyRequest& request, const SessionState& session,
                         const std::string& working_directory);

/// "method GET, path /json"; empty: every request counts.
std::string criteria_text(const VerifyRequest& request);
/// "exactly 2", "at least 2", "at most 2", "from 2 to 4".
std::string expected_text(const ExpectedCount& expected);

}  // namespace cassette
