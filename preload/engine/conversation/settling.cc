// What a conversation turns out to be (conversation.h), and what that means in the session's mode: HTTP/1 is read, TLS is
// taken apart where HTTP/1 may be within, the rest goes to the real server as it is, or nowhere.
#include <cerrno>
#include <string>
#include <utility>

#include "parser/client_hello.h"
#include "preload/engine/conversation/conversation.h"
#include "preload/engine/conversation/secure_channel.h"
#include "store/formats/text.h"

namespace cassette {

bool Conversation::settle_protocol(bool complete) {
  const bool may_forward = this->may_forward();
  Protocol protocol = sniff(input_, complete);
  switch (protocol) {
    case Protocol::kUnknown:
      return false;
    case Protocol::kHttp1:
      phase_ = Phase::kHttp;
      break;
    case Protocol::kHttp2:
      if (may_forward) {
        relay("HTTP/2 is not recorded by this version");
      } else {
        refuse_protocol("HTTP/2", "HTTP/2 is not replayed by this version");
      }
      break;
    case Protocol::kNearlyHttp:
      if (may_forward) {
        relay("the first line is no request line of HTTP/1");
      } else {
        miss_first_line();
      }
      break;
    case Protocol::kTls:
      return settle_tls(complete);
    case Protocol::kSocks:
      // Never let out where only recordings are played: there is HTTP behind it, mostly.
      if (may_forward) {
        relay("this is SOCKS, and an HTTP proxy alone is looked into");
      } else {
        refuse("this is SOCKS, which is not replayed");
      }
      break;
    case Protocol::kOther:
      settle_other("this is not HTTP");
      break;
  }
  return true;
}

/// What could not have been recorded. `what`: it is.
void Conversation::settle_other(const std::string& what) {
  if (terms_.may_relay) {
    relay(what);
  } else {
    refuse(what + ", and mode none lets nothing out");
  }
}

/// What is within, as far as the program says it before anybody has answered. False: too little of it is there.
bool Conversation::settle_tls(bool complete) {
  using State = ClientHelloReader::State;
  if (hello_ == nullptr) hello_ = std::make_unique<ClientHelloReader>();
  const State state = hello_->feed(std::string_view(input_).substr(hello_read_));
  hello_read_ = input_.size();
  if (state == State::kIncomplete && !complete) return false;
  if (state == State::kIncomplete && program_finished_ && !may_forward()) {
    end();  // it went away, and asked for nothing
  } else if (state != State::kComplete) {
    settle_other("this is neither HTTP nor a whole ClientHello");
  } else {
    settle_hello(hello_->hello());
  }
  hello_.reset();
  return true;
}

/// RFC 7301: the server chooses one of the protocols that the client names. Without a name anything may come.
void Conversation::settle_hello(const ClientHello& hello) {
  const auto passes = [this](const std::string& name) {
    return terms_.passes_tls != nullptr && !name.empty() && terms_.passes_tls(name, terms_.port);
  };
  if (passes(terms_.host) || passes(terms_.address) || passes(hello.server_name)) {
    return settle_other("its TLS is passed through (tls-passthrough)");
  }
  // Both ends know a password, and we do not.
  if (hello.password) return settle_other("the TLS is proved by a password (SRP)");
  constexpr std::string_view kHttp2 = "h2";
  const bool speaks_http1 =
      hello.protocols.empty() || hello.offers("http/1.1") || hello.offers("http/1.0");
  if (!speaks_http1 && !hello.offers(kHttp2)) {
    settle_other("the TLS is for another protocol (ALPN " + for_message(hello.protocols.front()) +
                 ")");
  } else if (!speaks_http1 && may_forward()) {
    relay("HTTP/2 within TLS is not recorded by this version");
  } else if (terms_.within_tls && may_forward()) {
    relay("TLS within TLS is not recorded");
  } else {
    take_tls_apart(hello);
  }
}

void Conversation::take_tls_apart(const ClientHello& hello) {
  const TlsSupport* support = terms_.tls != nullptr && !terms_.within_tls ? &terms_.tls() : nullptr;
  if (support != nullptr && support->api != nullptr) {
    phase_ = Phase::kChannel;
    channel_ = std::make_unique<SecureChannel>(deck_, terms_, *support, hello);
    return;
  }
  // Never let out: what is inside could have been recorded or replayed.
  refuse_protocol("TLS",
                  support != nullptr ? support->problem.c_str() : "TLS within TLS is not handled");
}

/// A miss of what the request parser would refuse, or wait for the rest of.
void Conversation::miss_first_line() {
  const RequestMessage line = request_of_line(input_);
  const RequestView request{line.method, request_uri(line, origin()), &line.headers, {}};
  begin_request();
  answer_miss(request, {Decision::Kind::kMiss, MissReason::kBadRequest, 0},
              "the first line is no request line of HTTP/1");
  end();
}

/// A miss without a request.
void Conversation::refuse_protocol(const char* method, const char* what) {
  RequestView request;
  request.method = method;
  request.uri.scheme = "https";
  request.uri.host = terms_.host;
  request.uri.port = terms_.port;
  request.uri.path = "/";
  Headers none;
  request.headers = &none;
  Decision decision{Decision::Kind::kMiss, MissReason::kUnsupported, 0};
  begin_request();
  player_->miss(request, decision, what);
  note(request, HistoryOutcome::kMissed, decision, 0);
  reset_error_ = ECONNREFUSED;
  end();
}

}  // namespace cassette
