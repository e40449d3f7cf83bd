// Bytes on their way out: order, views, partial sends, times.
#include "preload/engine/conversation/output.h"

#include <gtest/gtest.h>

namespace cassette {
namespace {

std::string drain(Output& output, std::size_t step, Output::Time now = 0) {
  std::string all;
  for (std::string_view front = output.front(now); !front.empty(); front = output.front(now)) {
    std::size_t take = std::min(step, front.size());
    all.append(front.substr(0, take));
    output.consume(take);
  }
  return all;
}

TEST(Output, GivesBackWhatWentInWhateverTheSteps) {
  for (std::size_t step : {1, 2, 3, 7, 1000}) {
    Output output;
    output.add_copy("one ");
    output.add_view("two ");
    output.add_copy("three ");
    output.add_copy("four");
    EXPECT_EQ(output.size(), 18U);
    EXPECT_EQ(drain(output, step), "one two three four");
    EXPECT_TRUE(output.empty());
    EXPECT_EQ(output.size(), 0U);
  }
}

TEST(Output, EmptyBytesAreNothing) {
  Output output;
  output.add_copy("");
  output.add_view("");
  EXPECT_TRUE(output.empty());
}

TEST(Output, HoldsBackWhatIsNotDueAndAllBehindIt) {
  Output output;
  output.add_view("now");
  output.add_view("later", 100);
  output.add_view("last");
  EXPECT_EQ(drain(output, 10, 50), "now");
  EXPECT_EQ(output.next_due(), 100);
  EXPECT_EQ(drain(output, 10, 100), "laterlast");
  EXPECT_EQ(output.next_due(), 0);
}

TEST(Output, StaysInOrderOverManyParts) {
  Output output;
  std::string expected;
  std::string got;
  for (int i = 0; i < 1000; ++i) {
    std::string part = std::to_string(i) + ",";
    expected += part;
    output.add_copy(part, i % 2);  // no two of one time side by side: each is a part of its own
    if (i % 3 == 0) {
      std::string_view front = output.front(1);
      got.append(front);
      output.consume(front.size());
    }
  }
  got += drain(output, 5, 1);
  EXPECT_EQ(got, expected);
}

}  // namespace
}  // namespace cassette
