// Bodies made readable. See body.h.
#include "cli/body.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>

#include "cli/text.h"
#include "store/content_coding.h"

namespace cassette {
namespace {

/// All Content-Encoding fields as one.
std::string content_encoding(const Headers& headers) {
  std::string encoding;
  for (Headers::Field field : headers) {
    if (!equals_ignoring_case(field.name, "Content-Encoding")) continue;
    if (!encoding.empty()) encoding += ", ";
    encoding += field.value;
  }
  return encoding;
}

/// Takes the events of a parser, and writes them indented.
class IndentedJson : public rapidjson::PrettyWriter<rapidjson::StringBuffer> {
 public:
  explicit IndentedJson(rapidjson::StringBuffer& out) : PrettyWriter(out) { SetIndent(' ', 2); }

  /// As written: the base class would make a string of it.
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
    return RawValue(text, length, rapidjson::kNumberType);
  }
  // The indentation of what is nested absurdly deep would fill the memory.
  bool StartObject() { return ++depth_ <= kDeepest && PrettyWriter::StartObject(); }
  bool StartArray() { return ++depth_ <= kDeepest && PrettyWriter::StartArray(); }
  bool EndObject(rapidjson::SizeType count) { return --depth_, PrettyWriter::EndObject(count); }
  bool EndArray(rapidjson::SizeType count) { return --depth_, PrettyWriter::EndArray(count); }

 private:
  static constexpr int kDeepest = 100;
  int depth_ = 0;
};

}  // namespace

ShownBody shown_body(const Headers& headers, std::string_view body) {
  ShownBody shown;
  const std::string encoding = content_encoding(headers);
  if (!body.empty() && !encoding.empty() && is_encoded(encoding, body)) {
    Result<std::string> decoded = decode_content(encoding, body);
    if (decoded) {
      shown.bytes = std::move(*decoded);
      shown.coding = encoding;
    } else {
      shown.problem = decoded.error().message;
    }
  }
  if (shown.coding.empty()) shown.bytes = body;
  shown.is_text = is_text(shown.bytes);
  return shown;
}

std::string indented_json(const std::string& text) {
  rapidjson::StringStream in(text.c_str());
  rapidjson::StringBuffer out;
  IndentedJson writer(out);
  rapidjson::Reader reader;
  if (!reader.Parse<rapidjson::kParseNumbersAsStringsFlag>(in, writer)) return text;
  return std::string(out.GetString(), out.GetSize()) + "\n";
}

}  // namespace cassette
