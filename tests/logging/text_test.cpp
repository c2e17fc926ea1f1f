#include <tidings/logging/text.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace tidings::logging {
namespace {

TEST(SanitizeTextTest, GoodTextIsUnchanged) {
  EXPECT_EQ(sanitize_text("", 10), "");
  EXPECT_EQ(sanitize_text("two\nlines\tand \xc3\xa9\xf0\x9f\x98\x80", 100),
            "two\nlines\tand \xc3\xa9\xf0\x9f\x98\x80");
}

TEST(SanitizeTextTest, ControlCharactersAreSpelledOut) {
  EXPECT_EQ(sanitize_text(std::string("a\0b", 3), 100), "a\\x00b");
  EXPECT_EQ(sanitize_text("a\r\x1b[31m\x7f", 100), "a\\x0d\\x1b[31m\\x7f");
  EXPECT_EQ(sanitize_text("\xc2\x9b"
                          "31m",
                          100),
            "\\x9b31m")
      << "the one-character form of ESC [";
}

TEST(SanitizeTextTest, InvalidUtf8IsReplaced) {
  EXPECT_EQ(sanitize_text("a\xff\xfe"
                          "b",
                          100),
            "a\xef\xbf\xbd\xef\xbf\xbd"
            "b");
  EXPECT_EQ(sanitize_text("\xe2\x82", 100), "\xef\xbf\xbd");
  EXPECT_EQ(sanitize_text("\xed\xa0\x80", 100), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") << "a lone surrogate";
}

TEST(SanitizeTextTest, LongTextIsCutAndSaysSo) {
  EXPECT_EQ(sanitize_text(std::string(1'048'576, 'x'), 4), "xxxx ... (1048576 bytes in all)");
  EXPECT_EQ(sanitize_text("xxxx", 4), "xxxx");
}

TEST(SanitizeTextTest, ACutNeverSplitsACharacterOrAnEscape) {
  EXPECT_EQ(sanitize_text("ab\xc3\xa9", 3), "ab ... (4 bytes in all)");
  EXPECT_EQ(sanitize_text("ab\x01", 5), "ab ... (3 bytes in all)");
  EXPECT_EQ(sanitize_text("\xf0\x9f\x98\x80", 0), " ... (4 bytes in all)");
}

TEST(SanitizeTextTest, TheResultIsAlwaysValidUtf8) {
  std::string hostile;
  for (int byte = 0; byte < 256; ++byte)
    hostile += std::string(3, static_cast<char>(byte)) + static_cast<char>(255 - byte);
  for (std::size_t limit = 0; limit < 300; ++limit) {
    EXPECT_NO_THROW(static_cast<void>(nlohmann::json(sanitize_text(hostile, limit)).dump())) << limit;
  }
}

}  // namespace
}  // namespace tidings::logging
