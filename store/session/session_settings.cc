#include "store/session/session_settings.h"

namespace cassette {

namespace {

void append_list(std::string& text, std::string_view name, const std::vector<std::string>& list) {
  text.append(name).append(" ");
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) text.push_back(',');
    text.append(list[i]);
  }
  text.push_back('\n');
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    std::size_t end = std::min(list.find(','), list.size());
    parts.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return parts;
}

MatchOn parse_match_on(std::string_view text) {
  MatchOn match_on;
  match_on.method = match_on.scheme = match_on.host = match_on.port = match_on.path =
      match_on.query = false;
  constexpr std::string_view kHeader = "header:";
  for (const std::string& part : split(text)) {
    if (part == "method") match_on.method = true;
    if (part == "scheme") match_on.scheme = true;
    if (part == "host") match_on.host = true;
    if (part == "port") match_on.port = true;
    if (part == "path") match_on.path = true;
    if (part == "query") match_on.query = true;
    if (part == "uri") match_on.uri = true;
    if (part == "body") match_on.body = true;
    if (part == "headers") match_on.headers = true;
    if (part.starts_with(kHeader)) match_on.header_names.push_back(part.substr(kHeader.size()));
  }
  return match_on;
}

}  // namespace

std::string session_settings_text(const Settings& settings) {
  std::string text = "match_on " + settings.match_on.text() + "\n";
  text.append("order ").append(name_of(settings.order)).append("\n");
  text.append("repeats ").append(settings.allow_playback_repeats ? "yes\n" : "no\n");
  append_list(text, "filter_headers", settings.filter_headers);
  append_list(text, "filter_query", settings.filter_query);
  append_list(text, "filter_body", settings.filter_body);
  text.append("state_dir ").append(settings.state_dir).append("\n");
  return text;
}

SessionSettings parse_session_settings(std::string_view text) {
  SessionSettings settings;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::size_t space = std::min(line.find(' '), line.size());
    std::string_view name = line.substr(0, space);
    std::string_view value = line.substr(std::min(space + 1, line.size()));
    if (name == "match_on") settings.match_on = parse_match_on(value);
    if (name == "filter_headers") settings.filter_headers = split(value);
    if (name == "filter_query") settings.filter_query = split(value);
    if (name == "filter_body") settings.filter_body = split(value);
    if (name == "state_dir") settings.state_dir = value;
  }
  return settings;
}

}  // namespace cassette
