#include <tidings/detail/json_string.hpp>
#include <tidings/event.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "deep_json.hpp"
#include "thrown_error.hpp"

namespace tidings {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Json round_trip(const Json& value, DataEncoding expected) {
  const EncodedData data = encode_data(value);
  EXPECT_EQ(data.encoding, expected);
  EXPECT_EQ(data.problem, "");
  return decode_data(data.bytes, data.encoding);
}

void expect_not_decodable(std::string_view bytes, DataEncoding encoding, const std::string& part = "") {
  expect_error(ErrorCode::NotDecodable, part, [&] { return decode_data(bytes, encoding); });
}

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

TEST(EncodeData, WritesCompactJson) {
  const EncodedData data = encode_data({{"b", {1, "x\n\"", nullptr, true}}, {"a", {{"\xC3\xA9", 1.5}}}});
  EXPECT_EQ(data.encoding, DataEncoding::Json);
  EXPECT_EQ(data.bytes, "{\"a\":{\"\xC3\xA9\":1.5},\"b\":[1,\"x\\n\\\"\",null,true]}");
}

TEST(EncodeData, ValuesThatFitJsonSurvive) {
  for (const Json& value :
       {Json(nullptr), Json(true), Json(""), Json("\xF0\x9F\x98\x80 \x01\x7F"), Json(std::string("a\0b", 3)),
        Json::array(), Json::object(), Json({{"", {Json::object(), Json::array()}}}), Json("\xEF\xBF\xBF")}) {
    EXPECT_EQ(round_trip(value, DataEncoding::Json), value);
  }
}

TEST(EncodeData, IntegersSurviveToTheLastDigit) {
  EXPECT_EQ(round_trip(std::numeric_limits<std::int64_t>::min(), DataEncoding::Json).get<std::int64_t>(),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(round_trip(std::numeric_limits<std::uint64_t>::max(), DataEncoding::Json).get<std::uint64_t>(),
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_TRUE(round_trip(9007199254740993, DataEncoding::Json).is_number_integer());
}

TEST(EncodeData, DoublesSurviveToTheLastBit) {
  for (const double value :
       {0.0, -0.0, 1.0, 0.1, -1e-310, 5e-324, std::numeric_limits<double>::max(), 1e22, 123456789.125}) {
    const Json decoded = round_trip(value, DataEncoding::Json);
    EXPECT_TRUE(decoded.is_number_float()) << value;
    EXPECT_EQ(bits(decoded.get<double>()), bits(value)) << value;
  }
}

TEST(EncodeData, InvalidUtf8TravelsAsCbor) {
  for (const Json& value : {Json("\xFF"), Json({{"k", {"\xC3"}}}), Json({{"\xED\xA0\x80", 1}}),
                            Json("\xC0\x80"), Json("\xF4\x90\x80\x80"), Json("\xE2\x82")}) {
    EXPECT_EQ(round_trip(value, DataEncoding::Cbor), value);
  }
}

TEST(EncodeData, NonFiniteNumbersTravelAsCbor) {
  const Json decoded = round_trip({kInfinity, -kInfinity, std::nan("")}, DataEncoding::Cbor);
  EXPECT_EQ(decoded[0].get<double>(), kInfinity);
  EXPECT_EQ(decoded[1].get<double>(), -kInfinity);
  EXPECT_TRUE(std::isnan(decoded[2].get<double>()));
}

TEST(EncodeData, BytesTravelAsCborWithTheirSubtype) {
  const Json plain = Json::binary({0, 255, 10});
  const Json typed = Json::binary({1, 2}, 70'000);
  const Json decoded = round_trip({plain, typed}, DataEncoding::Cbor);
  EXPECT_EQ(decoded[0], plain);
  EXPECT_EQ(decoded[1], typed);
  EXPECT_EQ(decoded[1].get_binary().subtype(), 70'000U);
  EXPECT_FALSE(decoded[0].get_binary().has_subtype());
}

/// Everything that CBOR has to write, beside what forces it to be CBOR.
Json one_of_everything() {
  Json value = {nullptr,
                true,
                false,
                0,
                23,
                24,
                255,
                256,
                65535,
                65536,
                4294967295U,
                4294967296U,
                -1,
                -24,
                -25,
                -256,
                -257,
                std::numeric_limits<std::int64_t>::min(),
                std::numeric_limits<std::uint64_t>::max(),
                1.5,
                -0.0,
                "",
                "text",
                std::string(300, 'x'),
                Json::array(),
                Json::object(),
                {{"a", {1}}, {"b", {{"c", nullptr}}}}};
  value.push_back("\xFF");
  return value;
}

TEST(EncodeData, EveryKindOfValueSurvivesCbor) {
  const Json value = one_of_everything();
  const Json decoded = round_trip(value, DataEncoding::Cbor);
  EXPECT_EQ(decoded, value);
  EXPECT_TRUE(std::signbit(decoded[20].get<double>()));
}

TEST(EncodeData, OtherCborReadersUnderstandIt) {
  const Json value = one_of_everything();
  EXPECT_EQ(Json::from_cbor(encode_data(value).bytes), value);
  const Json typed = Json::binary({1, 2}, 200);
  EXPECT_EQ(Json::from_cbor(encode_data(typed).bytes, true, true, Json::cbor_tag_handler_t::store), typed);
}

TEST(DecodeData, ReadsWhatOtherCborWritersMake) {
  Json value = one_of_everything();
  value.push_back(Json::binary({1, 2}, 5));
  value.push_back(0.5F);
  const auto cbor = Json::to_cbor(value);
  EXPECT_EQ(decode_data(std::string(cbor.begin(), cbor.end()), DataEncoding::Cbor), value);
}

TEST(EncodeData, ADiscardedValueIsNoData) {
  for (const Json& value : {Json(Json::value_t::discarded), Json({1, Json(Json::value_t::discarded)})}) {
    const EncodedData data = encode_data(value);
    EXPECT_EQ(data.encoding, DataEncoding::None);
    EXPECT_EQ(data.bytes, "");
    EXPECT_NE(data.problem, "");
  }
}

TEST(EncodeData, TheGreatestDepthSurvivesBothWays) {
  const Json decoded = round_trip(nested(kMaxJsonDepth), DataEncoding::Json);
  EXPECT_EQ(json_depth(decoded), kMaxJsonDepth);
  EXPECT_EQ(innermost(decoded, kMaxJsonDepth), 42);
  const Json through_cbor = round_trip(nested(kMaxJsonDepth, "\xFF"), DataEncoding::Cbor);
  EXPECT_EQ(innermost(through_cbor, kMaxJsonDepth), "\xFF");
}

TEST(EncodeData, WhatNestsDeeperIsNoDataAndSaysWhy) {
  for (const std::size_t depth : {kMaxJsonDepth + 1, std::size_t{100'000}}) {
    for (const Json& core : {Json(42), Json("\xFF")}) {
      const EncodedData data = encode_data(nested(depth, core));
      EXPECT_EQ(data.encoding, DataEncoding::None);
      EXPECT_EQ(data.bytes, "");
      EXPECT_EQ(data.problem, "the event nests deeper than 1000 levels");
    }
  }
}

TEST(EncodeData, WritesEachCharacterWhereverItStandsAsDumpDoes) {
  for (std::size_t length = 1; length <= 17; ++length) {
    for (char character = 0; character >= 0 && character < 0x7F; ++character) {
      std::string text(length, '~');
      text[static_cast<std::size_t>(character) % length] = character;
      const Json value = {{text, text}, {text + "\xC3\xA9", "\xF0\x9F\x98\x80" + text}};
      ASSERT_EQ(encode_data(value).bytes, value.dump()) << length << ' ' << static_cast<int>(character);
    }
  }
}

TEST(AppendJsonString, WritesAnyTextAndReplacesWhatIsNotUtf8) {
  std::string json;
  for (const std::string_view text : {std::string_view(), std::string_view("plain"),
                                      std::string_view("a\xFF"
                                                       "b")})
    detail::append_json_string(json, text);
  EXPECT_EQ(json,
            "\"\"\"plain\"\"a\xEF\xBF\xBD"
            "b\"");
}

TEST(EncodeData, WritesNumbersAsDumpDoes) {
  const Json value = {0,     -1,     INT64_MIN, INT64_MAX, UINT64_MAX, 0.0,  -0.0,
                      1e300, 5e-324, 0.1,       1.0,       false,      true, nullptr};
  EXPECT_EQ(encode_data(value).bytes, value.dump());
}

TEST(EncodeData, WritesAnyDepthAsDumpDoes) {
  const Json everyday = Json::parse(R"({"a":[1,-2,3.5,"x\u0001\"",{}],"b":{"c":[],"d\n":null},"e":true})");
  const std::string deep = encode_data(nested(500, everyday)).bytes;
  EXPECT_NE(deep.find("[" + everyday.dump() + "]"), std::string::npos);
}

TEST(DecodeData, RefusesWhatNestsDeeper) {
  const std::string arrays(100'000, '[');
  expect_not_decodable(arrays + "42" + std::string(100'000, ']'), DataEncoding::Json,
                       "nests deeper than 1000 levels");
  expect_not_decodable(std::string(100'000, '\x81') + "\x01", DataEncoding::Cbor,
                       "nests deeper than 1000 levels");
}

TEST(EncodeData, TenMebibytesSurvive) {
  const Json value = {{"blob", std::string(10U << 20U, 'x')}};
  EXPECT_EQ(round_trip(value, DataEncoding::Json), value);
}

TEST(DecodeData, RefusesMalformedJsonSayingWhere) {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\":}", "nul", "NaN", "Infinity", "'a'", "\"\xFF\"",
                           "\"\\ud800\"", "\"a\nb\"", "01", "1 2", "{a:1}", "[1]]", "// c\n1", "\xEF\xBB"}) {
    expect_not_decodable(text, DataEncoding::Json, "is not valid JSON at byte ");
  }
  expect_not_decodable("secret-payload", DataEncoding::Json, "at byte 1");
}

TEST(DecodeData, NeverQuotesThePayload) {
  const auto error =
      thrown_error([] { return decode_data(R"({"password": "hunter2" oops})", DataEncoding::Json); });
  ASSERT_TRUE(error);
  EXPECT_EQ(std::string(error->what()).find("hunter2"), std::string::npos);
}

TEST(DecodeData, RefusesANumberThatNoDoubleCanHold) {
  expect_not_decodable("1e400", DataEncoding::Json, "no double can hold");
  expect_not_decodable("[-1e999]", DataEncoding::Json, "no double can hold");
  EXPECT_EQ(decode_data("1e-400", DataEncoding::Json).get<double>(), 0.0);
}

TEST(DecodeData, OfDuplicateKeysTheLastWins) {
  EXPECT_EQ(decode_data(R"({"a":1,"a":2})", DataEncoding::Json), Json({{"a", 2}}));
}

TEST(DecodeData, SurvivesAMillionBrackets) {
  expect_not_decodable(std::string(1'000'000, '['), DataEncoding::Json, "nests deeper");
  expect_not_decodable(std::string(1'000'000, '\x81'), DataEncoding::Cbor, "nests deeper");
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += "{\"a\":";
  expect_not_decodable(objects, DataEncoding::Json, "nests deeper");
}

TEST(DecodeData, WithoutDataThereIsNothingToDecode) {
  expect_not_decodable("", DataEncoding::None, "no data");
}

TEST(DecodeCbor, ReadsHalfAndSingleFloats) {
  const auto number = [](std::string_view bytes) {
    return decode_data(bytes, DataEncoding::Cbor).get<double>();
  };
  // RFC 8949, appendix A.
  EXPECT_EQ(number(std::string_view("\xF9\x00\x00", 3)), 0.0);
  EXPECT_TRUE(std::signbit(number(std::string_view("\xF9\x80\x00", 3))));
  EXPECT_EQ(number(std::string_view("\xF9\x3C\x00", 3)), 1.0);
  EXPECT_EQ(number("\xF9\x7B\xFF"), 65504.0);
  EXPECT_EQ(number(std::string_view("\xF9\x00\x01", 3)), 5.960464477539063e-8);
  EXPECT_EQ(number(std::string_view("\xF9\xC4\x00", 3)), -4.0);
  EXPECT_EQ(number(std::string_view("\xF9\xFC\x00", 3)), -kInfinity);
  EXPECT_TRUE(std::isnan(number(std::string_view("\xF9\x7E\x00", 3))));
  EXPECT_EQ(number(std::string_view("\xFA\x47\xC3\x50\x00", 5)), 100000.0);
}

struct BadCbor {
  std::string bytes;
  std::string problem;
};

class RefusedCbor : public testing::TestWithParam<BadCbor> {};

TEST_P(RefusedCbor, SaysWhatIsWrong) {
  expect_not_decodable(GetParam().bytes, DataEncoding::Cbor, GetParam().problem);
}

std::string bytes(std::initializer_list<unsigned> values) {
  std::string result;
  for (const unsigned value : values) result += static_cast<char>(value);
  return result;
}

INSTANTIATE_TEST_SUITE_P(
    DecodeCbor, RefusedCbor,
    testing::Values(
        BadCbor{"", "ends too early"}, BadCbor{bytes({0x19, 0x01}), "ends too early"},
        BadCbor{bytes({0x62, 'a'}), "ends too early"}, BadCbor{bytes({0x82, 0x01}), "ends too early"},
        BadCbor{bytes({0xA1, 0x61, 'a'}), "ends too early"},
        BadCbor{bytes({0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}), "ends too early"},
        BadCbor{bytes({0xBB, 0x80, 0, 0, 0, 0, 0, 0, 1, 0x60, 0}), "ends too early"},
        BadCbor{bytes({0x7B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}), "ends too early"},
        BadCbor{bytes({0x00, 0x00}), "left over"}, BadCbor{bytes({0x9F, 0xFF}), "indefinite length"},
        BadCbor{bytes({0x5F, 0xFF}), "indefinite length"}, BadCbor{bytes({0xFF}), "indefinite length"},
        BadCbor{bytes({0x1C}), "malformed"}, BadCbor{bytes({0xFE}), "malformed"},
        BadCbor{bytes({0xF7}), "simple value"}, BadCbor{bytes({0xF8, 0x20}), "simple value"},
        BadCbor{bytes({0xA1, 0x01, 0x02}), "not text"},
        BadCbor{bytes({0xA2, 0x61, 'a', 1, 0x61, 'a', 2}), "same key twice"},
        BadCbor{bytes({0xA2, 0x61, 'a', 1, 0x61, 'a', 0x80}), "same key twice"},
        BadCbor{bytes({0xC1, 0x01}), "not a byte string"},
        BadCbor{bytes({0xC1, 0xC1, 0x41, 1}), "not a byte string"},
        BadCbor{bytes({0x3B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}), "below -2^63"},
        BadCbor{bytes({0x3B, 0x80, 0, 0, 0, 0, 0, 0, 0}), "below -2^63"}));

TEST(DecodeCbor, EveryPrefixOfGoodDataIsRefused) {
  const std::string whole = encode_data(one_of_everything()).bytes;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    expect_not_decodable(whole.substr(0, length), DataEncoding::Cbor, "ends too early (at byte ");
  }
}

}  // namespace
}  // namespace tidings
