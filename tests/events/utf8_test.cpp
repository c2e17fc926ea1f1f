#include <tidings/detail/utf8.hpp>

#include <gtest/gtest.h>

#include <string>

namespace tidings::detail {
namespace {

TEST(Utf8, ReadsOneCodePointOfEachLength) {
  EXPECT_EQ(first_code_point("A").value, U'A');
  EXPECT_EQ(first_code_point("\xC3\xA9x").value, U'\u00e9');
  EXPECT_EQ(first_code_point("\xE2\x82\xACx").value, U'\u20ac');
  EXPECT_EQ(first_code_point("\xF0\x9F\x98\x80x").value, U'\U0001F600');
  EXPECT_EQ(first_code_point("\xF0\x9F\x98\x80x").length, 4U);
  EXPECT_EQ(first_code_point(std::string_view("\0", 1)).length, 1U);
  EXPECT_EQ(first_code_point("").length, 0U);
  EXPECT_TRUE(first_code_point("A").valid);
  EXPECT_FALSE(first_code_point("").valid);
}

TEST(Utf8, TakesOfIllFormedTextAsMuchAsOneReplacementStandsFor) {
  const auto ill_formed = [](std::string_view text) {
    const CodePoint piece = first_code_point(text);
    EXPECT_FALSE(piece.valid);
    EXPECT_EQ(piece.value, U'\uFFFD');
    return piece.length;
  };
  EXPECT_EQ(ill_formed("\xFF"), 1U);
  EXPECT_EQ(ill_formed("\x80\x80"), 1U);
  EXPECT_EQ(ill_formed("\xE2\x82"), 2U) << "cut off";
  EXPECT_EQ(ill_formed("\xE2\x28\xA1"), 1U);
  EXPECT_EQ(ill_formed("\xF0\x9F\x98x"), 3U);
  EXPECT_EQ(ill_formed("\xED\xA0\x80"), 1U) << "a surrogate";
}

TEST(Utf8, AcceptsTheEndsOfEveryRange) {
  for (const char* text : {"\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_valid_utf8(text));
  }
}

TEST(Utf8, RefusesWhatIsIllFormed) {
  for (const char* text :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xC2\xC0", "\xE0\x9F\xBF", "\xE2\x82",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF0\x9F\x98", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFE", "\xFF", "\xE2\x82\x41"}) {
    EXPECT_FALSE(is_valid_utf8(text));
    EXPECT_FALSE(is_valid_utf8("12345678" + std::string(text)));
    EXPECT_FALSE(is_valid_utf8(text + std::string("12345678")));
  }
}

TEST(Utf8, ALongTextIsReadWhole) {
  std::string text(1001, 'a');
  text.append("\xE2\x82\xAC").append(1001, 'b');
  EXPECT_TRUE(is_valid_utf8(text));
  text.push_back('\xFF');
  EXPECT_FALSE(is_valid_utf8(text));
  EXPECT_TRUE(is_valid_utf8(""));
}

}  // namespace
}  // namespace tidings::detail
