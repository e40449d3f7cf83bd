// See secure_channel.h. Must not know a descriptor.
#include "preload/engine/secure_channel.h"

#include <errno.h>

#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/log.h"

namespace cassette {

using State = TlsStream::State;

SecureChannel::SecureChannel(Deck& deck, Conversation::Terms terms, const TlsSupport& support)
    : deck_(deck),
      terms_(std::move(terms)),
      support_(support),
      server_(support.api->accept(terms_.host)) {}

void SecureChannel::from_program(std::string_view bytes) {
  if (failed_) return;
  State state = server_->receive(bytes, plain_);
  go_on();
  if (failed_) return;
  if (state == State::kFailed || server_->state() == State::kFailed) {
    inner_ ? fail(server_->problem()) : program_turned_us_down();
    return;
  }
  if (inner_ && !plain_.empty()) {
    std::string plain = std::exchange(plain_, {});
    inner_->from_program(plain);
  }
  if (server_->state() == State::kClosed) program_finished();
}

void SecureChannel::program_finished() {
  if (std::exchange(program_closed_, true) || failed_) return;
  if (inner_) {
    inner_->program_finished();
  } else {
    failed_ = true;  // it went away during the handshake
  }
}

void SecureChannel::from_upstream(std::string_view bytes) {
  if (failed_ || !client_) return;
  std::string plain;
  State state = client_->receive(bytes, plain);
  if (state == State::kFailed) {
    if (inner_ && trusted_) {
      inner_->upstream_failed(ECONNRESET);
    } else {
      fail("the server's handshake failed (" + client_->problem() + ")");
    }
    return;
  }
  if (state != State::kHandshaking) check_server();
  go_on();
  if (inner_ && !plain.empty()) inner_->from_upstream(plain);
  if (inner_ && client_->state() == State::kClosed) inner_->upstream_finished();
}

void SecureChannel::upstream_finished() {
  if (failed_) return;
  if (!inner_) {
    fail("the server closed the connection during the handshake");
  } else {
    inner_->upstream_finished();
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

/// From one step of the handshake to the next.
void SecureChannel::go_on() {
  if (failed_) return;
  if (server_->wants_certificate() && !presented_) {
    if (terms_.policy == UpstreamPolicy::kAtConnect && !client_) reach_server();
    if (!client_ || client_->state() == State::kOpen || client_->state() == State::kClosed)
      present();
  }
  if (inner_ || server_->state() == State::kHandshaking || server_->state() == State::kFailed)
    return;
  // GnuTLS's programs check certificates behind the handshake: what they send says that they have.
  if (client_ && plain_.empty() && server_->state() == State::kOpen) return;
  // The program has accepted our certificate; and the server's, where it could be asked.
  if (client_ && !is_trusted()) {
    fail(
        "the server's certificate is not trusted (" + client_->distrust() +
        "); CASSETTE_TLS_CA_FILE names further authorities, CASSETTE_TLS_INSECURE_HOSTS hosts that are not "
        "checked");
    return;
  }
  trusted_ = client_ != nullptr;
  Conversation::Terms terms = terms_;
  terms.scheme = "https";
  terms.host = server_->server_name();
  terms.tls = nullptr;
  inner_ = std::make_unique<Conversation>(deck_, std::move(terms));
}

void SecureChannel::present() {
  presented_ = true;
  std::string tag;
  if (client_ && !client_->chain().empty()) {
    const std::string& certificate = client_->chain().front();
    XXH128_hash_t hash = XXH3_128bits(certificate.data(), certificate.size());
    tag.assign(reinterpret_cast<const char*>(&hash), sizeof hash);
  }
  leaf_ = server_->present(tag);
  support_.judgements->present(
      leaf_, {server_->server_name(), client_ ? client_->chain() : std::vector<std::string>(),
              !client_ || client_->is_for_name()});
  support_.bring_trust();
  server_->receive({}, plain_);
}

void SecureChannel::reach_server() {
  client_ = support_.api->connect(server_->server_name(), support_.trusted);
}

/// A server that is only reached now, on demand, behind a handshake that needed none.
void SecureChannel::check_server() {
  if (std::exchange(checked_, true) || !inner_ || trusted_) return;
  trusted_ = is_trusted();
  if (!trusted_) fail("the server's certificate is not trusted (" + client_->distrust() + ")");
}

/// By the program's own store, or by the files that the user or the system names. A program that distrusts
/// the server and goes on all the same checks nothing: then it is the files that count.
bool SecureChannel::is_trusted() const {
  if (support_.insecure.contains(server_->server_name(), terms_.port)) return true;
  if (!client_->is_for_name()) return false;
  return client_->distrust().empty() ||
         support_.judgements->verdict(leaf_) == Judgements::Verdict::kTrusted;
}

void SecureChannel::program_turned_us_down() {
  if (support_.judgements->verdict(leaf_) == Judgements::Verdict::kDistrusted) {
    fail("the program does not trust the server's certificate: not recorded");
    return;
  }
  fail(
      "the program's TLS handshake failed (" + server_->problem() +
      "): it does not trust the session's authority, which nothing could bring to it; ignore-hosts lets "
      "this host through unrecorded");
}

void SecureChannel::fail(const std::string& problem) {
  log(LogLevel::kError, place() + ": " + problem);
  server_->fail(problem);
  failed_ = true;
  if (inner_) inner_->upstream_failed(ECONNRESET);
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
      if (inner_->ends_upstream()) client_->close();
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
  return server_->server_name() + ":" + std::to_string(terms_.port);
}

}  // namespace cassette
