#include <tidings/ids.hpp>

#include <gtest/gtest.h>

namespace tidings {
namespace {

constexpr std::string_view kUuid = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

TEST(CorrelationId, IsEmptyUntilSet) {
  EXPECT_TRUE(CorrelationId().empty());
  EXPECT_EQ(CorrelationId().to_string(), "");
  EXPECT_EQ(CorrelationId(), CorrelationId());
}

TEST(CorrelationId, MayBeAnEventsOwnId) {
  const CorrelationId id(*EventId::parse(kUuid));
  EXPECT_FALSE(id.empty());
  EXPECT_EQ(id.to_string(), kUuid);
}

TEST(CorrelationId, ALowercaseUuidIsTheSameIdInTextAndBinary) {
  EXPECT_EQ(CorrelationId::parse(kUuid), CorrelationId(*EventId::parse(kUuid)));
}

TEST(CorrelationId, KeepsEveryOtherTextAsItIs) {
  const std::string longest(128, '~');
  for (const std::string_view text :
       {std::string_view("a"), std::string_view("!"),
        std::string_view("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"),
        std::string_view("017f22e2-79b0-7cc3-98c4-dc0c0c07398"),
        std::string_view("017f22e2_79b0-7cc3-98c4-dc0c0c07398f"),
        std::string_view("';DROP/**/TABLE;--\"<script>"), std::string_view(longest)}) {
    const auto id = CorrelationId::parse(text);
    ASSERT_TRUE(id) << text;
    EXPECT_EQ(id->to_string(), text);
    EXPECT_FALSE(id->empty());
  }
}

TEST(CorrelationId, TheNilUuidAsTextIsAnIdLikeAnyOther) {
  const auto id = CorrelationId::parse("00000000-0000-0000-0000-000000000000");
  ASSERT_TRUE(id);
  EXPECT_FALSE(id->empty());
  EXPECT_NE(*id, CorrelationId());
  EXPECT_EQ(id->to_string(), "00000000-0000-0000-0000-000000000000");
}

TEST(CorrelationId, RefusesWhatIsNotVisibleAscii) {
  for (const std::string& text :
       {std::string(), std::string(" "), std::string("a b"), std::string("a\r\nSet-Cookie: x"),
        std::string("a\0b", 3), std::string("\x7F"), std::string("\xC3\xA9"), std::string("\x1B[31m"),
        std::string(129, 'a'), std::string(1 << 20, 'a')}) {
    EXPECT_FALSE(CorrelationId::parse(text)) << text.substr(0, 20);
  }
}

TEST(CorrelationId, CopiesAreEqualWhateverWasThereBefore) {
  CorrelationId id = *CorrelationId::parse(std::string(128, 'x'));
  id = *CorrelationId::parse("short");
  EXPECT_EQ(id, CorrelationId::parse("short"));
  id = CorrelationId(*EventId::parse(kUuid));
  EXPECT_EQ(id.to_string(), kUuid);
  id = CorrelationId();
  EXPECT_TRUE(id.empty());
  const CorrelationId& itself = id;
  id = itself;
  EXPECT_EQ(id, CorrelationId());
}

TEST(CorrelationId, TextsOfDifferentLengthDiffer) {
  EXPECT_NE(CorrelationId::parse("ab"), CorrelationId::parse("abc"));
  EXPECT_NE(CorrelationId::parse("0123456789abcdef"), CorrelationId());
}

}  // namespace
}  // namespace tidings
