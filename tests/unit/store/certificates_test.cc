// The certificates of servers in a cassette: through the formats, the image, the journal and the merge, and that nobody
// counts them. (vcrpy.test has what vcrpy makes of them.)
#include <gtest/gtest.h>

#include "store/formats/json.h"
#include "store/formats/pem.h"
#include "store/formats/yaml.h"
#include "store/image/image.h"
#include "store/journal/journal.h"
#include "store/journal/merge.h"
#include "store/journal/prune.h"
#include "store/journal/usage.h"
#include "store/match/failed_place.h"
#include "store/session/session.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

constexpr char kOne[] = "https://a:8443/1";
constexpr char kHost[] = "a";
constexpr std::uint16_t kPort = 8443;
constexpr std::int64_t kThen = 1'700'000'000'000'000;

/// What looks like a certificate from outside: a DER sequence of `size` bytes within.
std::string der(char fill, std::size_t size = 200) {
  std::string text = "\x30\x82";
  text += static_cast<char>(size >> 8);
  text += static_cast<char>(size & 0xFF);
  return text.append(size, fill);
}

ServerCertificate certificate(char leaf, bool trusted = false) {
  return {{der(leaf), der('\x01', 3)}, trusted};
}

class CertificatesTest : public StoreTest {
 protected:
  static Interaction entry(const ServerCertificate& certificate, std::int64_t recorded_at = kThen,
                           std::string_view host = kHost, std::uint16_t port = kPort) {
    Interaction result = certificate_entry(host, port, certificate);
    result.recorded_at = recorded_at;
    return result;
  }
  void save_all(const std::vector<Interaction>& interactions,
                const std::vector<Interaction>& certificates) {
    Cassette all{interactions, certificates};
    auto saved = save_cassette(settings_.cassette, all);
    ASSERT_TRUE(saved.ok()) << saved.error().message;
  }
  /// "x- y+": the first byte of each leaf and the verdict, in order.
  std::string saved_certificates() {
    auto loaded = load_cassette(settings_.cassette);
    if (!loaded) return "error: " + loaded.error().message;
    std::string text;
    for (const Interaction& each : loaded->certificates) {
      if (!text.empty()) text += ' ';
      text += each.certificate->chain.front().back();
      text += each.certificate->trusted ? '+' : '-';
    }
    return text;
  }
  /// A session that makes these records, and ends.
  void record(RecordMode mode, const std::vector<ServerCertificate>& certificates,
              bool ended_well = true, const std::vector<Interaction>& interactions = {}) {
    tree_ = new_tree();
    auto player = open(mode);
    for (const auto& each : interactions) ASSERT_TRUE(player->record(each).ok());
    for (const auto& each : certificates) player->record_certificate(kHost, kPort, each);
    player.leave(ended_well);
  }
};

TEST(Pem, GoesThereAndBack) {
  for (std::size_t size : {0, 1, 2, 44, 45, 46, 47, 48, 1000}) {
    std::string bytes = "\x30\x82";
    bytes += static_cast<char>(size >> 8);
    bytes += static_cast<char>(size & 0xFF);
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 7);
    const std::string pem = to_pem(bytes);
    auto back = certificates_from_pem("explanatory text\n" + pem + pem);
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(*back, (std::vector<std::string>{bytes, bytes}));
    EXPECT_TRUE(pem.ends_with("\n-----END CERTIFICATE-----\n"));
  }
  EXPECT_EQ(to_pem(std::string(49, '\0')), "-----BEGIN CERTIFICATE-----\n" + std::string(64, 'A') +
                                               "\nAA==\n" + "-----END CERTIFICATE-----\n");
}

TEST(Pem, SaysWhatIsDamaged) {
  const std::string pem = to_pem(der('x'));
  auto error_of = [](const std::string& text) {
    auto read = certificates_from_pem(text);
    return read.ok() ? std::to_string(read->size()) : read.error().message;
  };
  EXPECT_EQ(error_of(""), "0");
  EXPECT_EQ(error_of(to_pem(der('x'), "PRIVATE KEY")), "0");
  EXPECT_EQ(error_of(pem.substr(0, pem.size() - 4)), "a certificate without its END line");
  std::string cut = pem;
  cut.erase(40, 1);
  EXPECT_EQ(error_of(cut), "a certificate that is not complete base64");
  EXPECT_EQ(error_of(to_pem(der('x') + "x")), "a certificate that is no whole DER structure");
  EXPECT_EQ(error_of(to_pem(der('x').substr(0, 100))),
            "a certificate that is no whole DER structure");
  EXPECT_EQ(error_of(to_pem("")), "a certificate that is no whole DER structure");
  EXPECT_EQ(error_of(to_pem("\x30\x85")), "a certificate that is no whole DER structure");
}

TEST(Pem, KnowsTheLabels) {
  EXPECT_EQ(pem_labels("x -----BEGIN NO-----\n" + to_pem("a") + to_pem("b", "EC PRIVATE KEY") +
                       "-----BEGIN CUT"),
            (std::vector<std::string_view>{"CERTIFICATE", "EC PRIVATE KEY"}));
}

TEST_F(CertificatesTest, EachFormatKeepsThem) {
  for (const char* name : {"/c.yaml", "/c.json", "/c"}) {
    settings_.cassette = directory_ + name;
    save_all({interaction(kOne, "one", 5)},
             {entry(certificate('x', true)), entry(certificate('y'), 7, "::1", 1)});
    auto loaded = load_cassette(settings_.cassette);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(bodies(loaded->interactions), "one") << name;
    ASSERT_EQ(loaded->certificates.size(), 2u) << name;
    for (const Interaction& each : loaded->certificates) {
      const bool is_first = each.uri == "tls://a:8443/";
      EXPECT_EQ(each.uri, is_first ? "tls://a:8443/" : "tls://[::1]:1/");
      EXPECT_EQ(each.request.method, "CONNECT");
      EXPECT_EQ(*each.certificate, is_first ? certificate('x', true) : certificate('y'));
      EXPECT_EQ(each.recorded_at, is_first ? kThen : 7);
      EXPECT_FALSE(each.id.empty());
    }
    EXPECT_NE(loaded->certificates[0].id, loaded->certificates[1].id);
    // And once more: nothing moves.
    auto again = save_cassette(settings_.cassette, *loaded);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(load_cassette(settings_.cassette)->certificates[1].id, loaded->certificates[1].id);
  }
}

TEST_F(CertificatesTest, AreReadableInYaml) {
  const std::string text = interactions_to_yaml({entry({{der('x', 3)}, false})});
  EXPECT_EQ(text,
            "interactions:\n"
            "- request:\n"
            "    body: null\n"
            "    headers: {}\n"
            "    method: CONNECT\n"
            "    uri: tls://a:8443/\n"
            "  response: null\n"
            "  certificate:\n"
            "    chain:\n"
            "    - |\n"
            "      -----BEGIN CERTIFICATE-----\n"
            "      MIIAA3h4eA==\n"
            "      -----END CERTIFICATE-----\n"
            "    trusted: false\n"
            "  recorded_at: 2023-11-14T22:13:20.000000Z\n"
            "version: 1\n");
}

TEST_F(CertificatesTest, WhatIsDamagedIsAnErrorWithItsLine) {
  const std::string good = interactions_to_yaml({entry({{der('x', 3)}, false})});
  auto with = [&](const std::string& what, const std::string& instead) {
    std::string text = good;
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    text.replace(at, what.size(), instead);
    auto read = interactions_from_yaml(text, "c.yaml");
    return read.ok() ? "no error" : read.error().message;
  };
  EXPECT_EQ(with("MII", "MI"),
            "c.yaml:10: certificate.chain: a certificate that is not complete base64");
  EXPECT_EQ(with("MIIA", "MIIB"),
            "c.yaml:10: certificate.chain: a certificate that is no whole DER structure");
  EXPECT_EQ(with("-----END CERTIFICATE", "-----"),
            "c.yaml:10: certificate.chain: a certificate without its END line");
  EXPECT_EQ(with("BEGIN CERTIFICATE", "BEGIN KEY"),
            "c.yaml:10: certificate.chain: a text without a certificate in PEM");
  EXPECT_EQ(with("trusted: false", "trusted: maybe"),
            "c.yaml:14: certificate.trusted is neither true nor false");
  EXPECT_EQ(with("    trusted: false\n", ""),
            "c.yaml:9: certificate.trusted is neither true nor false");
  EXPECT_EQ(with("chain:", "chains:"), "c.yaml:9: certificate.chain is no list of certificates");
  EXPECT_EQ(with("certificate:", "certificates:"),
            "c.yaml:2: the entry of a server's certificate without `certificate`");
  EXPECT_EQ(with("tls://a:8443/", "tls://a/"),
            "c.yaml:3: request.uri is \"tls://a/\", where tls://host:port/ is expected");
  EXPECT_EQ(with("response: null", "error: EOF"),
            "c.yaml:7: a `certificate` with a response or an error beside it");
  // Beside a request it is another tool's key.
  EXPECT_EQ(with("tls://a:8443/", "http://a:8443/"),
            "c.yaml:2: an interaction with neither `response` nor `error`");
}

TEST_F(CertificatesTest, AnImageFindsThemByTheirPlace) {
  const Matcher matcher(MatchOn{}, Redactor({}, {}, {}));
  Cassette cassette{{interaction(kOne, "one")},
                    {entry(certificate('o', true), 1, "b", 2), entry(certificate('x'), 2),
                     entry(certificate('l'), 3, "127.0.0.1", 3), entry(certificate('y', true), 4)}};
  auto bytes = compile_image(cassette, matcher, {"/c.yaml", "settings", true});
  ASSERT_TRUE(bytes.ok());
  auto image = Image::from_bytes(*bytes);
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image->size(), 1u);
  EXPECT_EQ(image->certificate("A", 8443).certificate, certificate('y', true));
  EXPECT_EQ(image->certificate("a", 8443).recorded_at, 4);
  EXPECT_EQ(image->certificate("b", 2).certificate, certificate('o', true));
  EXPECT_EQ(image->certificate("localhost", 3).certificate, certificate('l'));
  EXPECT_EQ(image->certificate("a", 443).certificate, ServerCertificate{});
  EXPECT_FALSE(image->answers_for("b", 2));
  EXPECT_TRUE(image->answers_for("a", 8443));
}

TEST_F(CertificatesTest, ARecordingOfOnlyOneIsACassette) {
  record(RecordMode::kOnce, {certificate('x')});
  EXPECT_EQ(saved_certificates(), "x-");
  EXPECT_EQ(saved_bodies(), "");
  for (RecordMode mode : {RecordMode::kOnce, RecordMode::kNone, RecordMode::kNewEpisodes}) {
    tree_ = new_tree();
    auto player = open(mode);
    EXPECT_EQ(player->certificate_of("A", kPort).certificate, certificate('x'));
    EXPECT_GT(player->certificate_of(kHost, kPort).recorded_at, kThen);
    EXPECT_TRUE(player->certificate_of(kHost, 443).certificate.chain.empty());
    EXPECT_FALSE(player->answers_for(kHost, kPort));
    EXPECT_EQ(player->upstream_policy(kHost, kPort), mode == RecordMode::kNewEpisodes
                                                         ? UpstreamPolicy::kAtConnect
                                                         : UpstreamPolicy::kNever);
    EXPECT_EQ(player->cassette_size(), 0u);
    // What does not record writes nothing.
    if (mode != RecordMode::kNewEpisodes)
      player->record_certificate(kHost, kPort, certificate('y'));
    player.leave();
    EXPECT_EQ(saved_certificates(), "x-");
  }
}

TEST_F(CertificatesTest, CountNowhere) {
  tree_ = new_tree();
  auto player = open(RecordMode::kOnce);
  ASSERT_TRUE(player->record(interaction(kOne, "one")).ok());
  player->record_certificate(kHost, kPort, certificate('x'));
  player->record_certificate(kHost, kPort, certificate('x'));
  player->record_certificate("A", kPort, certificate('x', true));
  auto journal_now = read_journal(read(journal()), "j");
  EXPECT_EQ(journal_now.records.size(), 3u);  // the second says nothing new
  player.leave();

  tree_ = new_tree();
  settings_.order = Order::kSequential;
  settings_.mode = RecordMode::kNone;
  auto session = Session::join(settings_, tree_);
  ASSERT_TRUE(session.ok());
  auto replay = open(RecordMode::kNone);
  EXPECT_EQ(*replay->index(), 0u);
  EXPECT_EQ(replay->certificate_of(kHost, kPort).certificate, certificate('x'));
  EXPECT_EQ(answer(*replay, kOne), "one");
  EXPECT_EQ(*replay->index(), 1u);
  auto counts = (*session)->counts();
  ASSERT_TRUE(counts.ok() && counts->size() == 1);
  EXPECT_EQ(counts->front().interactions, 1u);
  EXPECT_EQ(counts->front().replayed, 1u);
  EXPECT_EQ(counts->front().unused, 0u);
  replay.leave();
  (*session)->leave(true);
  auto report = find_unused(settings_, cassette());
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->unused.empty());
}

TEST_F(CertificatesTest, StayWhenWhatIsUnusedIsPruned) {
  save_all({interaction(kOne, "one")}, {entry(certificate('x'))});
  const std::string id = load_cassette(cassette())->interactions[0].id;
  const std::string own = load_cassette(cassette())->certificates[0].id;
  auto removed = prune_cassette(settings_, cassette(), {id, own});
  ASSERT_TRUE(removed.ok()) << removed.error().message;
  EXPECT_EQ(*removed, std::vector<std::string>{id});
  EXPECT_EQ(saved_certificates(), "x-");
}

TEST_F(CertificatesTest, InOneRecordingAllMustTrustIt) {
  record(RecordMode::kOnce, {certificate('x', true), certificate('x', false)});
  EXPECT_EQ(saved_certificates(), "x-");
  std::filesystem::remove(cassette());
  record(RecordMode::kOnce, {certificate('x', false), certificate('x', true)});
  EXPECT_EQ(saved_certificates(), "x-");
  std::filesystem::remove(cassette());
  record(RecordMode::kOnce, {certificate('x', true)});
  EXPECT_EQ(saved_certificates(), "x+");
  // Of two the newer one.
  record(RecordMode::kNewEpisodes, {certificate('y', false), certificate('z', true)});
  EXPECT_EQ(saved_certificates(), "z+");
}

TEST_F(CertificatesTest, ANamedSessionIsOneRecordingHoweverOftenItIsMerged) {
  settings_.session = "t1";
  for (bool trusted : {true, false, true})
    record(RecordMode::kNewEpisodes, {certificate('x', trusted)});
  EXPECT_EQ(saved_certificates(), "x-");
}

TEST_F(CertificatesTest, TheNewestRecordingCounts) {
  for (RecordMode mode : {RecordMode::kNewEpisodes, RecordMode::kAll, RecordMode::kRewrite}) {
    for (const char* name : {"/c.yaml", "/c"}) {
      std::filesystem::remove_all(directory_ + name);
      settings_.cassette = directory_ + name;
      save_all({interaction(kOne, "one", 5)},
               {entry(certificate('x')), entry(certificate('o'), kThen, "other", 1)});
      record(mode, {certificate('x', true)});
      EXPECT_EQ(saved_bodies(), "one") << "with nothing else recorded, nothing else is replaced";
      std::string sorted = saved_certificates();
      EXPECT_TRUE(sorted == "x+ o-" || sorted == "o- x+") << sorted;
      record(mode, {{}}, true, {interaction(kOne, "two")});
      EXPECT_EQ(saved_certificates(), mode == RecordMode::kRewrite ? "" : "o-");
      if (mode != RecordMode::kNewEpisodes) {
        EXPECT_EQ(saved_bodies(), "two");
      }
    }
  }
}

TEST_F(CertificatesTest, AnOrdinaryServerIsNoEntry) {
  record(RecordMode::kOnce, {{}});
  EXPECT_FALSE(exists(cassette()));
  save_all({}, {entry(certificate('x'))});
  // Another program of the same recording did not find it ordinary.
  record(RecordMode::kNewEpisodes, {certificate('y'), {}});
  EXPECT_EQ(saved_certificates(), "y-");
  record(RecordMode::kNewEpisodes, {{}});
  EXPECT_EQ(saved_certificates(), "");
}

TEST_F(CertificatesTest, AFailedSessionKeepsThemAsItKeepsTheRest) {
  save_all({interaction(kOne, "one")}, {entry(certificate('x'))});
  const std::string before = read(cassette());
  for (RecordMode mode : {RecordMode::kAll, RecordMode::kRewrite}) {
    record(mode, {certificate('y')}, false, {interaction(kOne, "two")});
    EXPECT_EQ(read(cassette()), before);
  }
  record(RecordMode::kNewEpisodes, {certificate('y')}, false);
  EXPECT_EQ(saved_certificates(), "y-");
}

// A merger that died between saving the cassette and removing the journal.
TEST_F(CertificatesTest, MergingAgainChangesNothing) {
  const Matcher matcher{MatchOn{}, Redactor({}, {}, {})};
  for (RecordMode mode : {RecordMode::kNewEpisodes, RecordMode::kAll, RecordMode::kRewrite}) {
    save_all({interaction(kOne, "old", 5)}, {entry(certificate('x'), 5)});
    JournalRecord record;
    record.session = "1-2@" + std::to_string(kThen * 1000);
    record.mode = mode;
    for (int i = 0; i < 3; ++i) {
      record.began = static_cast<std::uint64_t>(kThen + 10 + i) * 1000;
      record.sequence = static_cast<std::uint64_t>(i);
      record.interaction = entry(certificate('y', i != 0), kThen + 10 + i);
      if (i == 2) record.interaction = interaction(kOne, "new", kThen + 12);
      ASSERT_TRUE(Journal(cassette()).append(record).ok());
    }
    const std::string bytes = read(journal());
    EndedSession session;
    session.token = record.session;
    session.died = false;
    session.ended_well = true;
    session.matcher = &matcher;
    session.recorded = 1;
    // Readers see it as it will be.
    auto together = load_with_journal(cassette());
    ASSERT_TRUE(together.ok());
    ASSERT_EQ(together->certificates.size(), 1u);
    EXPECT_EQ(*together->certificates[0].certificate, certificate('y'));
    auto merged = merge_journal(cassette(), settings_.runtime_dir, session);
    ASSERT_TRUE(merged.ok());
    EXPECT_EQ(merged->merged, 1u);
    EXPECT_EQ(merged->of_session, 1u);
    EXPECT_EQ(saved_certificates(), "y-");
    const std::string once = read(cassette());
    write(journal(), bytes);
    ASSERT_TRUE(merge_journal(cassette(), settings_.runtime_dir, session).ok());
    EXPECT_EQ(read(cassette()), once);
    EXPECT_FALSE(exists(journal()));
  }
}

TEST_F(CertificatesTest, FallbacksAreAskedInTurn) {
  auto save_as = [&](const std::string& name, Cassette all) {
    ASSERT_TRUE(save_cassette(directory_ + "/" + name, all).ok());
  };
  save_as("old.yaml", {{interaction("https://b:1/", "b")},
                       {entry(certificate('o')), entry(certificate('p'), 1, "b", 1)}});
  settings_.fallbacks = {directory_ + "/old.yaml"};
  save_all({interaction("https://b:1/", "b")}, {entry(certificate('n'), 1, "c", 1)});
  auto player = open(RecordMode::kNone);
  EXPECT_EQ(player->certificate_of("c", 1).certificate, certificate('n'));
  EXPECT_EQ(player->certificate_of(kHost, kPort).certificate, certificate('o'));
  // The first has met it, as an ordinary server.
  EXPECT_TRUE(player->certificate_of("b", 1).certificate.chain.empty());
  player.leave();
}

}  // namespace
}  // namespace cassette
