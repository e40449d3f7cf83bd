// See native.h. Keys that are not known are ignored: other tools and later versions add their own.
#include "store/formats/native.h"

#include <charconv>

#include "store/formats/header_groups.h"
#include "store/formats/latin_1.h"
#include "store/formats/native_parts.h"
#include "store/formats/pem.h"
#include "store/formats/text.h"
#include "store/uri.h"

namespace cassette {
namespace {

constexpr std::uint32_t kMostTimes = 1'000'000'000;
constexpr std::int32_t kMostPriority = 1'000'000'000;

template <typename Number>
bool parse_number(std::string_view text, Number& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// "HTTP/1.0", "1.0", "HTTP/2"; what cannot be understood leaves the default.
HttpVersion parse_version(std::string_view text) {
  if (text.starts_with("HTTP/")) text.remove_prefix(5);
  std::size_t dot = text.find('.');
  HttpVersion version{0, 0};
  bool good = parse_number(text.substr(0, dot), version.major);
  if (dot != std::string_view::npos)
    good = good && parse_number(text.substr(dot + 1), version.minor);
  good =
      good && version.major >= 0 && version.major <= 9 && version.minor >= 0 && version.minor <= 9;
  return good ? version : HttpVersion{};
}

/// A list of names of fields; what is none is nothing.
std::vector<std::string> names_in(const DocumentNode* list) {
  std::vector<std::string> names;
  if (list == nullptr || !list->is_list()) return names;
  for (const DocumentNode& item : list->items) names.push_back(item.text);
  return names;
}

/// RFC 9110 section 15.2, but for 101, behind which no final answer comes.
bool is_informational(int status) { return status >= 100 && status <= 199 && status != 101; }

/// Reads the interactions of one document: keeps the name for its errors, and no other state.
class NativeReader {
 public:
  explicit NativeReader(const std::string& name) : name_(name) {}

  Result<void> check_root(const DocumentNode& root) const;
  Result<Interaction> interaction(DocumentNode& node) const;

  Error error(const DocumentNode& node, std::string_view reason) const {
    return error_at(name_, node.line, reason);
  }

 private:
  Result<void> rules(const DocumentNode& node, Interaction& out) const;
  Result<void> request(DocumentNode& node, Interaction& out) const;
  Result<void> response(DocumentNode& node, Interaction& out) const;
  Result<void> status(const DocumentNode& node, ResponseMessage& out) const;
  Result<void> response_body(DocumentNode& node, ResponseMessage& out) const;
  Result<void> chunks(const DocumentNode& list, std::vector<Piece>& out) const;
  Result<void> course(DocumentNode& node, Interaction& out) const;
  Result<InformationalResponse> informational(DocumentNode& node) const;
  Result<void> redacted(const DocumentNode& node, RedactedDigests& out) const;
  Result<ServerCertificate> certificate(DocumentNode& node) const;

  const std::string& name_;
};

Result<void> NativeReader::check_root(const DocumentNode& root) const {
  if (root.is_null()) return error_at(name_, 0, "an empty file: a cassette has `interactions`");
  if (root.is_list()) {
    return error(
        root,
        "a list at the top level: this is a cassette from before vcrpy 1.0, re-record it or "
        "convert it with vcrpy's migration (python -m vcr.migration)");
  }
  if (!root.is_map()) return error(root, "text at the top level, where a map is expected");
  if (auto tag = check_tag(root, name_); !tag) return tag;
  if (root.find("http_interactions") != nullptr) {
    const DocumentNode* by = root.find("recorded_with");
    bool betamax = by != nullptr && by->text.starts_with("betamax");
    return error(root, betamax
                           ? "a betamax cassette (`http_interactions`), which is not read yet"
                           : "a Ruby VCR cassette (`http_interactions`), which is not read yet");
  }
  if (const DocumentNode* log = root.find("log");
      log != nullptr && log->find("entries") != nullptr) {
    return error(root, "an HTTP archive (HAR), which is not read yet");
  }
  const DocumentNode* version = root.find("version");
  if (version != nullptr && version->text != "1") {
    return error(*version, "version " + (version->is_scalar() ? for_message(version->text) : "?") +
                               ": only version 1 is known");
  }
  return {};
}

Result<Interaction> NativeReader::interaction(DocumentNode& node) const {
  if (auto tag = check_tag(node, name_); !tag) return tag.error();
  if (!node.is_map()) return error(node, "an interaction that is no map");
  Interaction out;
  DocumentNode* request_node = node.find("request");
  if (request_node == nullptr) {
    return error(node, "an interaction without `request` (its keys: " + node.key_names() + ")");
  }
  if (auto read = request(*request_node, out); !read) return read.error();

  DocumentNode* response_node = node.find("response");
  const DocumentNode* error_node = node.find("error");
  DocumentNode* certificate_node = node.find("certificate");
  // Elsewhere it is another tool's key.
  const bool is_certificate = is_certificate_entry(out.request.method, out.uri) &&
                              certificate_node != nullptr && !certificate_node->is_null();
  if (is_certificate) {
    for (const DocumentNode* other :
         {static_cast<const DocumentNode*>(response_node), error_node}) {
      if (other != nullptr && !other->is_null())
        return error(*other, "a `certificate` with a response or an error beside it");
    }
    const auto place = parse_uri(out.uri);
    if (!place || place->port == 0) {
      return error(*request_node, "request.uri is \"" + for_message(out.uri) +
                                      "\", where tls://host:port/ is expected");
    }
    auto read = certificate(*certificate_node);
    if (!read) return read.error();
    out.certificate = std::move(*read);
  } else if (response_node != nullptr && !response_node->is_null()) {
    if (auto read = response(*response_node, out); !read) return read.error();
  } else if (error_node != nullptr && error_node->is_scalar() && !error_node->text.empty()) {
    out.error = error_node->text;
  } else {
    return error(node, is_certificate_entry(out.request.method, out.uri)
                           ? "the entry of a server's certificate without `certificate`"
                           : "an interaction with neither `response` nor `error`");
  }
  restore_latin_1(out.request.headers, names_in(node.find("latin_1_request_headers")));
  if (auto read = rules(node, out); !read) return read.error();
  if (const DocumentNode* digests = node.find("redacted")) {
    if (auto read = redacted(*digests, out.redacted); !read) return read.error();
  }
  // A time in another tool's notation is not worth an error: it only says when.
  const DocumentNode* recorded_at = node.find("recorded_at");
  if (recorded_at != nullptr && recorded_at->is_scalar()) {
    out.recorded_at = parse_rfc3339(recorded_at->text);
  }
  return out;
}

/// How it is played: what people write into a cassette by hand.
Result<void> NativeReader::rules(const DocumentNode& node, Interaction& out) const {
  auto number = [this](const DocumentNode& given, const char* key, auto& value, auto least,
                       auto most) -> Result<void> {
    if (given.is_scalar() && parse_number(given.text, value) && value >= least && value <= most) {
      return {};
    }
    return error(given, std::string(key) + " is \"" +
                            (given.is_scalar() ? for_message(given.text) : "?") +
                            "\", where a whole number from " + std::to_string(least) + " to " +
                            std::to_string(most) + " is expected");
  };
  if (const DocumentNode* times = node.find("times"); times != nullptr && !times->is_null()) {
    if (auto read = number(*times, "times", out.times, 0U, kMostTimes); !read) return read;
  }
  const DocumentNode* priority = node.find("priority");
  if (priority == nullptr || priority->is_null()) return {};
  return number(*priority, "priority", out.priority, -kMostPriority, kMostPriority);
}

Result<void> NativeReader::request(DocumentNode& node, Interaction& out) const {
  if (auto tag = check_tag(node, name_); !tag) return tag;
  if (!node.is_map()) return error(node, "`request` is no map");
  DocumentNode* method = node.find("method");
  DocumentNode* uri = node.find("uri");
  if (method == nullptr || method->is_null()) return error(node, "a request without `method`");
  if (uri == nullptr || uri->is_null()) return error(node, "a request without `uri`");
  auto method_text = bytes_from_node(*method, "request.method", name_);
  if (!method_text) return method_text.error();
  if (method_text->empty()) return error(*method, "request.method is empty");
  out.request.method = std::move(*method_text);
  auto uri_text = bytes_from_node(*uri, "request.uri", name_);
  if (!uri_text) return uri_text.error();
  if (uri_text->empty()) return error(*uri, "request.uri is empty");
  out.uri = std::move(*uri_text);

  if (DocumentNode* headers = node.find("headers")) {
    auto read = headers_from_node(*headers, out.request.headers, "request.headers", name_);
    if (!read) return read;
  }
  DocumentNode* body = node.find("body");
  out.request_has_body = body != nullptr && !body->is_null();
  if (out.request_has_body) {
    auto bytes = request_body_from_node(*body, name_);
    if (!bytes) return bytes.error();
    out.request.body = std::move(*bytes);
  }
  return {};
}

Result<void> NativeReader::response(DocumentNode& node, Interaction& out) const {
  if (auto tag = check_tag(node, name_); !tag) return tag;
  if (!node.is_map()) return error(node, "`response` is no map");
  if (auto read = status(node, out.response); !read) return read;
  if (is_informational(out.response.status)) {
    // Played as it stands, whoever asked would wait for the rest for ever.
    return error(node, "response.status.code is " + std::to_string(out.response.status) +
                           ", which is no final answer: it goes to response.informational");
  }
  if (auto read = response_body(node, out.response); !read) return read;
  if (DocumentNode* headers = node.find("headers")) {
    auto read = headers_from_node(*headers, out.response.headers, "response.headers", name_);
    if (!read) return read;
  }
  const std::vector<std::string> order = names_in(node.find("header_order"));
  if (!order.empty()) put_in_order(out.response.headers, order);
  restore_latin_1(out.response.headers, names_in(node.find("latin_1_headers")));
  if (DocumentNode* trailers = node.find("trailers")) {
    auto read = headers_from_node(*trailers, out.response.trailers, "response.trailers", name_);
    if (!read) return read;
  }
  const DocumentNode* version = node.find("http_version");
  if (version != nullptr && version->is_scalar())
    out.response.version = parse_version(version->text);
  if (const DocumentNode* list = node.find("chunks")) {
    if (auto read = chunks(*list, out.chunks); !read) return read;
    // A body may have been edited or redacted since: what its pieces no longer fit is no error.
    while (!out.chunks.empty() && out.chunks.back().offset > out.response.body.size()) {
      out.chunks.pop_back();
    }
  }
  return course(node, out);
}

/// How the response came, beside what it says.
Result<void> NativeReader::course(DocumentNode& node, Interaction& out) const {
  const DocumentNode* first_byte = node.find("first_byte_ms");
  if (first_byte != nullptr && !first_byte->is_null() &&
      !(first_byte->is_scalar() && parse_number(first_byte->text, out.first_byte_milliseconds))) {
    return error(*first_byte, "response.first_byte_ms is no number of milliseconds");
  }
  if (const DocumentNode* ends = node.find("ends"); ends != nullptr && !ends->is_null()) {
    if (!end_from_name(ends->text, out.end)) {
      return error(*ends, "response.ends is \"" + for_message(ends->text) +
                              "\", where EOF, ECONNRESET or OPEN is expected");
    }
  }
  const DocumentNode* closes = node.find("closes");
  out.closes = closes != nullptr && closes->is_scalar() && closes->text == "true";
  DocumentNode* list = node.find("informational");
  if (list == nullptr || list->is_null()) return {};
  if (!list->is_list()) return error(*list, "response.informational is no list");
  for (DocumentNode& item : list->items) {
    auto read = informational(item);
    if (!read) return read.error();
    out.informational.push_back(std::move(*read));
  }
  return {};
}

Result<InformationalResponse> NativeReader::informational(DocumentNode& node) const {
  if (!node.is_map()) return error(node, "an informational response that is no map");
  ResponseMessage head;
  if (auto read = status(node, head); !read) return read.error();
  if (!is_informational(head.status)) {
    return error(node, "an informational response with status " + std::to_string(head.status));
  }
  if (DocumentNode* headers = node.find("headers")) {
    auto read = headers_from_node(*headers, head.headers, "informational.headers", name_);
    if (!read) return read.error();
  }
  InformationalResponse out{head.status, std::move(head.reason), std::move(head.headers), 0};
  const DocumentNode* when = node.find("milliseconds");
  if (when != nullptr && !(when->is_scalar() && parse_number(when->text, out.milliseconds))) {
    return error(*when, "informational.milliseconds is no number of milliseconds");
  }
  return out;
}

Result<void> NativeReader::redacted(const DocumentNode& node, RedactedDigests& out) const {
  if (node.is_null()) return {};
  if (!node.is_map()) return error(node, "`redacted` is no map");
  for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const std::string& name = node.items[i].text;
    const DocumentNode& digest = node.items[i + 1];
    const std::size_t digits = name == "key" ? 16 : 4;
    if (!digest.is_scalar() || digest.text.size() != digits ||
        digest.text.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return error(digest, "redacted." + for_message(name) + " is not of " +
                               std::to_string(digits) + " hexadecimal digits");
    }
    if (name == "key") {
      out.key = digest.text;
    } else {
      out.digests.push_back({name, digest.text});
    }
  }
  if (out.key.empty()) return error(node, "`redacted` without its key");
  return {};
}

Result<ServerCertificate> NativeReader::certificate(DocumentNode& node) const {
  ServerCertificate out;
  if (!node.is_map()) return error(node, "`certificate` is no map");
  DocumentNode* chain = node.find("chain");
  if (chain == nullptr || !chain->is_list())
    return error(node, "certificate.chain is no list of certificates");
  for (DocumentNode& item : chain->items) {
    auto text = bytes_from_node(item, "certificate.chain", name_);
    if (!text) return text.error();
    auto certificates = certificates_from_pem(*text);
    if (!certificates) return error(item, "certificate.chain: " + certificates.error().message);
    if (certificates->empty())
      return error(item, "certificate.chain: a text without a certificate in PEM");
    for (std::string& each : *certificates) out.chain.push_back(std::move(each));
  }
  const DocumentNode* trusted = node.find("trusted");
  const bool is_known = trusted != nullptr && trusted->is_scalar() &&
                        (trusted->text == "true" || trusted->text == "false");
  if (!is_known) {
    return error(trusted != nullptr ? *trusted : node,
                 "certificate.trusted is neither true nor false");
  }
  out.trusted = trusted->text == "true";
  return out;
}

Result<void> NativeReader::status(const DocumentNode& node, ResponseMessage& out) const {
  // Old httpx responses have `status_code` instead, and no message.
  const DocumentNode* status = node.find("status");
  const DocumentNode* code = status != nullptr ? status->find("code") : node.find("status_code");
  if (code == nullptr) return error(node, "a response without `status.code`");
  if (!code->is_scalar() || !parse_number(code->text, out.status) || out.status < 0 ||
      out.status > 999) {
    return error(*code, "response.status.code is \"" + for_message(code->text) +
                            "\", where a number up to 999 is expected");
  }
  if (const DocumentNode* message = status != nullptr ? status->find("message") : nullptr) {
    DocumentNode copy = *message;
    auto text = bytes_from_node(copy, "response.status.message", name_);
    if (!text) return text.error();
    out.reason = std::move(*text);
  }
  return {};
}

Result<void> NativeReader::response_body(DocumentNode& node, ResponseMessage& out) const {
  DocumentNode* body = node.find("body");
  bool known = body != nullptr &&
               (body->find("string") != nullptr || body->find("base64_string") != nullptr);
  if (!known) {
    // Old httpx responses: the body is `content`, already decoded.
    body = node.find("content");
    if (body == nullptr) {
      return error(node, "a response without `body.string` (its keys: " + node.key_names() + ")");
    }
  }
  auto bytes = bytes_from_node(*body, "response.body", name_);
  if (!bytes) return bytes.error();
  out.body = std::move(*bytes);
  return {};
}

Result<void> NativeReader::chunks(const DocumentNode& list, std::vector<Piece>& out) const {
  constexpr std::string_view kExpected =
      "response.chunks is no list of [offset, milliseconds] in ascending order";
  // With a third number: the bytes of the request's body that had been sent.
  if (list.is_null()) return {};
  if (!list.is_list()) return error(list, kExpected);
  for (const DocumentNode& item : list.items) {
    Piece piece;
    const std::size_t numbers = item.is_list() ? item.items.size() : 0;
    bool good = (numbers == 2 || numbers == 3) && parse_number(item.items[0].text, piece.offset) &&
                parse_number(item.items[1].text, piece.milliseconds) &&
                (numbers == 2 || parse_number(item.items[2].text, piece.request_bytes)) &&
                (out.empty() || out.back().offset <= piece.offset);
    if (!good) return error(item, kExpected);
    out.push_back(piece);
  }
  return {};
}

}  // namespace

Result<std::vector<Interaction>> interactions_from_tree(DocumentNode root,
                                                        const std::string& name) {
  NativeReader reader(name);
  if (auto checked = reader.check_root(root); !checked) return checked.error();
  DocumentNode* list = root.find("interactions");
  if (list == nullptr) {
    return reader.error(root, "no `interactions` (the keys are: " + root.key_names() + ")");
  }
  std::vector<Interaction> interactions;
  if (list->is_null()) return interactions;
  if (!list->is_list()) return reader.error(*list, "`interactions` is no list");
  interactions.reserve(list->items.size());
  for (DocumentNode& item : list->items) {
    auto interaction = reader.interaction(item);
    if (!interaction) return interaction.error();
    interactions.push_back(std::move(*interaction));
  }
  return interactions;
}

Result<Interaction> interaction_from_tree(DocumentNode root, const std::string& name) {
  if (!root.is_map() || root.find("request") == nullptr) {
    auto interactions = interactions_from_tree(std::move(root), name);
    if (!interactions) return interactions.error();
    if (interactions->size() != 1) {
      return error_at(name, 1,
                      "a file of a directory cassette holds one interaction; this one has " +
                          std::to_string(interactions->size()));
    }
    return std::move(interactions->front());
  }
  return NativeReader(name).interaction(root);
}

}  // namespace cassette
