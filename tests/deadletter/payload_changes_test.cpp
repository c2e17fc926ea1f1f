#include "letters/payload_changes.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tidings::deadletter {
namespace {

Json masked(const Json& before, const Json& after) {
  return describe_changes(before, after, ShownValues::Masked);
}

TEST(PayloadChangesTest, NothingIsSaidOfWhatIsTheSame) {
  EXPECT_EQ(masked({{"a", 1}, {"b", {1, 2}}}, {{"b", {1, 2}}, {"a", 1}}), Json::array());
}

TEST(PayloadChangesTest, EachPlaceIsNamedByItsPointer) {
  EXPECT_EQ(masked({{"a", {{"x/y", 1}, {"~", true}}}}, {{"a", {{"x/y", 2}, {"~", nullptr}}}}),
            (Json{{{"path", "/a/x~1y"}, {"before", 1}, {"after", 2}},
                  {{"path", "/a/~0"}, {"before", true}, {"after", nullptr}}}));
}

TEST(PayloadChangesTest, WhatIsThereOnOneSideAloneHasNoOther) {
  EXPECT_EQ(masked({{"gone", 1}}, {{"new", "x"}}),
            (Json{{{"path", "/gone"}, {"before", 1}}, {{"path", "/new"}, {"after", "x"}}}));
}

TEST(PayloadChangesTest, AnotherKindIsOneChange) {
  EXPECT_EQ(masked({{"a", {1, 2}}}, {{"a", 3}}),
            Json::array({{{"path", "/a"}, {"before", "[1,2]"}, {"after", 3}}}));
  EXPECT_EQ(masked(1, 2), Json::array({{{"path", ""}, {"before", 1}, {"after", 2}}}));
}

TEST(PayloadChangesTest, LongValuesAreCutAndManyAreCounted) {
  const std::string long_text(10'000, 'x');
  EXPECT_LT(masked({{"a", "b"}}, {{"a", long_text}}).dump().size(), 500U);
  Json before;
  for (int n = 0; n < 150; ++n) before["k" + std::to_string(n)] = n;
  const Json changes = masked(before, Json::object());
  EXPECT_EQ(changes.size(), 101U);
  EXPECT_EQ(changes.back(), (Json{{"more", 50}}));
  EXPECT_EQ(paths_of(changes).size(), 100U);
}

TEST(PayloadChangesTest, WithoutValuesPlacesAreNamedAlone) {
  EXPECT_EQ(describe_changes({{"a", 1}}, {{"a", 2}}, ShownValues::None), Json::array({{{"path", "/a"}}}));
}

TEST(PayloadChangesTest, DepthIsNoProblem) {
  Json before = 1;
  Json after = 2;
  for (int depth = 0; depth < 1000; ++depth) {
    before = Json::array({std::move(before)});
    after = Json::array({std::move(after)});
  }
  EXPECT_EQ(masked(before, after).size(), 1U);
}

}  // namespace
}  // namespace tidings::deadletter
