// See client_hello.h. Must not know a socket.
#include "parser/client_hello.h"

#include <algorithm>

namespace cassette {

namespace {

constexpr std::size_t kRecordHeader = 5;   ///< type, version, length
constexpr std::size_t kMessageHeader = 4;  ///< type, length
constexpr char kHandshake = 22;
constexpr char kClientHello = 1;

/// RFC 8446 section 4.2.
enum Extension : std::uint16_t {
  kServerName = 0,
  kStatusRequest = 5,
  kSupportedGroups = 10,
  kSecureRemotePassword = 12,
  kSignatureAlgorithms = 13,
  kApplicationProtocols = 16,
  kSupportedVersions = 43,
  kPostHandshakeAuth = 49,
};

/// RFC 8701 section 2: 0x0a0a, 0x1a1a, ... 0xfafa.
bool is_grease(std::uint16_t value) {
  return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

/// A presentation of RFC 8446 section 3, read from its front. What is not there leaves it broken, and gives nothing.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  bool broken() const { return broken_; }
  /// All of it was taken, and was there.
  bool done() const { return rest_.empty() && !broken_; }

  std::string_view bytes(std::size_t size) {
    if (size > rest_.size()) {
      broken_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  /// Of so many bytes.
  std::size_t number(std::size_t size) {
    std::size_t value = 0;
    for (char c : bytes(size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  /// What has its length in front, which has so many bytes.
  std::string_view vector(std::size_t length_size) { return bytes(number(length_size)); }

 private:
  std::string_view rest_;
  bool broken_ = false;
};

bool read_numbers(std::string_view bytes, std::vector<std::uint16_t>& numbers) {
  Fields fields(bytes);
  while (!fields.empty()) {
    const auto number = static_cast<std::uint16_t>(fields.number(2));
    if (!fields.broken() && !is_grease(number)) numbers.push_back(number);
  }
  return fields.done();
}

/// A list of numbers that fills an extension, with its length in front.
bool read_number_list(std::string_view data, std::size_t length_size,
                      std::vector<std::uint16_t>& numbers) {
  Fields fields(data);
  const std::string_view list = fields.vector(length_size);
  return fields.done() && read_numbers(list, numbers);
}

bool read_server_name(std::string_view data, std::string& name) {
  Fields extension(data);
  Fields list(extension.vector(2));
  while (!list.empty()) {
    const bool is_host_name = list.number(1) == 0;
    const std::string_view entry = list.vector(2);
    if (is_host_name && name.empty()) name = entry;
  }
  return extension.done() && list.done();
}

bool read_protocols(std::string_view data, std::vector<std::string>& protocols) {
  Fields extension(data);
  Fields list(extension.vector(2));
  while (!list.empty()) {
    const std::string_view name = list.vector(1);
    if (name.empty()) return false;
    // GREASE of two equal bytes; no protocol has such a name.
    const bool says_nothing = name.size() == 2 && name[0] == name[1] && (name[0] & 0x0f) == 0x0a;
    if (!says_nothing) protocols.emplace_back(name);
  }
  return extension.done() && list.done();
}

bool read_extension(std::size_t type, std::string_view data, ClientHello& hello) {
  switch (type) {
    case kServerName:
      return read_server_name(data, hello.server_name);
    case kStatusRequest:
      hello.status_request = true;
      return true;
    case kSupportedGroups:
      return read_number_list(data, 2, hello.groups);
    case kSecureRemotePassword:
      hello.password = true;
      return true;
    case kSignatureAlgorithms:
      return read_number_list(data, 2, hello.signature_algorithms);
    case kApplicationProtocols:
      return read_protocols(data, hello.protocols);
    case kSupportedVersions:
      hello.versions.clear();
      return read_number_list(data, 1, hello.versions);
    case kPostHandshakeAuth:
      hello.post_handshake_auth = true;
      return true;
    default:
      return true;
  }
}

/// `body`: of the message, without its header.
bool read_hello(std::string_view body, ClientHello& hello) {
  constexpr std::size_t kRandom = 32;
  Fields fields(body);
  hello.versions.push_back(static_cast<std::uint16_t>(fields.number(2)));
  fields.bytes(kRandom);
  const std::string_view session = fields.vector(1);
  const std::string_view suites = fields.vector(2);
  const std::string_view compression = fields.vector(1);
  if (fields.broken() || session.size() > 32 || suites.empty() || compression.empty()) return false;
  if (!read_numbers(suites, hello.cipher_suites)) return false;
  if (fields.empty()) return true;  // no extensions: TLS 1.2 and before

  Fields extensions(fields.vector(2));
  if (!fields.done()) return false;
  while (!extensions.empty()) {
    const std::size_t type = extensions.number(2);
    const std::string_view data = extensions.vector(2);
    if (extensions.broken() || !read_extension(type, data, hello)) return false;
  }
  return true;
}

}  // namespace

bool ClientHello::offers(std::string_view protocol) const {
  return std::find(protocols.begin(), protocols.end(), protocol) != protocols.end();
}

ClientHelloReader::State ClientHelloReader::feed(std::string_view bytes) {
  while (state_ == State::kIncomplete && !bytes.empty()) {
    bytes = record_left_ == 0 ? take_record_header(bytes) : take_fragment(bytes);
  }
  return state_;
}

std::string_view ClientHelloReader::take_record_header(std::string_view bytes) {
  const std::size_t size = std::min(kRecordHeader - header_.size(), bytes.size());
  header_.append(bytes.substr(0, size));
  // The minor version of the first record says nothing (RFC 8446 appendix D.3).
  if (header_[0] != kHandshake || (header_.size() > 1 && header_[1] != 3)) {
    state_ = State::kNoHello;
  } else if (header_.size() == kRecordHeader) {
    Fields length(std::string_view(header_).substr(3));
    record_left_ = length.number(2);
    header_.clear();
    // RFC 8446 section 5.1: no fragment of a handshake is empty.
    if (record_left_ == 0 || record_left_ > kLargestRecord) state_ = State::kNoHello;
  }
  return bytes.substr(size);
}

std::string_view ClientHelloReader::take_fragment(std::string_view bytes) {
  std::size_t wanted = kMessageHeader;
  if (message_.size() >= kMessageHeader) {
    Fields length(std::string_view(message_).substr(1));
    wanted += length.number(3);
  }
  const std::size_t size = std::min({wanted - message_.size(), record_left_, bytes.size()});
  message_.append(bytes.substr(0, size));
  record_left_ -= size;
  if (message_[0] != kClientHello) {
    state_ = State::kNoHello;
  } else if (message_.size() == kMessageHeader) {
    Fields length(std::string_view(message_).substr(1));
    const std::size_t body = length.number(3);
    if (body == 0 || kMessageHeader + body > kLargestHello) state_ = State::kNoHello;
  } else if (message_.size() == wanted) {
    const bool good = read_hello(std::string_view(message_).substr(kMessageHeader), hello_);
    state_ = good ? State::kComplete : State::kNoHello;
    message_ = {};
  }
  return bytes.substr(size);
}

}  // namespace cassette
