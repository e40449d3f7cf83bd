// See secure_channel.h. Must not know a descriptor.
#include "preload/engine/conversation/secure_channel.h"

#include <errno.h>

#include <utility>

namespace cassette {

using State = TlsStream::State;

namespace {

/// Of a handshake; what is longer is none.
constexpr std::size_t kLongestFlight = 256 * 1024;

/// Names come from the program and the network; terminals are not to be steered.
std::string printable(std::string_view name) {
  std::string text;
  for (char c : name) text += c > ' ' && c < 0x7f ? c : '?';
  return text;
}

/// Whom a program wants: it says so, or means the name that it resolved, or the address. Nobody asks us for the address of
/// localhost.
ServerNames names_of(const ClientHello& hello, const Conversation::Terms& terms) {
  if (!hello.server_name.empty()) return {hello.server_name};
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
      names_(names_of(hello, terms_)),
      // A recording looks at the server's certificate each time.
      server_(support.api->accept(hello,
                                  /*waits=*/terms_.policy == UpstreamPolicy::kAtConnect,
                                  /*resumes=*/terms_.policy == UpstreamPolicy::kNever)) {}

void SecureChannel::from_program(std::string_view bytes) {
  if (failed_ || passed_unreadable_ || waits_for_break(bytes)) return;
  if (relays() && server_->state() == State::kClosed) {
    rest_of_program_.append(bytes);
    return;
  }
  server_->receive(bytes, plain_);
  heard_ = heard_ || !plain_.empty();
  go_on();
  pass_plain();
  // What is relayed is not replayed.
  if (heard_ && inner_ && inner_->settled() && !relays()) note_server();
  if (broken_ && inner_ && broken_->alert != 0) end_broken();
  if (failed_ || server_->state() != State::kClosed) return;
  program_closes();
  if (relays()) server_->take_rest(rest_of_program_);
}

void SecureChannel::program_finished() {
  program_ended_ = true;
  if (!relays()) program_closes();
}

void SecureChannel::program_closes() {
  if (std::exchange(program_closed_, true) || failed_) return;
  if (!heard_ && !relays() && !leaf_.empty()) program_lost_interest();
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
  if (!failed_ && !heard_ && !relays() && !leaf_.empty()) program_lost_interest();
}

void SecureChannel::from_upstream(std::string_view bytes) {
  if (passes_failure_) raw_.append(bytes);
  if (failed_ || !client_) return;
  if (relays() && client_->state() == State::kClosed) {
    rest_of_upstream_.append(bytes);
    return;
  }
  const bool opens = client_->state() == State::kHandshaking;
  if (opens && !inner_ && raw_.size() < kLongestFlight) raw_.append(bytes);
  const State state = client_->receive(bytes, early_);
  if (state == State::kFailed) {
    if (!broken_) server_failed(bytes);
    return;
  }
  if (opens && state != State::kHandshaking) server_opened();
  go_on();
  pass_plain();
  if (failed_ || state != State::kClosed) return;
  upstream_closes();
  if (relays()) client_->take_rest(rest_of_upstream_);
}

void SecureChannel::upstream_finished() {
  if (leaves_upstream_alone()) {
    unused_ended_ = true;
    return;
  }
  passes_failure_ = false;
  upstream_ended_ = true;
  if (!relays() && !broken_) upstream_closes();
}

/// What either side has said while the program's handshake was not over.
void SecureChannel::pass_plain() {
  if (failed_ || !inner_) return;
  if (!plain_.empty()) inner_->from_program(std::exchange(plain_, {}));
  if (!early_.empty()) inner_->from_upstream(std::exchange(early_, {}));
  if (!std::exchange(closes_early_, false)) return;
  const bool is_cut = relays() && client_->state() != State::kClosed;
  if (!is_cut) upstream_closes();
}

void SecureChannel::upstream_closes() {
  if (failed_) return;
  if (inner_) {
    inner_->upstream_finished();
  } else if (client_ && client_->state() == State::kHandshaking) {
    tell(LogLevel::kWarn, "the server closed the connection during the TLS handshake");
    break_off({});
  } else {
    closes_early_ = true;
  }
}

void SecureChannel::upstream_failed(int error) {
  if (leaves_upstream_alone()) {
    unused_ended_ = true;
    return;
  }
  passes_failure_ = false;
  if (failed_ || broken_) return;
  if (inner_) {
    inner_->upstream_failed(error);
  } else {
    break_off({.alert = 0, .error = error});
  }
}

/// From one step of the handshake to the next.
void SecureChannel::go_on() {
  if (failed_) return;
  if (server_->wants_certificate()) {
    if (terms_.policy == UpstreamPolicy::kAtConnect && !client_) reach_server();
    if (!client_) {
      show_recorded();
    } else if (client_->state() != State::kHandshaking || broken_) {
      show_server();
    }
  }
  if (server_->state() == State::kFailed)
    return inner_ ? fail(server_->problem()) : program_turned_us_down();
  if (inner_ || server_->state() == State::kHandshaking) return;
  if (server_->got_certificate()) tell_of_certificate();
  // It was shown what the real server is like: if it says anything, it says that to the real one.
  may_send_ = client_ != nullptr;
  Conversation::Terms terms = terms_;
  terms.scheme = "https";
  terms.host = name();
  terms.within_tls = true;
  inner_ = std::make_unique<Conversation>(deck_, std::move(terms));
  if (broken_) end_broken();
}

// --- the real server -------------------------------------------------------------------------------

void SecureChannel::reach_server() {
  ClientIdentity identity;
  if (support_.identity != nullptr) identity = support_.identity(name(), terms_.port);
  has_identity_ = !identity.certificate.empty();
  client_ = support_.api->connect(hello_, identity);
}

void SecureChannel::server_failed(std::string_view last) {
  tell(LogLevel::kWarn,
       (inner_ ? "the server broke TLS off (" : "the TLS handshake with the server failed (") +
           client_->problem() + ")");
  tell_of_certificate();
  const int alert = client_->alert();
  // What we cannot read the program cannot either, and it says so in its own words.
  if (inner_ && alert == 0) unreadable_ = last;
  break_off({.alert = alert, .error = inner_ && alert == 0 ? ECONNRESET : 0});
}

/// The program hears of it when it has got as far as it would have got with that server.
void SecureChannel::break_off(const Break& how) {
  broken_ = how;
  if (inner_) return end_broken();
  if (client_ && !client_->chain().empty()) return go_on();
  // Before the server chose anything, what it sends means the same to the program, byte for byte.
  constexpr char kHandshake = 0x16;  // a record with a ServerHello, RFC 8446 section 5.1
  passes_failure_ = client_ && client_->state() == State::kFailed;
  if (!raw_.empty() && raw_.front() == kHandshake) {
    raw_.clear();
    passes_failure_ = false;
  }
  reset_error_ = how.error;
  failed_ = true;
}

/// Until TLS 1.2 the server has its last word after the program's, whose handshake is not over until then.
bool SecureChannel::waits_for_break(std::string_view bytes) {
  constexpr int kTls12 = 0x0303;
  if (!broken_ || inner_ || leaf_.empty() || client_->version() > kTls12) return false;
  constexpr std::size_t kHeader = 5;  // kind, version, size: RFC 5246 section 6.2.1
  constexpr char kChangeCipherSpec = 0x14;
  flight_.append(bytes);
  bool changed = false;
  std::size_t at = 0;
  while (flight_.size() - at >= kHeader) {
    const std::size_t size = kHeader + (static_cast<unsigned char>(flight_[at + 3]) << 8 |
                                        static_cast<unsigned char>(flight_[at + 4]));
    if (flight_.size() - at < size) break;
    if (changed) {  // that was its Finished
      end_broken();
      break;
    }
    changed = flight_[at] == kChangeCipherSpec;
    at += size;
  }
  if (flight_.size() > kLongestFlight) end_broken();
  return true;
}

void SecureChannel::end_broken() {
  if (!inner_) {
    if (broken_->alert != 0) server_->alert(broken_->alert);
    reset_error_ = broken_->error;
    failed_ = true;
  } else if (broken_->error != 0) {
    inner_->upstream_failed(broken_->error, /*told=*/client_->state() == State::kFailed);
  } else if (broken_->alert == 0) {
    inner_->upstream_finished();
  } else if (inner_->exchanging() || inner_->relays()) {
    inner_->upstream_failed(ECONNRESET, /*told=*/true);
  }  // else it hears the alert (pump()), and may still ask for something
}

// --- ends ------------------------------------------------------------------------------------------

void SecureChannel::fail(const std::string& problem) {
  tell(LogLevel::kError, problem);
  server_->fail(problem);
  failed_ = true;
  if (inner_) inner_->upstream_failed(ECONNRESET, /*told=*/true);
}

void SecureChannel::tell(LogLevel level, const std::string& message) const {
  const std::string line = place() + ": " + message;
  if (support_.told->first(line)) log(level, line);
}

bool SecureChannel::ends_program() const {
  if (failed_) return !passes_failure_;
  if (!inner_ || !inner_->to_program().empty()) return false;
  return relays() ? upstream_ended_ && rest_of_upstream_.empty() : inner_->ends_program();
}

bool SecureChannel::ends_upstream() const {
  if (failed_) return true;
  if (!inner_) return false;
  if (relays()) return program_ended_ && rest_of_program_.empty() && !inner_->needs_upstream();
  return inner_->ends_upstream() && (!client_ || upstream_closed_);
}

/// What was said to it is of TLS alone.
bool SecureChannel::lets_upstream_go() {
  if (leaves_upstream_alone()) {
    const bool is_http = inner_ && inner_->settled() && !relays() && !inner_->needs_upstream();
    return std::exchange(unused_ended_, false) || (is_http && !std::exchange(unused_let_go_, true));
  }
  if (!inner_ || !inner_->lets_upstream_go()) return false;
  client_.reset();
  unused_let_go_ = true;
  may_send_ = upstream_closed_ = false;
  return true;
}

/// After an alert comes the end of the stream.
int SecureChannel::reset_error() const {
  if (failed_) return reset_error_;
  if (broken_ && broken_->alert != 0) return 0;
  return inner_ && inner_->to_program().empty() ? inner_->reset_error() : 0;
}

void SecureChannel::pump(Output& to_program, Output& to_upstream, Output::Time now) {
  std::string bytes;
  if (inner_) {
    if (inner_->needs_upstream() && !client_) reach_server();
    if (client_ && may_send_) {
      Output& plain = inner_->to_upstream();
      for (auto front = plain.front(now); !front.empty(); front = plain.front(now)) {
        client_->send(front);
        plain.consume(front.size());
      }
      // A server that has closed answers our word for that with a reset, and it is the program's to have it.
      const bool has_closed = upstream_ended_ || client_->state() == State::kClosed;
      if (inner_->ends_upstream() && client_->state() != State::kHandshaking &&
          (!has_closed || program_closed_)) {
        client_->close();
        upstream_closed_ = true;
      }
    }
    Output& plain = inner_->to_program();
    for (auto front = plain.front(now); !front.empty(); front = plain.front(now)) {
      server_->send(front);
      plain.consume(front.size());
    }
    if (broken_ && broken_->alert != 0) {
      if (!std::exchange(alerted_, true)) server_->alert(broken_->alert);
    } else if (inner_->ends_program() && plain.empty() && unreadable_.empty()) {
      server_->close();
    }
  }
  if (failed_) bytes.swap(raw_);
  server_->take_output(bytes);
  if (inner_ && inner_->ends_program() && !unreadable_.empty()) {
    bytes.append(std::exchange(unreadable_, {}));
    passed_unreadable_ = true;
  }
  if (relays() && inner_->ends_program()) bytes.append(std::exchange(rest_of_upstream_, {}));
  to_program.add_copy(bytes);
  bytes.clear();
  if (client_) client_->take_output(bytes);
  if (upstream_closed_) bytes.append(std::exchange(rest_of_program_, {}));
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
