// See secure_channel.h. Must not know a descriptor.
#include "preload/engine/conversation/secure_channel.h"

#include <errno.h>

#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/log.h"

namespace cassette {

using State = TlsStream::State;

namespace {

/// For a program that has to say whether it trusts a server that speaks first.
constexpr std::int64_t kVerdictPatience = 1'000'000'000;

/// Names come from the program and the network; terminals are not to be steered.
std::string printable(std::string_view name) {
  std::string text;
  for (char c : name) text += c > ' ' && c < 0x7f ? c : '?';
  return text;
}

/// Whom a program may mean that does not say it: the name that it resolved, or the address. Nobody asks
/// us for the address of localhost.
ServerNames names_of(const Conversation::Terms& terms) {
  ServerNames names{terms.host};
  if (!terms.address.empty() && terms.address != terms.host) names.push_back(terms.address);
  if (terms.address == "127.0.0.1" || terms.address == "::1") names.emplace_back("localhost");
  return names;
}

}  // namespace

SecureChannel::SecureChannel(Deck& deck, Conversation::Terms terms, const TlsSupport& support,
                             const ClientHello& hello)
    : deck_(deck),
      terms_(std::move(terms)),
      support_(support),
      hello_(hello),
      // A recording looks at the server's certificate each time.
      server_(support.api->accept(names_of(terms_), terms_.policy == UpstreamPolicy::kNever)) {}

void SecureChannel::from_program(std::string_view bytes) {
  if (failed_) return;
  server_->receive(bytes, plain_);
  heard_ = heard_ || !plain_.empty();
  go_on();
  if (failed_) return;
  if (inner_ && !plain_.empty()) {
    std::string plain = std::exchange(plain_, {});
    inner_->from_program(plain);
  }
  if (server_->state() == State::kClosed) program_finished();
}

void SecureChannel::program_finished() {
  if (std::exchange(program_closed_, true) || failed_) return;
  if (!failed_ && !heard_ && !leaf_.empty()) program_lost_interest();
  if (inner_) {
    inner_->program_finished();
  } else {
    failed_ = true;  // it went away during the handshake
  }
}

void SecureChannel::program_gone(bool closed) {
  if (inner_) inner_->program_gone(closed);
}

void SecureChannel::program_exits() {
  if (inner_) inner_->program_exits();
  if (!failed_ && !heard_ && !leaf_.empty()) program_lost_interest();
}

void SecureChannel::from_upstream(std::string_view bytes) {
  if (failed_ || !client_) return;
  State state = client_->receive(bytes, early_);
  if (state == State::kFailed) {
    if (inner_ && trusted_) {
      tell("the server broke TLS off (" + client_->problem() + ")");
      inner_->upstream_failed(ECONNRESET, /*told=*/true);
    } else {
      fail("the server's handshake failed (" + client_->problem() + ")");
    }
    return;
  }
  if (state != State::kHandshaking) check_server();
  go_on();
  if (failed_) return;
  if (inner_ && !early_.empty()) {
    std::string plain = std::exchange(early_, {});
    inner_->from_upstream(plain);
  }
  if (state == State::kClosed) upstream_finished();
}

void SecureChannel::upstream_finished() {
  if (failed_) return;
  if (inner_) {
    inner_->upstream_finished();
  } else if (client_ && client_->state() == State::kHandshaking) {
    fail("the server closed the connection during the handshake");
  } else {
    server_->close();
    idle_closed_ = true;
  }
}

void SecureChannel::upstream_failed(int error) {
  if (inner_) {
    inner_->upstream_failed(error);
  } else {
    reset_error_ = error;
    failed_ = true;
  }
}

void SecureChannel::deadline_passed() {
  if (inner_) return inner_->deadline_passed();
  hurried_ = true;
  go_on();
  if (!inner_ || early_.empty()) return;
  std::string plain = std::exchange(early_, {});
  inner_->from_upstream(plain);
}

std::int64_t SecureChannel::patience() const {
  if (inner_) return inner_->patience();
  return early_.empty() || hurried_ ? 0 : kVerdictPatience;
}

/// From one step of the handshake to the next.
void SecureChannel::go_on() {
  if (failed_) return;
  if (server_->wants_certificate()) {
    if (terms_.policy == UpstreamPolicy::kAtConnect && !client_) reach_server();
    if (!client_ || client_->state() == State::kOpen || client_->state() == State::kClosed)
      present();
  }
  if (server_->state() == State::kFailed)
    return inner_ ? fail(server_->problem()) : program_turned_us_down();
  if (inner_ || server_->state() == State::kHandshaking) return;
  // GnuTLS's programs check certificates behind the handshake: what they send says that they have. Where
  // the server speaks first there is nothing but to wait a little.
  const bool heard = !plain_.empty() || hurried_ || (!early_.empty() && is_trusted());
  if (client_ && !heard && server_->state() == State::kOpen) return;
  // The program has accepted our certificate; and the server's, where it could be asked.
  if (client_ && !is_trusted()) return fail(distrusted());
  trusted_ = client_ != nullptr;
  Conversation::Terms terms = terms_;
  terms.scheme = "https";
  terms.host = name();
  terms.within_tls = true;
  inner_ = std::make_unique<Conversation>(deck_, std::move(terms));
}

void SecureChannel::present() {
  std::string tag;
  ServerNames names = server_->server_names();
  if (client_) {
    const std::string& certificate = client_->chain().empty() ? tag : client_->chain().front();
    XXH128_hash_t hash = XXH3_128bits(certificate.data(), certificate.size());
    tag.assign(reinterpret_cast<const char*>(&hash), sizeof hash);
    // What the real one is not called is not in ours, so that the program's check is worth something.
    if (!client_->matching_names().empty()) names = client_->matching_names();
  }
  leaf_ = server_->present(names, tag);
  Judgements::Server server{.name = names.front(), .chain = {}};
  // A server that is not checked is not shown to the program's check either.
  if (client_ && !support_.insecure.contains(name(), terms_.port)) {
    server.chain = client_->chain();
    server.is_for_name = !client_->matching_names().empty();
  }
  server.may_be_asked = !client_ && terms_.policy == UpstreamPolicy::kOnDemand;
  support_.judgements->present(leaf_, std::move(server));
  support_.bring_trust();
  server_->receive({}, plain_);
}

void SecureChannel::reach_server() {
  client_ = support_.api->connect(server_->server_names(), support_.trust->anchors());
}

/// A server that is only reached now, on demand, behind a handshake that needed none.
void SecureChannel::check_server() {
  if (std::exchange(checked_, true) || !inner_ || trusted_) return;
  trusted_ = is_trusted();
  if (!trusted_) fail(distrusted());
}

/// By the program's own store, or by the files that the user or the system names. A program that distrusts
/// the server and goes on all the same checks nothing: then it is the files that count.
bool SecureChannel::is_trusted() const {
  if (support_.insecure.contains(name(), terms_.port)) return true;
  if (client_->matching_names().empty()) return false;
  return client_->distrust().empty() ||
         support_.judgements->verdict(leaf_) == Judgements::Verdict::kTrusted ||
         support_.judgements->judge_late(leaf_, client_->chain());
}

std::string SecureChannel::distrusted() const {
  return "the server's certificate is not trusted (" + client_->distrust() +
         "); CASSETTE_TLS_CA_FILE names further authorities, CASSETTE_TLS_INSECURE_HOSTS hosts that are not "
         "checked";
}

void SecureChannel::program_turned_us_down() {
  const std::string program = program_invocation_short_name;
  constexpr char kLetThrough[] = "ignore-hosts lets the host through, unrecorded";
  if (server_->refusal() == TlsServerStream::Refusal::kNoHttp1) {
    fail(program + " offers no HTTP/1.1 within TLS, and HTTP/2 is not handled; " + kLetThrough);
  } else if (support_.judgements->verdict(leaf_) == Judgements::Verdict::kDistrusted) {
    fail(program + " does not trust the server's certificate: not recorded");
  } else if (server_->refusal() == TlsServerStream::Refusal::kCertificate) {
    fail(program + " does not accept the session's certificate (" + server_->problem() +
         "): set SSL_CERT_FILE to the file of certificates that it reads; " + kLetThrough);
  } else {
    fail("the TLS handshake with " + program + " failed: " + server_->problem());
  }
}

/// Some close without a word when they do not like the certificate (Node), others just changed their mind.
void SecureChannel::program_lost_interest() {
  const Judgements::Verdict verdict = support_.judgements->verdict(leaf_);
  const std::string program = program_invocation_short_name;
  if (verdict == Judgements::Verdict::kDistrusted) {
    tell(program + " does not trust the server's certificate: not recorded");
  } else if (!support_.judgements->accepted(leaf_)) {
    tell(program +
         " closed the TLS connection before it asked for anything; if it did so for the session's "
         "certificate, set SSL_CERT_FILE to the file of certificates that it reads");
  }
}

void SecureChannel::fail(const std::string& problem) {
  tell(problem);
  server_->fail(problem);
  failed_ = true;
  if (inner_) inner_->upstream_failed(ECONNRESET, /*told=*/true);
}

void SecureChannel::tell(const std::string& message) const {
  const std::string line = place() + ": " + message;
  if (support_.told->first(line)) log(LogLevel::kError, line);
}

/// After an alert comes the end of the stream.
int SecureChannel::reset_error() const {
  if (failed_) return reset_error_;
  return inner_ && inner_->to_program().empty() ? inner_->reset_error() : 0;
}

void SecureChannel::pump(Output& to_program, Output& to_upstream, Output::Time now) {
  std::string bytes;
  if (inner_) {
    if (inner_->needs_upstream() && !client_) reach_server();
    if (client_ && trusted_) {
      Output& plain = inner_->to_upstream();
      for (auto front = plain.front(now); !front.empty(); front = plain.front(now)) {
        client_->send(front);
        plain.consume(front.size());
      }
      if (inner_->ends_upstream() && client_->state() != State::kHandshaking) {
        client_->close();
        upstream_closed_ = true;
      }
    }
    Output& plain = inner_->to_program();
    for (auto front = plain.front(now); !front.empty(); front = plain.front(now)) {
      server_->send(front);
      plain.consume(front.size());
    }
    if (inner_->ends_program() && plain.empty()) server_->close();
  }
  server_->take_output(bytes);
  to_program.add_copy(bytes);
  bytes.clear();
  if (client_) client_->take_output(bytes);
  to_upstream.add_copy(bytes);
}

bool SecureChannel::answers_inline() const {
  if (failed_) return false;
  if (!inner_) return !client_;  // a replay's handshake needs nobody
  return inner_->answers_inline();
}

std::string SecureChannel::place() const {
  return printable(name()) + ":" + std::to_string(terms_.port);
}

}  // namespace cassette
