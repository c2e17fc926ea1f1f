#include "check_dead_letters/printable.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace tidings::check_dead_letters {
namespace {

using namespace std::string_literals;

TEST(Printable, LeavesOrdinaryTextOfAnyLanguageAlone) {
  for (const char* text : {"", "plain text: 42%", "Bestellung ungültig", "注文が無効です", "🚚 gone"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesLineBreaksAndControlCharacters) {
  EXPECT_EQ(printable("a\nb\r\nc\td"), "a\\nb\\r\\nc\\td");
  EXPECT_EQ(printable("\x1b[31mred\x07\x7f"), "\\x1b[31mred\\x07\\x7f");
  EXPECT_EQ(printable("a\0b"s), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");  // the one-character CSI
}

TEST(Printable, EscapesTheBarThatBeginsPerformanceData) {
  EXPECT_EQ(printable("a | b=1"), "a \\x7c b=1");
  EXPECT_EQ(tools::printable("a | b=1"), "a | b=1");
}

TEST(Printable, EscapesCharactersThatHideOrReorderText) {
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "evil"),
            "\\u202eevil");
  EXPECT_EQ(printable("a\xe2\x80\x8b"
                      "b\xe2\x80\xa8\xef\xbb\xbf"),
            "a\\u200bb\\u2028\\ufeff");
  EXPECT_EQ(printable("\xf3\xa0\x80\x81"), "\\U000e0001");
  EXPECT_EQ(printable("\u034f\u180e\u3164\ufe0f"), "\\u034f\\u180e\\u3164\\ufe0f");
  EXPECT_EQ(printable("\U0001bca0\U0001d17a"), "\\U0001bca0\\U0001d17a");
}

TEST(Printable, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("\xff"), "\\xff");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(printable("\xe0\x80\x80"), "\\xe0\\x80\\x80");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  EXPECT_EQ(printable("ab\xe2\x82"), "ab\\xe2\\x82");                // cut off
  EXPECT_EQ(printable("\xe2\x28\xa1"), "\\xe2(\\xa1");
}

TEST(ShellWord, OfAnyTextIsPrintableAndGivesTheTextBack) {
  for (const std::string& text :
       {"orders.db"s, "a b's.db"s, "a|b.db"s, "-a\nb\xff%s\\|$(x).db"s, "\xc3\xa9.db"s}) {
    const std::string word = tools::shell_word_of_text(text);
    EXPECT_EQ(printable(word), word);
    FILE* const shell = ::popen(("printf %s " + word).c_str(), "r");
    std::string got(64, '\0');
    got.resize(std::fread(got.data(), 1, got.size(), shell));
    ::pclose(shell);
    EXPECT_EQ(got, text);
  }
}

TEST(Printable, CutsLongTextBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abcdef...");
  EXPECT_EQ(printable("abü!", 3), "ab...");
  EXPECT_EQ(printable("\xbf\xbf\xbf\xbf", 2), "...");
}

}  // namespace
}  // namespace tidings::check_dead_letters
