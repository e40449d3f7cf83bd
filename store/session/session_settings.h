// The settings that shape a compiled cassette and its cursors, as text: part of what names them,
// and kept in the image, so that whoever ends a session does it the way its own processes would.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/match/match.h"
#include "store/settings/settings.h"

namespace cassette {

/// One "name value" a line: match_on, order, repeats, the three filters, state_dir.
std::string session_settings_text(const Settings& settings);

/// What of it is needed to end a session.
struct SessionSettings {
  MatchOn match_on;
  std::vector<std::string> filter_headers, filter_query, filter_body;
  std::string state_dir;

  Matcher matcher() const {
    return Matcher(match_on, Redactor(filter_headers, filter_query, filter_body));
  }
};
/// Lines it does not know are passed over.
SessionSettings parse_session_settings(std::string_view text);

}  // namespace cassette
