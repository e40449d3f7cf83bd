// The command lines of `cassette session`'s subcommands, but for `verify` (verify_request.h): what each of
// them was asked to do. Looks at nothing but the arguments.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "cli/command.h"
#include "cli/session/common.h"

namespace cassette {

/// The request, or the status to exit with: help was printed, or a complaint.
template <typename Request>
using Parsed = std::variant<Request, int>;

struct RegisterRequest {
  std::string id;       ///< empty: a new one is to be made up
  Overrides overrides;  ///< --ttl and --max-sessions
  bool json = false;
};
Parsed<RegisterRequest> parse_register(const Arguments& arguments);

struct ListRequest {
  bool json = false;
};
Parsed<ListRequest> parse_list(const Arguments& arguments);

/// Of `unregister`, `show` and `history`, which know nothing but a session.
struct SessionRequest {
  std::string id;
  bool json = false;
};
Parsed<SessionRequest> parse_unregister(const Arguments& arguments);
Parsed<SessionRequest> parse_show(const Arguments& arguments);
Parsed<SessionRequest> parse_history(const Arguments& arguments);

struct PositionRequest {
  std::string id;
  std::optional<std::string> cassette;  ///< as given, not empty; `advance` always has one
  bool json = false;
};
Parsed<PositionRequest> parse_rewind(const Arguments& arguments);
Parsed<PositionRequest> parse_advance(const Arguments& arguments);

struct PurgeRequest {
  std::optional<std::string> id;  ///< nothing: all
  bool json = false;
};
Parsed<PurgeRequest> parse_purge(const Arguments& arguments);

/// For a value that must not be empty: complains, `what` being its name, and is false.
bool is_given(const std::string& what, const std::string& value);

}  // namespace cassette
