// A TLS connection without a socket: a program and a real server that are OpenSSL alone, and between them
// a conversation with a real player on a real cassette in a temporary directory.
#include "preload/engine/conversation/secure_channel.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <tuple>

#include "preload/engine/conversation/conversation.h"
#include "store/cassette.h"
#include "store/log.h"
#include "tests/unit/preload/tls_ends.h"

namespace cassette {
namespace {

constexpr char kName[] = "h.example";
constexpr char kGet[] = "GET /a HTTP/1.1\r\nHost: h.example\r\n\r\n";
constexpr char kAnswer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

using Verdict = Judgements::Verdict;

/// What the connection does to the process; Conversation::Terms leads to it without an argument.
TlsSupport support;
int brought;  ///< how often

class SecureChannelTest : public TlsTest, public ::testing::WithParamInterface<int> {
 protected:
  /// The session's authority, as the engine begins it: once a process.
  static void SetUpTestSuite() {
    if (support.api != nullptr) return;
    std::string folder = std::filesystem::temp_directory_path() / "secure-channel-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    support.api = cassette_tls_start(kTlsVersion, nullptr);
    std::string problem;
    EXPECT_TRUE(support.api->begin(folder + "/authority", nullptr, &problem)) << problem;
    std::filesystem::remove_all(folder);
  }

  void SetUp() override {
    TlsTest::SetUp();
    settings_.cassette = folder_ + "/c.yaml";
    settings_.runtime_dir = folder_ + "/run";
    settings_.state_dir = folder_ + "/state";
    configure_log(LogLevel::kWarn, folder_ + "/log");
    authority_ = open_authority("of-the-world");
    judgements_ = std::make_unique<Judgements>();
    support.judgements = judgements_.get();
    support.bring_trust = [] { ++brought; };
    distrust_all();
    told_ = std::make_unique<Told>();
    support.told = told_.get();
    support.insecure = {};
    brought = 0;
  }
  void TearDown() override {
    finish_session();
    configure_log(LogLevel::kWarn, "");
    TlsTest::TearDown();
  }

  /// A new session of the store: what earlier ones recorded is in the cassette.
  void finish_session() {
    conversation_.reset();
    if (deck_) deck_->leave();
    deck_.reset();
  }

  /// As conversation_test.cc has it, with TLS.
  Conversation& open(RecordMode mode = RecordMode::kOnce, const std::string& host = kName) {
    if (!deck_) {
      settings_.mode = mode;
      deck_ = std::make_unique<Deck>(settings_, "");
    }
    Conversation::Terms terms;
    terms.host = host;
    terms.port = 443;
    terms.policy = deck_->current()->upstream_policy(terms.host, terms.port);
    terms.may_relay = deck_->current()->may_relay();
    terms.reset_on_miss = settings_.on_miss == OnMiss::kReset;
    terms.tls = []() -> const TlsSupport& { return support; };
    conversation_ = std::make_unique<Conversation>(*deck_, terms);
    reached_server_ = false;
    return *conversation_;
  }

  /// A program that checks certificates in its handshake, as most do: its library was brought the
  /// session's authority, and judges the real server itself (`own_store_`), if it can be asked.
  RawEnd program(const TlsSession& session = nullptr, const std::string& alpn = {}) {
    RawOptions options{
        .name = kName, .version = GetParam(), .alpn = alpn, .session = session.get()};
    options.check = [](X509_STORE_CTX* context, void* test) {
      return static_cast<SecureChannelTest*>(test)->check(context);
    };
    options.argument = this;
    return RawEnd::client(options);
  }
  int check(X509_STORE_CTX* context) {
    checked_ = X509_V_ERR_UNSPECIFIED;
    if (brought == 0) return 0;
    const std::string leaf = der_of(X509_STORE_CTX_get0_cert(context));
    const Judgements::Server* server = judgements_->server_of(leaf);
    EXPECT_NE(server, nullptr);
    if (server == nullptr) return 0;
    bool good = false;
    if (!server->chain.empty() && own_store_ != Verdict::kUnknown) {
      good = own_store_ == Verdict::kTrusted;
      judgements_->judge(leaf, good);
    } else {
      if (program_trusts_us_) {
        Owned<X509> authority = certificate_of(support.api->authority_der());
        X509_STORE_add_cert(X509_STORE_CTX_get0_store(context), authority.get());
      }
      if (checks_name_)
        X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(context), kName, sizeof kName - 1);
      good = X509_verify_cert(context) == 1;
      checked_ = X509_STORE_CTX_get_error(context);
    }
    if (good) judgements_->accept(leaf);
    return good || waives_ ? 1 : 0;
  }
  /// The real one.
  RawEnd server(const std::string& name = kName) {
    return RawEnd::server({.name = name, .signer = authority_.get(), .version = GetParam()});
  }
  void trust_by_file() {
    distrust_all();
    trust_->saw_file(write_pem(*authority_), /*chosen=*/true);
  }
  void distrust_all() {
    trust_ = std::make_unique<Trust>();
    trust_->saw_file(folder_ + "/none.pem", /*chosen=*/true);  // instead of the system's
    support.trust = trust_.get();
  }

  static std::string drain(Output& output) {
    std::string all;
    for (auto front = output.front(0); !front.empty(); front = output.front(0)) {
      all.append(front);
      output.consume(front.size());
    }
    return all;
  }

  /// Bytes between all three until they are silent.
  void run(RawEnd& program, RawEnd* server) {
    for (bool any = true; any;) {
      any = false;
      auto moved = [&any](std::string bytes) {
        any = any || !bytes.empty();
        return bytes;
      };
      if (auto bytes = moved(program.take()); !bytes.empty()) conversation_->from_program(bytes);
      if (auto bytes = moved(drain(conversation_->to_program())); !bytes.empty()) {
        program.give(bytes);
      }
      if (auto bytes = moved(drain(conversation_->to_upstream())); !bytes.empty()) {
        reached_server_ = true;
        if (server != nullptr) server->give(bytes);
      }
      if (server == nullptr) continue;
      if (auto bytes = moved(server->take()); !bytes.empty()) conversation_->from_upstream(bytes);
    }
  }

  /// Records a GET, from the first byte to the last.
  void record() {
    trust_by_file();
    open();
    RawEnd program = this->program(), server = this->server();
    program.send(kGet);
    run(program, &server);
    EXPECT_EQ(server.plain, kGet);
    server.send(kAnswer);
    run(program, &server);
    EXPECT_EQ(program.plain, kAnswer);
    finish_session();
  }

  /// A recording, in which the program says what is no HTTP.
  Conversation& say(RawEnd& program, RawEnd& server, const std::string& line) {
    trust_by_file();
    open();
    program.send(line);
    run(program, &server);
    EXPECT_EQ(server.plain, line);
    return *conversation_;
  }

  /// What a program keeps of a connection for the next one.
  TlsSession replay_once() {
    open(RecordMode::kNone);
    RawEnd program = this->program();
    program.send(kGet);
    run(program, nullptr);
    EXPECT_EQ(program.plain, kAnswer);
    program.close();
    finish_session();
    return TlsSession(SSL_get1_session(program.ssl()));
  }

  static void offer_only_http2(SSL* ssl) {
    static constexpr unsigned char kHttp2[] = "\x02h2";
    SSL_set_alpn_protos(ssl, kHttp2, sizeof kHttp2 - 1);
  }
  static void take_only_rsa(SSL* ssl) {
    SSL_set_cipher_list(ssl, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA:@SECLEVEL=0");
    SSL_set1_sigalgs_list(ssl, "RSA-PSS+SHA256:RSA+SHA256");
  }
  static void ask_for_no_name(SSL* ssl) { SSL_set_tlsext_host_name(ssl, "h\xff.example"); }

  /// A program with which a handshake is not possible does not wait for its end for ever.
  void expect_turned_away(RecordMode mode, void (*change)(SSL*), const std::string& reason) {
    Conversation& conversation = open(mode);
    RawEnd program = this->program(), server = this->server();
    change(program.ssl());
    program.send(kGet);
    run(program, &server);
    EXPECT_TRUE(conversation.ends_program());
    EXPECT_FALSE(program.is_open());
    EXPECT_EQ(program.plain, "");
    EXPECT_EQ(server.plain, "");
    EXPECT_NE(logged().find(reason), std::string::npos) << logged();
  }

  std::vector<Interaction> recorded() {
    finish_session();
    if (!std::filesystem::exists(settings_.cassette)) return {};
    auto cassette = load_cassette(settings_.cassette);
    EXPECT_TRUE(cassette.ok()) << cassette.error().message;
    return cassette.ok() ? cassette->interactions : std::vector<Interaction>{};
  }
  bool recorded_nothing() { return recorded().empty(); }

  std::string logged() const {
    std::ifstream in(folder_ + "/log");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// The connection ended, the program has no answer, and the log says why in one line; nothing where it need not.
  void expect_failed(const RawEnd& program, const std::string& reason) {
    EXPECT_TRUE(conversation_->ends_program());
    EXPECT_TRUE(conversation_->ends_upstream());
    EXPECT_EQ(program.plain, "");
    const std::string log = logged();
    if (reason.empty()) {
      EXPECT_EQ(log, "");
      return;
    }
    EXPECT_NE(log.find("h.example:443: "), std::string::npos) << log;
    EXPECT_NE(log.find(reason), std::string::npos) << log;
    EXPECT_EQ(log.find('\n'), log.size() - 1) << log;
  }
  /// And not a byte of the request went to the server.
  void expect_nothing_let_out(const RawEnd& program, const RawEnd& server,
                              const std::string& reason) {
    expect_failed(program, reason);
    EXPECT_EQ(server.plain, "");
    EXPECT_TRUE(recorded_nothing());
  }
  /// The program refuses what it is shown, with its own error, before it says anything.
  void expect_refused(RawEnd& program, RawEnd& server, const std::string& reason) {
    program.send(kGet);
    run(program, &server);
    EXPECT_EQ(program.error(), SSL_R_CERTIFICATE_VERIFY_FAILED);
    expect_nothing_let_out(program, server, reason);
  }
  /// By a program that goes on whatever its check says; it does so from now on.
  void record_waived(const std::string& name = kName) {
    waives_ = true;
    open(RecordMode::kAll);
    RawEnd program = this->program(), server = this->server(name);
    program.send(kGet);
    run(program, &server);
    EXPECT_EQ(server.plain, kGet);
    server.send(kAnswer);
    run(program, &server);
    EXPECT_EQ(program.plain, kAnswer);
    finish_session();
  }
  /// What the cassette has of the server.
  ServerCertificate kept() {
    finish_session();
    auto cassette = load_cassette(settings_.cassette);
    EXPECT_TRUE(cassette.ok()) << cassette.error().message;
    if (!cassette.ok()) return {};
    EXPECT_LE(cassette->certificates.size(), 1U);
    return cassette->certificates.empty() ? ServerCertificate{}
                                          : cassette->certificates.front().certificate.value();
  }

  /// A request goes to the server, and its answer to the program and into the cassette.
  void expect_recorded(RawEnd& program, RawEnd& server) {
    program.send(kGet);
    run(program, &server);
    EXPECT_EQ(server.plain, kGet);
    server.send(kAnswer);
    run(program, &server);
    EXPECT_EQ(program.plain, kAnswer);
    EXPECT_EQ(recorded().size(), 1U);
    EXPECT_EQ(logged(), "");
  }

  Settings settings_;
  std::unique_ptr<Deck> deck_;
  std::unique_ptr<Conversation> conversation_;
  std::unique_ptr<Authority> authority_;  ///< of the real server
  std::unique_ptr<Judgements> judgements_;
  std::unique_ptr<Trust> trust_;
  std::unique_ptr<Told> told_;
  bool program_trusts_us_ = true;
  bool checks_name_ = true;
  bool waives_ = false;                    ///< goes on whatever its check says
  Verdict own_store_ = Verdict::kUnknown;  ///< kUnknown: it cannot be asked
  int checked_ = 0;                        ///< X509_V_..., of the certificate that it was shown
  bool reached_server_ = false;
};

// ---- replay ----

TEST_P(SecureChannelTest, ReplaysARequest) {
  record();
  distrust_all();
  Conversation& conversation = open(RecordMode::kNone);
  RawEnd program = this->program();
  run(program, nullptr);
  EXPECT_TRUE(program.is_open());
  EXPECT_TRUE(conversation.answers_inline());
  program.send(kGet);
  run(program, nullptr);
  EXPECT_EQ(program.plain, kAnswer);
  EXPECT_TRUE(conversation.answers_inline());
  EXPECT_FALSE(reached_server_);
  EXPECT_FALSE(conversation.ends_program());
  EXPECT_EQ(logged(), "");
}

TEST_P(SecureChannelTest, MissInsideTlsIsAnAnswer) {
  record();
  open(RecordMode::kNone);
  RawEnd program = this->program();
  program.send("GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n");
  run(program, nullptr);
  EXPECT_TRUE(program.plain.starts_with("HTTP/1.1 599 Cassette Miss\r\n")) << program.plain;
  EXPECT_FALSE(reached_server_);
}

TEST_P(SecureChannelTest, EndOfAReplayIsSaidInTls) {
  record();
  Conversation& conversation = open(RecordMode::kNone);
  RawEnd program = this->program();
  program.send("GET /a HTTP/1.1\r\nHost: h.example\r\nConnection: close\r\n\r\n");
  run(program, nullptr);
  EXPECT_NE(program.plain.find("hello"), std::string::npos);
  EXPECT_TRUE(program.got_close());
  EXPECT_TRUE(conversation.ends_program());
}

TEST_P(SecureChannelTest, HostIsWhomTheProgramNames) {
  record();
  open(RecordMode::kNone, "192.0.2.7");
  RawEnd program = this->program();
  program.send(kGet);
  run(program, nullptr);
  EXPECT_EQ(program.plain, kAnswer);
}

// ---- recording ----

TEST_P(SecureChannelTest, RecordsWhatATrustedServerAnswers) {
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program(), server = this->server();
  program.send(kGet);
  run(program, &server);
  EXPECT_EQ(server.plain, kGet);
  EXPECT_TRUE(conversation.exchanging());
  EXPECT_FALSE(conversation.answers_inline());
  server.send(kAnswer);
  run(program, &server);
  EXPECT_EQ(program.plain, kAnswer);
  EXPECT_FALSE(conversation.exchanging());
  EXPECT_EQ(logged(), "");
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 1U);
  EXPECT_EQ(interactions[0].uri, "https://h.example/a");
  EXPECT_EQ(interactions[0].response.body, "hello");
}

TEST_P(SecureChannelTest, RecordsAnAnswerThatEndsWithItsConnection) {
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program(), server = this->server();
  program.send(kGet);
  run(program, &server);
  server.send("HTTP/1.1 200 OK\r\n\r\nhello");
  server.close();
  run(program, &server);
  EXPECT_EQ(program.plain, "HTTP/1.1 200 OK\r\n\r\nhello");
  EXPECT_TRUE(program.got_close());
  EXPECT_TRUE(conversation.ends_program());
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 1U);
  EXPECT_EQ(interactions[0].response.body, "hello");
}

TEST_P(SecureChannelTest, RecordsMegabytes) {
  trust_by_file();
  open();
  RawEnd program = this->program(), server = this->server();
  const std::string body(2'000'000, 'x');
  const std::string request =
      "POST /a HTTP/1.1\r\nHost: h.example\r\nContent-Length: 2000000\r\n\r\n";
  program.send(request + body);
  run(program, &server);
  EXPECT_TRUE(server.plain == request + body);
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + body);
  run(program, &server);
  EXPECT_TRUE(program.plain.ends_with("\r\n\r\n" + body));
  auto interactions = recorded();
  ASSERT_EQ(interactions.size(), 1U);
  EXPECT_TRUE(interactions[0].response.body == body);
}

TEST_P(SecureChannelTest, EveryByteMayComeAlone) {
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program(), server = this->server();
  program.send(kGet);
  bool answered = false;
  for (bool any = true; any;) {
    any = false;
    for (char byte : program.take()) any = true, conversation.from_program({&byte, 1});
    for (char byte : drain(conversation.to_program())) any = true, program.give({&byte, 1});
    for (char byte : drain(conversation.to_upstream())) any = true, server.give({&byte, 1});
    if (server.plain == kGet && !std::exchange(answered, true)) server.send(kAnswer);
    for (char byte : server.take()) any = true, conversation.from_upstream({&byte, 1});
  }
  EXPECT_EQ(program.plain, kAnswer);
  EXPECT_EQ(recorded().size(), 1U);
}

TEST_P(SecureChannelTest, ServerIsAskedBeforeTheProgramGetsACertificate) {
  trust_by_file();
  open();
  RawEnd program = this->program(), server = this->server();
  conversation_->from_program(program.take());
  EXPECT_EQ(drain(conversation_->to_program()), "");
  EXPECT_EQ(brought, 0);
  server.give(drain(conversation_->to_upstream()));
  EXPECT_EQ(SSL_get_servername(server.ssl(), TLSEXT_NAMETYPE_host_name), std::string(kName));
  run(program, &server);
  EXPECT_TRUE(program.is_open());
  EXPECT_EQ(brought, 1);
}

// ---- a server that is reached only for what is not recorded ----

TEST_P(SecureChannelTest, ServerIsReachedOnDemand) {
  record();
  open(RecordMode::kNewEpisodes);
  RawEnd program = this->program(), server = this->server();
  program.send(kGet);
  run(program, &server);
  EXPECT_EQ(program.plain, kAnswer);
  EXPECT_FALSE(reached_server_);
  const std::string request = "GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n";
  program.send(request);
  run(program, &server);
  EXPECT_EQ(server.plain, request);
  server.send(kAnswer);
  run(program, &server);
  EXPECT_EQ(program.plain, std::string(kAnswer) + kAnswer);
  EXPECT_EQ(recorded().size(), 2U);
}

TEST_P(SecureChannelTest, NothingIsLetOutToAnUntrustedServerOnDemand) {
  record();
  distrust_all();
  Conversation& conversation = open(RecordMode::kNewEpisodes);
  RawEnd program = this->program(), server = this->server();
  program.send("GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n");
  run(program, &server);
  EXPECT_EQ(server.plain, "");
  EXPECT_EQ(program.plain, "");
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_NE(logged().find("h.example:443: the server's certificate is not trusted"),
            std::string::npos)
      << logged();
  EXPECT_EQ(recorded().size(), 1U);
}

// ---- who is trusted ----

TEST_P(SecureChannelTest, ProgramThatRefusesAnUntrustedServerSendsNothing) {
  open();
  RawEnd program = this->program(), server = this->server();
  expect_refused(program, server, "refuses the server's certificate (unable to");
  EXPECT_EQ(checked_, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
  EXPECT_NE(logged().find("SSL_CERT_FILE names the file"), std::string::npos) << logged();
}

TEST_P(SecureChannelTest, ProgramThatWaivesItsCheckIsForwardedAndRecorded) {
  waives_ = true;
  open();
  RawEnd program = this->program(), server = this->server();
  expect_recorded(program, server);
  EXPECT_EQ(checked_, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY) << "it was not deceived";
}

TEST_P(SecureChannelTest, ProgramIsShownWhatTheServerIsLike) {
  for (bool trusts : {false, true}) {
    if (trusts) trust_by_file();
    waives_ = true;
    open(RecordMode::kAll);
    RawEnd program = this->program(), server = this->server("another.example");
    run(program, &server);
    ASSERT_TRUE(program.is_open());
    Owned<X509> shown(SSL_get1_peer_certificate(program.ssl()));
    X509* real = SSL_get_certificate(server.ssl());
    EXPECT_EQ(X509_NAME_cmp(X509_get_subject_name(shown.get()), X509_get_subject_name(real)), 0);
    EXPECT_EQ(X509_check_host(shown.get(), "another.example", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_host(shown.get(), kName, 0, 0, nullptr), 0);
    Owned<X509> authority = certificate_of(support.api->authority_der());
    EXPECT_EQ(X509_verify(shown.get(), X509_get0_pubkey(authority.get())) == 1, trusts);
    EXPECT_NE(EVP_PKEY_eq(X509_get0_pubkey(shown.get()), X509_get0_pubkey(real)), 1);
    EXPECT_EQ(server.plain, "") << "it has not said yet what it thinks of that";
  }
}

TEST_P(SecureChannelTest, ProgramThatRefusesAServerOfAnotherNameSendsNothing) {
  trust_by_file();
  open();
  RawEnd program = this->program(), server = this->server("another.example");
  expect_refused(program, server, "refuses the server's certificate (it is for another name)");
  EXPECT_EQ(checked_, X509_V_ERR_HOSTNAME_MISMATCH);
}

TEST_P(SecureChannelTest, ProgramThatAsksForNoNameIsForwardedAndRecorded) {
  trust_by_file();
  checks_name_ = false;
  open();
  RawEnd program = this->program(), server = this->server("another.example");
  expect_recorded(program, server);
  EXPECT_EQ(checked_, X509_V_OK);
}

TEST_P(SecureChannelTest, InsecureHostGetsAnOrdinaryCertificate) {
  for (const char* name : {kName, "another.example"}) {
    support.insecure = {};
    support.insecure.add(parse_host_pattern("h.example:443"));
    open(RecordMode::kAll);
    RawEnd program = this->program(), server = this->server(name);
    expect_recorded(program, server);
    EXPECT_EQ(checked_, X509_V_OK);
  }
}

TEST_P(SecureChannelTest, AnotherHostBeingInsecureDoesNotHelp) {
  support.insecure = {};
  support.insecure.add(parse_host_pattern("another.example"));
  support.insecure.add(parse_host_pattern("h.example:8443"));
  open();
  RawEnd program = this->program(), server = this->server();
  expect_refused(program, server, "refuses the server's certificate");
}

TEST_P(SecureChannelTest, ServerIsTrustedByTheProgramsOwnStore) {
  own_store_ = Verdict::kTrusted;
  open();
  RawEnd program = this->program(), server = this->server();
  expect_recorded(program, server);
}

TEST_P(SecureChannelTest, ProgramThatLooksAtTheNameBehindTheHandshakeSendsNothing) {
  own_store_ = Verdict::kTrusted;
  open();
  RawEnd program = this->program(), server = this->server("another.example");
  run(program, &server);
  ASSERT_TRUE(program.is_open());
  Owned<X509> shown(SSL_get1_peer_certificate(program.ssl()));
  EXPECT_EQ(X509_check_host(shown.get(), kName, 0, 0, nullptr), 0);
  program.close();
  run(program, &server);
  EXPECT_TRUE(server.got_close());
  conversation_->program_finished();
  conversation_->upstream_finished();
  expect_nothing_let_out(program, server, "");  // it knows why

  // Where nothing is wrong with the server, it may have pinned another certificate.
  open(RecordMode::kAll);
  RawEnd other = this->program(), good = this->server();
  run(other, &good);
  other.close();
  run(other, &good);
  EXPECT_EQ(good.plain, "");
  EXPECT_NE(logged().find("closed the TLS connection before it asked for anything"),
            std::string::npos)
      << logged();
}

TEST_P(SecureChannelTest, ProgramThatDistrustsTheServerIsNotOverruled) {
  own_store_ = Verdict::kDistrusted;
  trust_by_file();
  open();
  RawEnd program = this->program(), server = this->server();
  expect_refused(program, server, "");  // it says so itself
}

TEST_P(SecureChannelTest, ProgramThatDistrustsTheServerMayGoOnAllTheSame) {
  own_store_ = Verdict::kDistrusted;
  waives_ = true;
  open();
  RawEnd program = this->program(), server = this->server();
  expect_recorded(program, server);
}

TEST_P(SecureChannelTest, VerdictBehindTheHandshakeCounts) {
  // As GnuTLS's programs do: the handshake first, then the check, then the request, or none.
  waives_ = true;
  for (bool good : {true, false}) {
    open(RecordMode::kAll);
    RawEnd program = this->program(), server = this->server();
    run(program, &server);
    ASSERT_TRUE(program.is_open());
    EXPECT_FALSE(conversation_->ends_program());
    EXPECT_EQ(server.plain, "");
    Owned<X509> leaf(SSL_get1_peer_certificate(program.ssl()));
    judgements_->judge(der_of(leaf.get()), good);
    if (good) {
      expect_recorded(program, server);
      continue;
    }
    program.close();
    run(program, &server);
    EXPECT_EQ(server.plain, "");
    EXPECT_EQ(logged(), "") << "it says so itself";
  }
}

// ---- servers that were not ordinary when they were recorded ----

TEST_P(SecureChannelTest, OfAnOrdinaryServerNothingIsKept) {
  record();
  EXPECT_TRUE(kept().chain.empty());
  record_waived("another.example");
  EXPECT_FALSE(kept().chain.empty()) << "it was for another name";
  EXPECT_TRUE(kept().trusted);
}

TEST_P(SecureChannelTest, UntrustedServerIsJudgedAgainInReplay) {
  record_waived();
  EXPECT_EQ(kept().chain.size(), 1U);
  EXPECT_FALSE(kept().trusted);
  // `curl URL || curl -k URL`
  for (bool waives : {false, true}) {
    waives_ = waives;
    open(RecordMode::kNone);
    RawEnd program = this->program();
    program.send(kGet);
    run(program, nullptr);
    EXPECT_EQ(checked_, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    EXPECT_EQ(program.plain, waives ? kAnswer : "");
    EXPECT_EQ(program.error(), waives ? 0 : SSL_R_CERTIFICATE_VERIFY_FAILED);
    EXPECT_FALSE(reached_server_);
    finish_session();
  }
  EXPECT_EQ(logged(), "");
}

TEST_P(SecureChannelTest, ServerOfAnotherNameIsJudgedAgainInReplay) {
  trust_by_file();
  checks_name_ = false;
  record_waived("another.example");
  waives_ = false;
  distrust_all();  // what was trusted then is now
  for (bool checks : {true, false}) {
    checks_name_ = checks;
    open(RecordMode::kNone);
    RawEnd program = this->program();
    program.send(kGet);
    run(program, nullptr);
    EXPECT_EQ(checked_, checks ? X509_V_ERR_HOSTNAME_MISMATCH : X509_V_OK);
    EXPECT_EQ(program.plain, checks ? "" : kAnswer);
    finish_session();
  }
}

TEST_P(SecureChannelTest, RefusalAloneIsReplayed) {
  open();
  RawEnd program = this->program(), server = this->server();
  expect_refused(program, server, "refuses the server's certificate");
  open(RecordMode::kNone);
  RawEnd again = this->program();
  again.send(kGet);
  run(again, nullptr);
  EXPECT_EQ(again.error(), SSL_R_CERTIFICATE_VERIFY_FAILED);
  EXPECT_EQ(checked_, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

TEST_P(SecureChannelTest, ProgramsOwnStoreJudgesWhatWasRecorded) {
  record_waived();
  waives_ = false;
  for (Verdict own : {Verdict::kDistrusted, Verdict::kTrusted}) {
    own_store_ = own;
    open(RecordMode::kNone);
    RawEnd program = this->program();
    program.send(kGet);
    run(program, nullptr);
    EXPECT_EQ(program.plain, own == Verdict::kTrusted ? kAnswer : "");
    finish_session();
  }
}

TEST_P(SecureChannelTest, InsecureHostIsAnOrdinaryOneInReplayToo) {
  record_waived("another.example");
  waives_ = false;
  support.insecure.add(parse_host_pattern("h.example:443"));
  open(RecordMode::kNone);
  RawEnd program = this->program();
  program.send(kGet);
  run(program, nullptr);
  EXPECT_EQ(checked_, X509_V_OK);
  EXPECT_EQ(program.plain, kAnswer);
}

TEST_P(SecureChannelTest, ServerThatIsNotTrustedIsReachedOnDemandIfItIsTheOneThatWasShown) {
  record_waived();
  open(RecordMode::kNewEpisodes);
  const std::string request = "GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n";
  {
    RawEnd program = this->program(), server = this->server();
    program.send(request);
    run(program, &server);
    EXPECT_EQ(server.plain, request);
    server.send(kAnswer);
    run(program, &server);
    EXPECT_EQ(program.plain, kAnswer);
  }
  // Another one is not.
  Conversation& conversation = open(RecordMode::kNewEpisodes);
  authority_ = open_authority("of-another-world");
  RawEnd program = this->program(), other = this->server();
  program.send("GET /c HTTP/1.1\r\nHost: h.example\r\n\r\n");
  run(program, &other);
  EXPECT_EQ(other.plain, "");
  EXPECT_EQ(program.plain, "");
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_NE(logged().find("the server's certificate is not trusted"), std::string::npos);
}

TEST_P(SecureChannelTest, ProgramThatAcceptsAllReachesAnyServerOnDemand) {
  record();
  distrust_all();
  open(RecordMode::kNewEpisodes);
  RawEnd program = this->program(), server = this->server("another.example");
  run(program, nullptr);
  ASSERT_TRUE(program.is_open());
  Owned<X509> leaf(SSL_get1_peer_certificate(program.ssl()));
  judgements_->accepts_all(der_of(leaf.get()), true);
  const std::string request = "GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n";
  program.send(request);
  run(program, &server);
  EXPECT_EQ(server.plain, request);
}

TEST_P(SecureChannelTest, LateJudgeDecidesAboutAServerOnDemand) {
  for (bool good : {true, false}) {
    record();
    distrust_all();
    judgements_ = std::make_unique<Judgements>();
    support.judgements = judgements_.get();
    open(RecordMode::kNewEpisodes);
    RawEnd program = this->program(), server = this->server();
    run(program, nullptr);
    ASSERT_TRUE(program.is_open());
    Owned<X509> leaf(SSL_get1_peer_certificate(program.ssl()));
    const std::string shown = der_of(leaf.get());
    ASSERT_TRUE(judgements_->wants_late_judge(shown));
    std::vector<std::string> asked;
    judgements_->set_late_judge(shown, [&](const std::vector<std::string>& chain) {
      asked = chain;
      return good;
    });
    const std::string request = "GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n";
    program.send(request);
    run(program, &server);
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked.front(), der_of(SSL_get_certificate(server.ssl())));
    EXPECT_EQ(server.plain, good ? request : "");
    finish_session();
    std::filesystem::remove(settings_.cassette);
  }
}

// ---- programs that do not trust us ----

TEST_P(SecureChannelTest, ProgramThatTurnsUsDownInRecordingIsNamed) {
  program_trusts_us_ = false;
  trust_by_file();
  open();
  RawEnd program = this->program(), server = this->server();
  expect_refused(program, server, "does not accept the session's certificate (");
  EXPECT_NE(logged().find("unknown ca"), std::string::npos) << logged();
  EXPECT_NE(logged().find("tls-passthrough"), std::string::npos) << logged();
}

TEST_P(SecureChannelTest, ProgramThatTurnsUsDownInReplayIsNamed) {
  record();
  program_trusts_us_ = false;
  open(RecordMode::kNone);
  RawEnd program = this->program();
  program.send(kGet);
  run(program, nullptr);
  EXPECT_EQ(program.error(), SSL_R_CERTIFICATE_VERIFY_FAILED);
  expect_failed(program, "does not accept the session's certificate");
  EXPECT_FALSE(reached_server_);
}

TEST_P(SecureChannelTest, ProgramThatGoesAwayDuringTheHandshakeIsLeftInPeace) {
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program();
  conversation.from_program(program.take());
  conversation.program_finished();
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_TRUE(conversation.ends_upstream());
  EXPECT_EQ(logged(), "");
  EXPECT_TRUE(recorded_nothing());
}

// ---- servers that fail ----

TEST_P(SecureChannelTest, WhatAServerThatSpeaksNoTlsSaysGoesToTheProgram) {
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program();
  program.send(kGet);
  run(program, nullptr);
  const std::string answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
  conversation.from_upstream(answer.substr(0, 7));
  conversation.from_upstream(answer.substr(7));
  EXPECT_EQ(drain(conversation.to_program()), answer);
  EXPECT_FALSE(conversation.ends_program()) << "more of it may come";
  conversation.from_upstream("more");
  EXPECT_EQ(drain(conversation.to_program()), "more");
  conversation.upstream_finished();
  expect_failed(program, "the TLS handshake with the server failed (");
  EXPECT_TRUE(recorded_nothing());
}

TEST_P(SecureChannelTest, ServerThatFailsTheHandshakeFailsItForTheProgram) {
  // As without the library: its alert, byte for byte.
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program(), server = this->server();
  const int other = GetParam() == TLS1_2_VERSION ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_set_min_proto_version(server.ssl(), other);
  SSL_set_max_proto_version(server.ssl(), other);
  program.send(kGet);
  run(program, &server);
  EXPECT_TRUE(server.failed());
  EXPECT_EQ(program.error(), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
  conversation.upstream_finished();
  expect_nothing_let_out(program, server, "the TLS handshake with the server failed (");
}

TEST_P(SecureChannelTest, ServerThatClosesDuringTheHandshakeIsNamed) {
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program();
  program.send(kGet);
  run(program, nullptr);
  conversation.upstream_finished();
  run(program, nullptr);
  expect_failed(program, "the server closed the connection during the TLS handshake");
}

TEST_P(SecureChannelTest, ServerThatCannotBeReachedIsTheProgramsError) {
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program();
  program.send(kGet);
  run(program, nullptr);
  conversation.upstream_failed(ECONNREFUSED);
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_EQ(conversation.reset_error(), ECONNREFUSED);
}

TEST_P(SecureChannelTest, ServerWhoseBytesAreWrongResetsTheConnection) {
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program(), server = this->server();
  program.send(kGet);
  run(program, &server);
  ASSERT_EQ(server.plain, kGet);
  conversation.from_upstream("no TLS record");
  run(program, &server);
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_EQ(conversation.reset_error(), ECONNRESET);
  EXPECT_EQ(program.plain, "");
  EXPECT_TRUE(recorded_nothing());
}

// ---- resumption ----

TEST_P(SecureChannelTest, ResumedConnectionReplays) {
  record();
  TlsSession session = replay_once();
  Conversation& conversation = open(RecordMode::kNone);
  RawEnd program = this->program(session);
  program.send(kGet);
  run(program, nullptr);
  EXPECT_EQ(SSL_session_reused(program.ssl()), 1);
  EXPECT_EQ(program.plain, kAnswer);
  EXPECT_TRUE(conversation.answers_inline());
  EXPECT_FALSE(reached_server_);
}

TEST_P(SecureChannelTest, ResumedConnectionRecords) {
  record();
  TlsSession session = replay_once();
  trust_by_file();
  open(RecordMode::kAll);
  RawEnd program = this->program(session), server = this->server();
  program.send(kGet);
  run(program, &server);
  EXPECT_EQ(SSL_session_reused(program.ssl()), 0);  // a recording looks at the server
  EXPECT_EQ(server.plain, kGet);
  server.send(kAnswer);
  run(program, &server);
  EXPECT_EQ(program.plain, kAnswer);
  EXPECT_EQ(logged(), "");
  EXPECT_EQ(recorded().size(), 1U);
}

TEST_P(SecureChannelTest, ProgramJudgesTheServerOfAConnectionThatItWouldResume) {
  record();
  TlsSession session = replay_once();
  distrust_all();
  open(RecordMode::kAll);
  RawEnd program = this->program(session), server = this->server();
  program.send(kGet);
  run(program, &server);
  EXPECT_EQ(SSL_session_reused(program.ssl()), 0);  // a recording looks at the server
  EXPECT_EQ(program.error(), SSL_R_CERTIFICATE_VERIFY_FAILED);
  EXPECT_EQ(server.plain, "");
  expect_failed(program, "refuses the server's certificate");
}

TEST_P(SecureChannelTest, ResumedConnectionIsJudgedAsTheFirst) {
  own_store_ = Verdict::kTrusted;
  TlsSession session;
  for (int i = 0; i < 2; ++i) {
    open(RecordMode::kAll);
    RawEnd program = this->program(session), server = this->server();
    program.send(kGet);
    run(program, &server);
    EXPECT_EQ(server.plain, kGet) << i;
    server.send(kAnswer);
    run(program, &server);
    EXPECT_EQ(program.plain, kAnswer) << i;
    EXPECT_EQ(SSL_session_reused(program.ssl()), 0);
    program.close();
    session.reset(SSL_get1_session(program.ssl()));
  }
  EXPECT_EQ(logged(), "");
}

TEST_P(SecureChannelTest, ServerOfAResumedConnectionIsAskedForTheSameName) {
  record();
  TlsSession session = replay_once();
  trust_by_file();
  open(RecordMode::kAll, "192.0.2.7");
  RawEnd program = this->program(session), server = this->server();
  program.send(kGet);
  run(program, &server);
  EXPECT_EQ(SSL_session_reused(program.ssl()), 0);  // a recording looks at the server
  const char* name = SSL_get_servername(server.ssl(), TLSEXT_NAMETYPE_host_name);
  EXPECT_STREQ(name, kName);
  EXPECT_EQ(server.plain, kGet) << logged();
}

// ---- ends ----

TEST_P(SecureChannelTest, ProgramMayEndItsSideBehindTheRequest) {
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program(), server = this->server();
  program.send(kGet);
  run(program, &server);
  program.close();
  run(program, &server);
  EXPECT_EQ(server.plain, kGet);
  EXPECT_TRUE(server.got_close());
  EXPECT_TRUE(conversation.ends_upstream());
  EXPECT_FALSE(conversation.ends_program());
  server.send(kAnswer);
  run(program, &server);
  EXPECT_EQ(program.plain, kAnswer);
  EXPECT_EQ(recorded().size(), 1U);
}

TEST_P(SecureChannelTest, ServerMayCloseAnIdleConnection) {
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program(), server = this->server();
  run(program, &server);
  ASSERT_TRUE(program.is_open());
  server.close();
  run(program, &server);
  conversation.upstream_finished();
  run(program, &server);
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_TRUE(program.got_close());
  EXPECT_EQ(logged(), "");
}

TEST_P(SecureChannelTest, MissMayResetTheConnection) {
  record();
  settings_.on_miss = OnMiss::kReset;
  Conversation& conversation = open(RecordMode::kNone);
  RawEnd program = this->program();
  program.send("GET /b HTTP/1.1\r\nHost: h.example\r\n\r\n");
  run(program, nullptr);
  EXPECT_EQ(program.plain, "");
  EXPECT_EQ(conversation.reset_error(), ECONNRESET);
  EXPECT_TRUE(conversation.ends_program());
}

// ---- programs that we have no handshake in common with ----

TEST_P(SecureChannelTest, ProgramThatSpeaksOnlyHttp2IsTurnedAwayInReplay) {
  record();
  expect_turned_away(RecordMode::kNone, offer_only_http2, "offers no HTTP/1.1 within TLS");
}

TEST_P(SecureChannelTest, ProgramThatTakesOnlyRsaIsServedInReplay) {
  record();
  Conversation& conversation = open(RecordMode::kNone);
  RawEnd program = this->program();
  take_only_rsa(program.ssl());
  program.send(kGet);
  run(program, nullptr);
  EXPECT_EQ(program.plain, kAnswer);
  EXPECT_FALSE(conversation.ends_program());
  EXPECT_EQ(logged(), "");
  Owned<X509> shown(SSL_get1_peer_certificate(program.ssl()));
  ASSERT_TRUE(shown);
  EXPECT_EQ(EVP_PKEY_get_base_id(X509_get0_pubkey(shown.get())), EVP_PKEY_RSA);
}

TEST_P(SecureChannelTest, NameThatNoCertificateCanHaveIsTurnedAwayInReplay) {
  record();
  expect_turned_away(RecordMode::kNone, ask_for_no_name, "no certificate can be like that");
}

TEST_P(SecureChannelTest, ProgramThatSpeaksOnlyHttp2IsRelayedInRecording) {
  Conversation& conversation = open();
  RawEnd program = this->program();
  offer_only_http2(program.ssl());
  const std::string hello = program.take();
  conversation.from_program(hello);
  EXPECT_EQ(drain(conversation.to_upstream()), hello);
  EXPECT_EQ(drain(conversation.to_program()), "");
  EXPECT_NE(logged().find("HTTP/2 within TLS is not recorded"), std::string::npos) << logged();
}

TEST_P(SecureChannelTest, ProgramThatTakesOnlyRsaRecords) {
  trust_by_file();
  open();
  RawEnd program = this->program();
  take_only_rsa(program.ssl());
  ServerFace face;
  face.names = {kName};
  const Authority::Identity& rsa = authority_->identity_of(face, 2048);
  ASSERT_FALSE(rsa.chain.empty());
  const RawIdentity identity{.chain = {rsa.chain.front().get()}, .key = rsa.key};
  RawEnd server = RawEnd::server({.identity = &identity, .version = GetParam()});
  expect_recorded(program, server);
}

TEST_P(SecureChannelTest, ProgramAndServerWithoutACipherInCommonFailAsTheyWould) {
  trust_by_file();
  Conversation& conversation = open();
  RawEnd program = this->program(), server = this->server();
  for (auto [ssl, newer, older] :
       {std::tuple(program.ssl(), "TLS_CHACHA20_POLY1305_SHA256", "AES128"),
        std::tuple(server.ssl(), "TLS_AES_128_GCM_SHA256", "AES256")}) {
    SSL_set_ciphersuites(ssl, newer);
    SSL_set_cipher_list(ssl, (std::string(older) + ":@SECLEVEL=0").c_str());
  }
  program.send(kGet);
  run(program, &server);
  EXPECT_TRUE(server.failed());
  EXPECT_EQ(program.error(), SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
  conversation.upstream_finished();
  expect_nothing_let_out(program, server, "the TLS handshake with the server failed (");
}

TEST_P(SecureChannelTest, NameThatNoCertificateCanHaveIsTheServersToRefuse) {
  trust_by_file();
  open();
  RawEnd program = this->program(), server = this->server();
  ask_for_no_name(program.ssl());
  program.send(kGet);
  run(program, &server);
  EXPECT_EQ(server.plain, kGet);
  EXPECT_STREQ(SSL_get_servername(server.ssl(), TLSEXT_NAMETYPE_host_name), "h\xff.example");
}

TEST_P(SecureChannelTest, ProgramThatIsTurnedAwayIsNotSaidToDistrustUs) {
  record();
  for (auto* change : {offer_only_http2, ask_for_no_name}) {
    expect_turned_away(RecordMode::kNone, change, "");
    finish_session();
  }
  EXPECT_EQ(logged().find("does not accept the session's certificate"), std::string::npos)
      << logged();
}

// ---- another protocol within TLS ----

TEST_P(SecureChannelTest, AnotherProtocolMayEndOneSideOfTls) {
  RawEnd program = this->program(), server = this->server();
  Conversation& conversation = say(program, server, "HELO\n");
  program.close();
  run(program, &server);
  EXPECT_TRUE(server.got_close());
  EXPECT_FALSE(conversation.ends_upstream()) << "the connection itself stays";
  server.send("still here\n");
  run(program, &server);
  server.send("and here\n");
  run(program, &server);
  EXPECT_EQ(program.plain, "still here\nand here\n");
  EXPECT_FALSE(program.got_close());
  server.close();
  run(program, &server);
  EXPECT_TRUE(program.got_close());
  EXPECT_FALSE(conversation.ends_program());
  conversation.upstream_finished();
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_EQ(logged().find("closed the TLS connection"), std::string::npos) << logged();
}

TEST_P(SecureChannelTest, AnotherProtocolMayGoOnWithoutTls) {
  RawEnd program = this->program(), server = this->server();
  Conversation& conversation = say(program, server, "CCC\n");
  program.close();
  conversation.from_program(program.take() + "sent with it, ");
  conversation.from_program("and behind");
  const std::string there = drain(conversation.to_upstream());
  ASSERT_TRUE(there.ends_with("sent with it, and behind")) << there.size();
  server.give(there.substr(0, there.size() - 24));
  EXPECT_TRUE(server.got_close());
  server.close();
  conversation.from_upstream(server.take() + "back");
  conversation.from_upstream(" again");
  const std::string back = drain(conversation.to_program());
  ASSERT_TRUE(back.ends_with("back again")) << back.size();
  program.give(back.substr(0, back.size() - 10));
  EXPECT_TRUE(program.got_close());
  EXPECT_TRUE(conversation.wants_program());
  conversation.program_finished();
  EXPECT_TRUE(conversation.ends_upstream());
  EXPECT_FALSE(conversation.ends_program());
  conversation.upstream_finished();
  EXPECT_TRUE(conversation.ends_program());
}

TEST_P(SecureChannelTest, EndWithoutAWordOfTlsIsPassedOnAsOne) {
  RawEnd program = this->program(), server = this->server();
  Conversation& conversation = say(program, server, "HELO\n");
  server.send("cut sh");
  run(program, &server);
  conversation.upstream_finished();
  run(program, &server);
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_FALSE(program.got_close());
  conversation.program_finished();
  run(program, &server);
  EXPECT_TRUE(conversation.ends_upstream());
  EXPECT_FALSE(server.got_close());
}

TEST_P(SecureChannelTest, ServerWithinTlsMaySpeakFirst) {
  trust_by_file();
  for (bool behind_cassette : {false, true}) {
    if (behind_cassette) record();
    Conversation& conversation = open();
    RawEnd program = this->program(), server = this->server();
    run(program, &server);
    if (behind_cassette) {
      EXPECT_EQ(conversation.patience(), 3'000'000'000);
      EXPECT_FALSE(reached_server_);
      conversation.deadline_passed();
      run(program, &server);
    }
    EXPECT_EQ(conversation.patience(), 0);
    server.send("220 welcome\n");
    run(program, &server);
    EXPECT_EQ(program.plain, "220 welcome\n");
    program.send("QUIT\n");
    run(program, &server);
    EXPECT_EQ(server.plain, "QUIT\n");
    finish_session();
  }
}

TEST_P(SecureChannelTest, ServerThatWasReachedBeforeTlsIsKeptForWhatIsNoHttp) {
  trust_by_file();
  record();
  for (bool http : {false, true}) {
    Conversation& conversation = open();
    conversation.deadline_passed();
    EXPECT_TRUE(conversation.needs_upstream());
    RawEnd program = this->program(), server = this->server();
    run(program, nullptr);
    EXPECT_TRUE(program.is_open());
    EXPECT_FALSE(conversation.lets_upstream_go());
    EXPECT_FALSE(reached_server_);
    program.send(http ? kGet : "PING\n");
    run(program, &server);
    EXPECT_EQ(program.plain, http ? kAnswer : "");
    EXPECT_EQ(server.plain, http ? "" : "PING\n");
    EXPECT_EQ(conversation.lets_upstream_go(), http);
    EXPECT_FALSE(conversation.lets_upstream_go());
    finish_session();
  }
}

TEST_P(SecureChannelTest, EndOfAServerThatIsNotNeededIsNone) {
  record();
  for (bool fails : {false, true}) {
    Conversation& conversation = open();
    conversation.deadline_passed();
    RawEnd program = this->program();
    run(program, nullptr);
    if (fails) {
      conversation.upstream_failed(ECONNRESET);
    } else {
      conversation.upstream_finished();
    }
    EXPECT_TRUE(conversation.lets_upstream_go());
    program.send(kGet);
    run(program, nullptr);
    EXPECT_EQ(program.plain, kAnswer);
    finish_session();
  }
}

TEST_P(SecureChannelTest, ProgramThatSpeaksHttpAfterAllNeedsNoServer) {
  record();
  for (bool trusted : {true, false}) {
    if (!trusted) distrust_all();
    Conversation& conversation = open();
    RawEnd program = this->program(), server = this->server();
    run(program, nullptr);
    conversation.deadline_passed();
    run(program, &server);
    EXPECT_TRUE(server.is_open());
    EXPECT_EQ(conversation.lets_upstream_go(), !trusted);
    program.send(kGet);
    run(program, nullptr);
    EXPECT_EQ(program.plain, kAnswer);
    EXPECT_EQ(conversation.lets_upstream_go(), trusted);
    EXPECT_EQ(server.plain, "");
    EXPECT_EQ(conversation.reset_error(), 0);
    finish_session();
  }
}

// ---- what is not handled ----

TEST_P(SecureChannelTest, WithoutTheTlsObjectNothingIsLetOut) {
  trust_by_file();
  const TlsApi* api = std::exchange(support.api, nullptr);
  support.problem = "TLS cannot be loaded: why";
  Conversation& conversation = open();
  RawEnd program = this->program();
  program.send(kGet);
  run(program, nullptr);
  support.api = api;
  EXPECT_TRUE(conversation.ends_program());
  EXPECT_EQ(conversation.reset_error(), ECONNREFUSED);
  EXPECT_FALSE(reached_server_);
  EXPECT_NE(logged().find("TLS cannot be loaded: why"), std::string::npos) << logged();
}

INSTANTIATE_TEST_SUITE_P(SecureChannel, SecureChannelTest,
                         ::testing::Values(TLS1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const ::testing::TestParamInfo<int>& info) {
                           return "Tls1" + std::to_string(info.param - TLS1_VERSION);
                         });

}  // namespace
}  // namespace cassette
