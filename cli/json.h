// The JSON that `--json` prints: one writer, and the interaction in it. docs/cli.md lists the fields.
#pragma once

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "store/cassette.h"

namespace cassette {

class JsonOutput {
 public:
  JsonOutput();

  void begin_array() { writer_.StartArray(); }
  void end_array() { writer_.EndArray(); }
  void begin_object() { writer_.StartObject(); }
  void end_object() { writer_.EndObject(); }
  void key(const char* name) { writer_.Key(name); }
  /// Bytes that are not UTF-8 are taken as Latin-1, as HTTP took them once.
  void string(std::string_view bytes);
  void number(std::uint64_t value) { writer_.Uint64(value); }
  void boolean(bool value) { writer_.Bool(value); }
  void null() { writer_.Null(); }

  void member(const char* name, std::string_view value);
  void member(const char* name, std::uint64_t value);
  /// An empty value as null.
  void member_or_null(const char* name, std::string_view value);

  /// The members that name an interaction: index, id, method, uri, and file where there is one.
  void identity(const Interaction& interaction, std::size_t index);
  /// A line of `list`.
  void row(const Interaction& interaction, std::size_t index);
  /// All of it.
  void whole(const Interaction& interaction, std::size_t index);

  /// What was written, with a line end.
  std::string text() const { return std::string(buffer_.GetString(), buffer_.GetSize()) + "\n"; }
  /// The same on one line.
  std::string line() const;

 private:
  void course(const Interaction& interaction);
  void headers(const char* name, const Headers& headers);
  void body(const Headers& headers, const std::string& body, bool present);
  void version(HttpVersion version);

  rapidjson::StringBuffer buffer_;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer_;
};

/// The entries of a cassette as `list` and `show` number them: first the interactions, which have the numbers that
/// sessions and misses call them by, then the certificates of servers.
std::size_t entries_in(const Cassette& cassette);
const Interaction& entry_of(const Cassette& cassette, std::size_t index);
/// "trusted", "untrusted".
std::string_view verdict_of(const ServerCertificate& certificate);

/// "2024-01-31T23:59:59.000001Z", or nothing when it is not known.
std::string recorded_at(const Interaction& interaction);

}  // namespace cassette
