// What a program is shown of a TLS server (secure_channel.h), what it made of that, and what is kept of it. Must not move bytes.
#include <errno.h>

#include <utility>

#include "preload/engine/conversation/secure_channel.h"

namespace cassette {

using Verdict = Judgements::Verdict;

// --- what the program gets to see ------------------------------------------------------------------

void SecureChannel::show_server() {
  ServerFace face;
  face.names = names_;
  face.version = client_->version();
  face.takes_protocol = client_->takes_protocol();
  face.asks_for_certificate = client_->wants_certificate();
  face.authorities = client_->authorities();
  face.status = client_->status();
  face.has_status = !face.status.empty();
  face.exchange = client_->exchange();
  Judgements::Server server;
  if (!is_insecure()) {
    verdict_ = judge(client_->chain(), 0);
    shown_ = client_->chain();
    face.chain = verdict_.is_anchored ? verdict_.path : shown_;
    face.is_trusted = verdict_.is_anchored;
    server.chain = shown_;
  }
  show(face, std::move(server));
}

void SecureChannel::show_recorded() {
  constexpr std::int64_t kMicroseconds = 1'000'000;
  ServerFace face;
  face.names = names_;
  Judgements::Server server;
  server.may_be_asked = terms_.policy != UpstreamPolicy::kNever;
  // Whether the real one stapled anything nobody knows: a program that insists had it while recording.
  face.has_status = true;
  const RecordedCertificate recorded = deck_.current()->certificate_of(name(), terms_.port);
  const ServerCertificate& certificate = recorded.certificate;
  if (!certificate.chain.empty() && !is_insecure()) {
    shown_ = certificate.chain;
    face.recorded_at = recorded.recorded_at / kMicroseconds;
    const ChainVerdict verdict = judge(shown_, face.recorded_at);
    face.is_trusted = certificate.trusted || verdict.is_anchored;
    face.chain = verdict.is_anchored   ? verdict.path
                 : certificate.trusted ? std::vector<std::string>{shown_.front()}
                                       : shown_;
    // One that some program did not trust is judged by each.
    if (!certificate.trusted) server.chain = shown_;
    // Nor does it trust whoever would sign what is stapled, and a program that looks at that would be told so.
    face.has_status = certificate.trusted;
    server.recorded_at = face.recorded_at;
  }
  show(face, std::move(server));
}

void SecureChannel::show(ServerFace face, Judgements::Server server) {
  raw_.clear();
  support_.bring_trust();
  if (!face.chain.empty() && support_.judgements->asks_nss()) {
    // It judges the real chain, and takes no two certificates for one that have an issuer and a number in common.
    face.chain.resize(1);
    face.is_trusted = true;
    face.has_own_number = true;
  }
  leaf_ = server_->present(face);
  if (!server.chain.empty()) server.status_signer = server_->status_signer();
  support_.judgements->present(leaf_, std::move(server));
  server_->receive({}, plain_);
}

// --- a server that is only reached behind the handshake ---------------------------------------------

/// One that is only reached now, on demand, behind a handshake that needed none.
void SecureChannel::server_opened() {
  if (!inner_ || may_send_) return;
  verdict_ = judge(client_->chain(), 0);
  may_send_ = is_as_good_as_shown();
  if (may_send_) return note_server();
  const std::string problem =
      "the server's certificate is not trusted (" + verdict_.problem +
      "); CASSETTE_TLS_CA_FILE names further authorities, CASSETTE_TLS_INSECURE_HOSTS hosts that are not "
      "checked";
  if (!inner_->awaits_greeting()) return fail(problem);
  // The program may speak HTTP yet, and be answered without that server.
  tell(LogLevel::kWarn, problem);
  inner_->upstream_failed(ECONNABORTED, /*told=*/true);
}

bool SecureChannel::is_as_good_as_shown() const {
  const std::vector<std::string>& chain = client_->chain();
  if (is_insecure() || support_.judgements->accepts_all(leaf_)) return true;
  if (!chain.empty() && !shown_.empty() && chain.front() == shown_.front()) return true;
  return verdict_.is_in_time && !verdict_.names.empty() && is_trusted();
}

// --- what the program made of it -------------------------------------------------------------------

ChainVerdict SecureChannel::judge(const std::vector<std::string>& chain, std::int64_t at) const {
  return support_.api->judge(chain, names_, support_.trust->anchors(), at);
}

/// By the program's own store, or by the files that it was seen to read.
bool SecureChannel::is_trusted() const {
  if (shown_ != client_->chain())
    return verdict_.is_trusted || support_.judgements->judge_late(leaf_, client_->chain());
  const Verdict asked = support_.judgements->verdict(leaf_);
  return asked == Verdict::kUnknown ? verdict_.is_trusted : asked == Verdict::kTrusted;
}

/// What a replay has to show: a server that this program, or another one, would not have taken for an ordinary one.
void SecureChannel::note_server() {
  if (!client_ || client_->chain().empty() || is_insecure() || std::exchange(noted_, true)) return;
  ServerCertificate certificate;
  certificate.trusted = is_trusted();
  const bool is_ordinary = certificate.trusted && verdict_.is_in_time && !verdict_.names.empty();
  if (!is_ordinary) certificate.chain = client_->chain();  // none takes away what was recorded once
  deck_.current()->record_certificate(name(), terms_.port, std::move(certificate));
}

void SecureChannel::program_turned_us_down() {
  note_server();
  failed_ = true;
  const std::string program = program_invocation_short_name;
  const Verdict verdict = support_.judgements->verdict(leaf_);
  if (server_->refusal() == TlsServerStream::Refusal::kNoHttp1) {
    tell(LogLevel::kError, program +
                               " offers no HTTP/1.1 within TLS, and HTTP/2 is not handled; "
                               "ignore-hosts lets the host through, unrecorded");
  } else if (verdict == Verdict::kDistrusted || refuses_what_was_recorded()) {
    tell(LogLevel::kInfo, program + " refuses the server's certificate");
  } else if (server_->refusal() != TlsServerStream::Refusal::kCertificate) {
    tell(LogLevel::kWarn, "the TLS handshake with " + program + " failed: " + server_->problem());
  } else if (client_ && !verdict_.is_ordinary()) {
    tell(LogLevel::kWarn,
         program + " refuses the server's certificate (" + verdict_.problem +
             "); if it is to trust that by a file of its own, SSL_CERT_FILE names the file");
  } else {
    tell(
        LogLevel::kError,
        program + " does not accept the session's certificate (" + server_->problem() +
            "): set SSL_CERT_FILE to the file of certificates that it reads; where it has pinned the "
            "server's, tls-passthrough lets the host through, unrecorded");
  }
}

/// Some close without a word when they do not like the certificate (Node), some have pinned another one, others just
/// changed their mind.
void SecureChannel::program_lost_interest() {
  note_server();
  if (support_.judgements->verdict(leaf_) == Verdict::kDistrusted || refuses_what_was_recorded())
    return;
  const std::string closed = std::string(program_invocation_short_name) +
                             " closed the TLS connection before it asked for anything; if ";
  constexpr char kPinned[] =
      "it has pinned the server's certificate, tls-passthrough lets the host through, unrecorded";
  if (support_.judgements->accepted(leaf_)) {
    // Who compares names and dates by himself has seen that they are wrong.
    const bool fits = !client_ || (verdict_.is_in_time && !verdict_.names.empty());
    if (fits) tell(LogLevel::kWarn, closed + kPinned);
  } else if (client_ && !verdict_.is_ordinary()) {
    tell(LogLevel::kWarn,
         closed + "it did so for the server's certificate (" + verdict_.problem +
             ") and is to trust that by a file of its own, SSL_CERT_FILE names the file");
  } else {
    tell(
        LogLevel::kError,
        closed +
            "it did so for the session's certificate, set SSL_CERT_FILE to the file of certificates that it "
            "reads; if " +
            kPinned);
  }
}

/// The program's own cannot be passed on: its key signs what was said on its connection, which is another one.
void SecureChannel::tell_of_certificate() const {
  if (has_identity_ || !client_ || !client_->wants_certificate()) return;
  tell(
      LogLevel::kError,
      "the server asks for a certificate, and the program's own cannot be passed on: tls-client-cert and "
      "tls-client-key name one to show it");
}

}  // namespace cassette
