#include "text/json_text.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>

namespace tidings::logging {
namespace {

std::string by_nlohmann(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string ours(const std::string& text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

template <class Number>
std::string number_text(Number number) {
  std::string out;
  append_json_number(out, number);
  return out;
}

TEST(JsonTextTest, EverySingleByteIsWrittenAsNlohmannWritesIt) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    EXPECT_EQ(ours(text), by_nlohmann(text)) << byte;
    EXPECT_EQ(ours("a" + text + "b"), by_nlohmann("a" + text + "b")) << byte;
  }
}

TEST(JsonTextTest, EveryPairOfBytesAboveAsciiIsWrittenAsNlohmannWritesIt) {
  for (int first = 0x80; first < 256; ++first) {
    for (int second = 0x70; second < 256; ++second) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      ASSERT_EQ(ours(text), by_nlohmann(text)) << first << ' ' << second;
    }
  }
}

// Bytes that begin, continue and break sequences, drawn far more often than chance would.
TEST(JsonTextTest, RandomBytesAreWrittenAsNlohmannWritesThem) {
  const std::string alphabet(
      "a\"\\\n\x7f\x80\x8f\x90\x9f\xa0\xbf\xc1\xc2\xdf\xe0\xe1\xed\xef\xf0\xf1\xf4\xf5\xff\0", 24);
  std::mt19937 random(20260101);
  for (int round = 0; round < 100'000; ++round) {
    std::string text(random() % 12, ' ');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    ASSERT_EQ(ours(text), by_nlohmann(text)) << "round " << round;
  }
}

TEST(JsonTextTest, CharactersBeyondTheBasicPlaneBecomeSurrogatePairs) {
  EXPECT_EQ(ours("\xf0\x9f\x98\x80"), R"("\ud83d\ude00")");
  EXPECT_EQ(ours("\xf4\x8f\xbf\xbf"), R"("\udbff\udfff")");
}

TEST(JsonTextTest, IntegersAreWrittenInFull) {
  EXPECT_EQ(number_text(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(number_text(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
}

TEST(JsonTextTest, FloatingPointNumbersAreReadBackExactlyAndAsSuch) {
  for (const double number : {0.0, -0.0, 1.0, 0.1, 1e20, 1e300, 5e-324, 12345.678, -1.0 / 3.0}) {
    const auto parsed = nlohmann::json::parse(number_text(number));
    EXPECT_TRUE(parsed.is_number_float()) << number;
    EXPECT_EQ(parsed.get<double>(), number);
  }
}

TEST(JsonTextTest, NumbersThatJsonCannotSayAreNull) {
  EXPECT_EQ(number_text(std::nan("")), "null");
  EXPECT_EQ(number_text(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "null");
}

}  // namespace
}  // namespace tidings::logging
