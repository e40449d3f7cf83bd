// What a TLS client says first, out of arbitrary bytes: the same is read of it in one piece as in many, and a hello that
// was read is of a possible size. The first byte is how large the pieces are, less one; the rest comes from the client.
#include "parser/client_hello.h"

#include <algorithm>

#include "tests/fuzz/input.h"

using cassette::ClientHello;
using cassette::ClientHelloReader;
using cassette::fuzzing::must;
using State = ClientHelloReader::State;

namespace {

bool same(const ClientHello& a, const ClientHello& b) {
  return a.server_name == b.server_name && a.protocols == b.protocols && a.versions == b.versions &&
         a.cipher_suites == b.cipher_suites && a.signature_algorithms == b.signature_algorithms &&
         a.status_request == b.status_request && a.post_handshake_auth == b.post_handshake_auth;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes = cassette::fuzzing::text_of(data, size);
  const std::size_t piece = cassette::fuzzing::take_byte(bytes) + std::size_t{1};

  ClientHelloReader whole;
  const State state = whole.feed(bytes);
  ClientHelloReader in_pieces;
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::string_view next = rest.substr(0, piece);
    rest.remove_prefix(next.size());
    const State before = in_pieces.state();
    in_pieces.feed(next);
    must(before == State::kIncomplete || in_pieces.state() == before, "an end is an end");
  }
  must(in_pieces.state() == state, "pieces say the same as the whole");
  if (state != State::kComplete) return 0;

  const ClientHello& hello = whole.hello();
  must(same(hello, in_pieces.hello()), "and have the same in them");
  std::size_t told = hello.server_name.size() + 2 * hello.versions.size() +
                     2 * hello.cipher_suites.size() + 2 * hello.signature_algorithms.size();
  for (const std::string& protocol : hello.protocols) {
    must(!protocol.empty() && protocol.size() < 256 && hello.offers(protocol), "a name is one");
    told += protocol.size();
  }
  must(told <= std::min(bytes.size(), ClientHelloReader::kLargestHello), "nothing is made up");
  return 0;
}
