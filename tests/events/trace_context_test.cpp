#include <tidings/trace_context.hpp>

#include <gtest/gtest.h>

namespace tidings {
namespace {

// The example of W3C Trace Context, section 3.2.4.
constexpr std::string_view kExampleOfTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(SpanId, IsSixteenDigitsNotAllZero) {
  const auto span = SpanId::parse("00f067aa0ba902b7");
  ASSERT_TRUE(span);
  EXPECT_EQ(span->to_string(), "00f067aa0ba902b7");
  for (const char* wrong :
       {"", "0000000000000000", "00F067AA0BA902B7", "00f067aa0ba902b", "00f067aa0ba902b7a"})
    EXPECT_FALSE(SpanId::parse(wrong)) << wrong;
}

TEST(TraceId, IsThirtyTwoDigitsNotAllZero) {
  const auto trace = TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736");
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
  for (const char* wrong : {"", "00000000000000000000000000000000", "4BF92F3577B34DA6A3CE929D0E0E4736",
                            "4bf92f3577b34da6a3ce929d0e0e473", "4bf92f3577b34da6a3ce929d0e0e47360"})
    EXPECT_FALSE(TraceId::parse(wrong)) << wrong;
}

TEST(TraceParent, ReadsTheExampleOfTheSpecification) {
  const auto parent = TraceParent::parse(kExampleOfTraceparent);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->trace_id_text(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(parent->parent_id_text(), "b7ad6b7169203331");
  EXPECT_EQ(parent->flags, 1);
  EXPECT_TRUE(parent->sampled());
  EXPECT_EQ(parent->to_string(), kExampleOfTraceparent);
}

TEST(TraceParent, BitZeroOfTheFlagsIsSampled) {
  EXPECT_FALSE(TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")->sampled());
  const auto other_bits = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe");
  EXPECT_FALSE(other_bits->sampled());
  EXPECT_EQ(other_bits->to_string().substr(53), "00");
}

TEST(TraceParent, AHigherVersionIsReadByItsPrefixAndWrittenAsZero) {
  for (const std::string_view text :
       {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings"}) {
    const auto parent = TraceParent::parse(text);
    ASSERT_TRUE(parent) << text;
    EXPECT_EQ(parent->to_string(), kExampleOfTraceparent);
  }
}

class Invalid : public testing::TestWithParam<const char*> {};

TEST_P(Invalid, IsNothing) { EXPECT_FALSE(TraceParent::parse(GetParam())); }

INSTANTIATE_TEST_SUITE_P(TraceParent, Invalid,
                         testing::Values("", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                                         "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
                                         "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
                                         "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what",
                                         "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                         "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                         "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                         "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                         "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                                         "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
                                         "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0A",
                                         "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                         "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
                                         "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
                                         "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
                                         " 0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));

TEST(TraceParent, ZeroesFlagsThatItDoesNotKnow) {
  const auto parent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff");
  EXPECT_EQ(parent.value().to_string(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  TraceParent made = parent.value();
  made.flags = 0xFE;
  EXPECT_EQ(made.to_string(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
}

TEST(Tracestate, IsShortenedByWholeMembers) {
  EXPECT_EQ(limited_tracestate("a=1\t,\t b=2,,c=3 "), "a=1,b=2,c=3");
  const std::string long_member = "long=" + std::string(130, 'x');
  std::string many = "first=1," + long_member;
  std::string kept = "first=1";
  for (int i = 10; i < 50; ++i) {
    const std::string member = ",m" + std::to_string(i) + "=12345678";
    many += member;
    if (kept.size() + member.size() <= 512) kept += member;
  }
  EXPECT_EQ(limited_tracestate(many), kept);
  EXPECT_EQ(limited_tracestate("a=b\r\nX-Evil: 1"), "");
}

TEST(Tracestate, IsAtMostFiveHundredTwelvePrintableCharacters) {
  EXPECT_TRUE(is_valid_tracestate(""));
  EXPECT_TRUE(is_valid_tracestate("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"));
  EXPECT_TRUE(is_valid_tracestate(std::string(512, 'a')));
  EXPECT_FALSE(is_valid_tracestate(std::string(513, 'a')));
  EXPECT_FALSE(is_valid_tracestate("a=b\r\nX-Evil: 1"));
  EXPECT_FALSE(is_valid_tracestate("a=\xC3\xA9"));
  EXPECT_FALSE(is_valid_tracestate(std::string_view("a\0", 2)));
  EXPECT_FALSE(is_valid_tracestate("a\x7F"));
}

}  // namespace
}  // namespace tidings
