#include "deep_json.hpp"
#include "thrown_error.hpp"

#include <tidings/cloudevents.hpp>
#include <tidings/detail/parse_json.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tidings {
namespace {

using namespace std::string_view_literals;

std::string brackets(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(ParseJson, RefusesWhatStandsBehindANulByte) {
  for (const std::string_view text : {"1\0"sv, "\0"sv,
                                      R"({"type":"t"})"
                                      "\0"
                                      R"({"type":"lost"})"sv,
                                      "[1,\0 2]"sv, "\"a\0b\""sv, "1\0\0\0"sv}) {
    const std::string byte = "at byte " + std::to_string(text.find('\0') + 1);
    expect_error(ErrorCode::NotDecodable, byte, [&] { return detail::parse_json(text); });
    expect_error(ErrorCode::NotDecodable, byte, [&] { return detail::parse_ordered_json(text); });
    expect_error(ErrorCode::NotDecodable, byte, [&] { return decode_data(text, DataEncoding::Json); });
    EXPECT_FALSE(detail::find_json(text));
  }
}

TEST(ParseJson, RefusesACloudEventWithTextBehindANulByte) {
  const std::string event =
      R"({"specversion":"1.0","id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f","source":"a","type":"t"})";
  const std::string two = event + '\0' + event;
  expect_error(ErrorCode::NotDecodable, "NUL", [&] { return parse_cloudevent(two); });
  const std::string batches = "[" + event + "]" + '\0' + "[" + event + "]";
  expect_error(ErrorCode::NotDecodable, "NUL", [&] { return parse_cloudevent_batch(batches); });
}

TEST(ParseJson, ReadsTheGreatestDepthAndNoDeeper) {
  EXPECT_EQ(json_depth(detail::parse_json(brackets(kMaxJsonDepth))), kMaxJsonDepth);
  EXPECT_EQ(detail::parse_ordered_json(brackets(7), 7).size(), 1U);
  for (const std::size_t depth : {kMaxJsonDepth + 1, std::size_t{65'000}, std::size_t{1'000'000}}) {
    for (const std::string& text : {brackets(depth), std::string(depth, '[')}) {
      expect_error(ErrorCode::NotDecodable, "deeper than 1000", [&] { return detail::parse_json(text); });
      expect_error(ErrorCode::NotDecodable, "deeper than 1000",
                   [&] { return detail::parse_ordered_json(text); });
    }
  }
}

TEST(ParseJson, SaysWhereAnOrderedTextIsWrong) {
  expect_error(ErrorCode::NotDecodable, "at byte 2", [] { return detail::parse_ordered_json("{]"); });
  expect_error(ErrorCode::NotDecodable, "no double", [] { return detail::parse_ordered_json("[1e400]"); });
}

TEST(BracketDepth, LeavesOutTheBracketsOfStrings) {
  EXPECT_EQ(detail::bracket_depth(R"({"a[[[":["]]\"[[",{}]})"), 3U);
  EXPECT_EQ(detail::bracket_depth("]]]["), 1U);
  EXPECT_EQ(detail::bracket_depth("\"\\"), 0U);
  EXPECT_EQ(detail::bracket_depth(""), 0U);
}

TEST(NestsTooDeeply, IsTrueOfWhatIsTooDeepAndOfNothingElse) {
  const auto is_deep = [](std::string bytes, DataEncoding encoding) {
    return detail::nests_too_deeply({std::move(bytes), encoding, {}});
  };
  const std::string arrays_of_one(kMaxJsonDepth, '\x81');
  EXPECT_FALSE(is_deep(brackets(kMaxJsonDepth), DataEncoding::Json));
  EXPECT_TRUE(is_deep(brackets(kMaxJsonDepth + 1), DataEncoding::Json));
  EXPECT_FALSE(is_deep("no JSON", DataEncoding::Json));
  EXPECT_FALSE(is_deep(arrays_of_one + '\x01', DataEncoding::Cbor));
  EXPECT_TRUE(is_deep(arrays_of_one + "\x81\x01", DataEncoding::Cbor));
  EXPECT_FALSE(is_deep("\xFF", DataEncoding::Cbor));
  EXPECT_FALSE(is_deep("", DataEncoding::None));
}

}  // namespace
}  // namespace tidings
