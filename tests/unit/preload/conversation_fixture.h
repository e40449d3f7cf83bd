// A connection without a socket: what goes to the program and to the server, byte for byte, with a real
// player on a real cassette in a temporary directory.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "preload/engine/conversation/conversation.h"
#include "store/cassette.h"
#include "store/log.h"

namespace cassette {
inline constexpr char kGet[] = "GET /a HTTP/1.1\r\nHost: h.example\r\n\r\n";
inline constexpr char kAnswer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

class ConversationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "conversation-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    settings_.cassette = folder_ + "/c.yaml";
    settings_.runtime_dir = folder_ + "/run";
    settings_.state_dir = folder_ + "/state";
    configure_log(LogLevel::kOff, "");
  }
  void TearDown() override {
    finish_session();
    std::filesystem::remove_all(folder_);
  }

  /// A new session: what earlier ones recorded is in the cassette.
  void finish_session() {
    conversation_.reset();
    if (deck_) deck_->leave();
    deck_.reset();
  }

  Conversation& open(RecordMode mode = RecordMode::kOnce, const std::string& host = "h.example") {
    const Conversation::Terms terms = terms_of(mode, host);
    conversation_ = std::make_unique<Conversation>(*deck_, terms);
    return *conversation_;
  }
  /// `mode`: of the deck, if there is none.
  Conversation::Terms terms_of(RecordMode mode, const std::string& host) {
    if (!deck_) {
      settings_.mode = mode;
      deck_ = std::make_unique<Deck>(settings_, "");
    }
    Conversation::Terms terms;
    terms.host = host;
    terms.port = 80;
    terms.policy = deck_->current()->upstream_policy(terms.host, terms.port);
    terms.may_relay = deck_->current()->may_relay();
    terms.reset_on_miss = settings_.on_miss == OnMiss::kReset;
    terms.replay_speed = settings_.replay_speed;
    return terms;
  }

  static std::string drain(Output& output) {
    std::string all;
    for (auto front = output.front(0); !front.empty(); front = output.front(0)) {
      all.append(front);
      output.consume(front.size());
    }
    return all;
  }
  std::string program() { return drain(conversation_->to_program()); }
  std::string upstream() { return drain(conversation_->to_upstream()); }

  void record(std::string_view request, std::string_view answer) {
    Conversation& conversation = open();
    conversation.from_program(request);
    conversation.from_upstream(answer);
    finish_session();
  }

  /// A cassette that somebody wrote.
  void write(Interaction interaction) {
    Cassette cassette;
    cassette.interactions.push_back(std::move(interaction));
    ASSERT_TRUE(save_cassette(settings_.cassette, cassette).ok());
  }

  std::vector<Interaction> recorded() {
    finish_session();
    auto cassette = load_cassette(settings_.cassette);
    EXPECT_TRUE(cassette.ok()) << cassette.error().message;
    return cassette.ok() ? cassette->interactions : std::vector<Interaction>{};
  }

  std::string folder_;
  Settings settings_;
  std::unique_ptr<Deck> deck_;
  std::unique_ptr<Conversation> conversation_;
};

}  // namespace cassette
