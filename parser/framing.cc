// Transfer-Encoding, Connection and status codes, read for what they say about framing.
#include "parser/framing.h"

namespace cassette {

TransferCoding transfer_coding(const Headers& headers) {
  bool any = false;
  bool chunked_last = false;
  int chunked_count = 0;
  for (const Headers::Field field : headers) {
    if (!equals_ignoring_case(field.name, "transfer-encoding")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      std::string_view coding = rest.substr(0, comma);
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
      const std::size_t first = coding.find_first_not_of(" \t");
      if (first == std::string_view::npos) continue;  // empty list elements are legal
      coding = coding.substr(first, coding.find_last_not_of(" \t") - first + 1);
      if (equals_ignoring_case(coding, "identity")) continue;
      any = true;
      chunked_last = equals_ignoring_case(coding, "chunked");
      if (chunked_last) ++chunked_count;
    }
  }
  if (!any) return TransferCoding::kNone;
  if (chunked_count == 0) return TransferCoding::kOther;
  return chunked_last && chunked_count == 1 ? TransferCoding::kChunked : TransferCoding::kBroken;
}

bool status_has_no_body(int status) {
  return (status >= 100 && status < 200) || status == 204 || status == 304;
}

bool connection_persists(HttpVersion version, const Headers& headers) {
  if (headers.has_token("connection", "close")) return false;
  const bool http_1_1 = version.major > 1 || (version.major == 1 && version.minor >= 1);
  return http_1_1 || headers.has_token("connection", "keep-alive");
}

}  // namespace cassette
