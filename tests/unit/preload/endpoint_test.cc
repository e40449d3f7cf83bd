// Addresses in and out, and the names that stand for made-up ones.
#include "preload/engine/connection/endpoint.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>

#include "preload/engine/connection/names.h"

namespace cassette {
namespace {

Endpoint v4(const char* text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, text, &address.sin_addr);
  return *Endpoint::from(reinterpret_cast<sockaddr*>(&address), sizeof address);
}

Endpoint v6(const char* text, std::uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  inet_pton(AF_INET6, text, &address.sin6_addr);
  return *Endpoint::from(reinterpret_cast<sockaddr*>(&address), sizeof address);
}

TEST(Endpoint, TellsHostAndPort) {
  EXPECT_EQ(v4("10.1.2.3", 8080).host(), "10.1.2.3");
  EXPECT_EQ(v4("10.1.2.3", 8080).port(), 8080);
  EXPECT_EQ(v6("2001:db8::1", 80).host(), "2001:db8::1");
  EXPECT_EQ(v6("::ffff:10.1.2.3", 80).host(), "10.1.2.3");
}

TEST(Endpoint, KnowsLoopback) {
  EXPECT_TRUE(v4("127.8.8.8", 1).is_loopback());
  EXPECT_TRUE(v6("::1", 1).is_loopback());
  EXPECT_TRUE(v6("::ffff:127.0.0.1", 1).is_loopback());
  EXPECT_FALSE(v4("128.0.0.1", 1).is_loopback());
}

TEST(Endpoint, RefusesWhatIsCutShortOrNotInternet) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  EXPECT_FALSE(Endpoint::from(reinterpret_cast<sockaddr*>(&address), 8));
  address.sin_family = AF_UNIX;
  EXPECT_FALSE(Endpoint::from(reinterpret_cast<sockaddr*>(&address), sizeof address));
  EXPECT_FALSE(Endpoint::from(nullptr, 0));
}

TEST(Endpoint, CopiesOutCutToTheRoomButTellsTheWholeLength) {
  sockaddr_storage out{};
  socklen_t length = 4;
  v4("10.1.2.3", 80).copy_to(reinterpret_cast<sockaddr*>(&out), &length);
  EXPECT_EQ(length, sizeof(sockaddr_in));
  EXPECT_EQ(reinterpret_cast<sockaddr_in&>(out).sin_addr.s_addr, 0U);  // beyond the four bytes
}

TEST(Endpoint, LeavesOtherProtocolsPortsAlone) {
  for (std::uint16_t port :
       {22, 25, 53, 110, 143, 389, 587, 993, 995, 3306, 5432, 6379, 11211, 27017}) {
    EXPECT_TRUE(is_left_alone(port)) << port;
  }
  for (std::uint16_t port :
       {465, 563, 636, 989, 990, 992, 994, 3269, 5061, 5223, 5671, 6380, 6697, 8883, 27019}) {
    EXPECT_TRUE(is_left_alone(port)) << port << ", with TLS from the first byte";
  }
  for (std::uint16_t port : {80, 443, 8080, 8443, 3000, 9200})
    EXPECT_FALSE(is_left_alone(port)) << port;
}

TEST(Names, MakesUpAnAddressThatStandsForTheName) {
  Names names;
  Endpoint first = names.made_up("api.example.com", AF_INET);
  Endpoint again = names.made_up("api.example.com", AF_INET);
  Endpoint other = names.made_up("www.example.com", AF_INET6);
  EXPECT_EQ(first.host(), again.host());
  EXPECT_TRUE(first.host().starts_with("198.1")) << first.host();  // 198.18.0.0/15
  EXPECT_TRUE(Names::is_made_up(first));
  EXPECT_TRUE(Names::is_made_up(other));
  EXPECT_EQ(names.name_of(first), "api.example.com");
  EXPECT_EQ(names.name_of(other), "www.example.com");
  EXPECT_FALSE(Names::is_made_up(v4("198.20.0.1", 80)));
  EXPECT_FALSE(Names::is_made_up(v6("2001:db8::1", 80)));
}

TEST(Names, GivesTenThousandNamesAddressesOfTheirOwn) {
  Names names;
  for (int i = 0; i < 10000; ++i) {
    std::string name = "host" + std::to_string(i) + ".example";
    EXPECT_EQ(names.name_of(names.made_up(name, AF_INET)), name);
  }
}

TEST(Names, RemembersWhatTheResolverSaidLast) {
  Names names;
  EXPECT_EQ(names.name_of(v4("10.0.0.1", 80)), std::nullopt);
  names.remember("a.example", v4("10.0.0.1", 80));
  names.remember("b.example", v4("10.0.0.1", 8080));
  EXPECT_EQ(names.name_of(v4("10.0.0.1", 443)), "b.example");
}

TEST(Names, TellsNumbersFromNames) {
  for (const char* text : {"127.0.0.1", "127.1", "::1", "fe80::1%lo"}) {
    EXPECT_TRUE(is_numeric_host(text)) << text;
  }
  for (const char* text : {"localhost", "api.example.com", "1a.example"}) {
    EXPECT_FALSE(is_numeric_host(text)) << text;
  }
}

}  // namespace
}  // namespace cassette
