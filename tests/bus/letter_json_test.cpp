#include <tidings/dead_letter.hpp>

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "contracts/sample_letter.hpp"

namespace tidings {
namespace {

using contract::expect_equal_letter;
using contract::full_letter;
using contract::letter;

DeadLetter round_trip(const DeadLetter& written) {
  const std::string line = to_json_line(written);
  for (const char c : line) EXPECT_TRUE(c >= ' ' && c <= '~') << static_cast<int>(c);
  return parse_json_line(line);
}

void expect_round_trip(const DeadLetter& written) {
  const DeadLetter read = round_trip(written);
  expect_equal_letter(read, written);
  EXPECT_EQ(read.metadata, written.metadata);
  EXPECT_EQ(read.data.problem, written.data.problem);
}

TEST(LetterJson, EveryFieldComesBack) { expect_round_trip(full_letter(1)); }

TEST(LetterJson, AbsentFieldsComeBackAbsent) {
  expect_round_trip(letter(1));
  expect_round_trip(DeadLetter{});
  EXPECT_EQ(round_trip(letter(1)).ordering_key, std::nullopt);
  DeadLetter empty_key = letter(1);
  empty_key.ordering_key = "";
  EXPECT_EQ(round_trip(empty_key).ordering_key, "");
}

TEST(LetterJson, TextsOfAnyBytesComeBackByteForByte) {
  std::mt19937_64 random(20270101);
  const auto bytes = [&] {
    std::string text(random() % 40, '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  };
  for (int round = 0; round < 500; ++round) {
    DeadLetter written = full_letter(1);
    written.ordering_key = bytes();
    written.error_type = bytes();
    written.error_message = bytes();
    for (Attempt& attempt : written.attempts) attempt.error_type = attempt.error_message = bytes();
    written.data.problem = bytes();
    written.metadata.source = bytes();
    expect_round_trip(written);
  }
}

TEST(LetterJson, AKeyThatIsNotUtf8IsReadableToo) {
  DeadLetter written = letter(1);
  written.ordering_key = "k\xFF\xFE";
  const auto line = Json::parse(to_json_line(written));
  EXPECT_EQ(line.at("ordering_key"), "k\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(line.at("ordering_key_base64"), "a//+");
  written.ordering_key = "k\xC3\xA4";
  EXPECT_FALSE(Json::parse(to_json_line(written)).contains("ordering_key_base64"));
}

TEST(LetterJson, CborAndMissingDataComeBack) {
  DeadLetter cbor = full_letter(1);
  cbor.data = encode_data({{"text", "\xFF"}, {"n", std::numeric_limits<double>::infinity()}});
  ASSERT_EQ(cbor.data.encoding, DataEncoding::Cbor);
  expect_round_trip(cbor);
  DeadLetter none = full_letter(1);
  none.data = {.bytes = {}, .encoding = DataEncoding::None, .problem = "to_json threw: bad \"thing\""};
  expect_round_trip(none);
}

TEST(LetterJson, JsonDataComesBackByteForByte) {
  for (const std::string& text : {std::string(R"({"b": 1e5,  "a": 1, "a": 2})"), std::string("not JSON"),
                                  std::string("\xFF\x00", 2), std::string(5000, '['), std::string()}) {
    DeadLetter written = letter(1);
    written.data = {.bytes = text, .encoding = DataEncoding::Json, .problem = {}};
    expect_round_trip(written);
  }
}

TEST(LetterJson, TimesAndCountsComeBackAtTheirEnds) {
  DeadLetter written = full_letter(1);
  written.failed_at = Timestamp::min();
  written.metadata.published_at = Timestamp::max();
  written.schema_version = std::numeric_limits<int>::max();
  written.retry_count = std::numeric_limits<std::uint32_t>::max();
  written.metadata.causation_depth = std::numeric_limits<std::uint32_t>::max();
  expect_round_trip(written);
}

TEST(LetterJson, ContextFieldsKeepTheirTypes) {
  DeadLetter written = letter(1);
  written.metadata.fields = {{"z", "1"}, {"a", 2}, {"m", true}, {"n", 0.5}, {"o", UINT64_MAX}};
  written.attempts.resize(1);
  written.attempts[0].fields = {{"order_id", 42}, {"step", "charge"}};
  expect_round_trip(written);
}

/// Names and attributes are checked where they come in; of a letter that has others all the same they are
/// replaced.
TEST(LetterJson, InvalidUtf8InNamesIsReplacedAndNeverThrows) {
  DeadLetter written = full_letter(1);
  for (std::string* text :
       {&written.service, &written.event_type, &written.handler, &written.error_fingerprint}) {
    *text = "a\xFFz";
  }
  written.metadata.tracestate = "\xED\xA0\x80";
  written.metadata.fields = ContextFields::of_stored({{"\xFF", "\xFF"}});
  const DeadLetter read = round_trip(written);
  EXPECT_EQ(read.service, "a\xEF\xBF\xBDz");
  EXPECT_EQ(read.metadata.tracestate, written.metadata.tracestate);
  EXPECT_EQ(read.data.bytes, written.data.bytes);
}

TEST(LetterJson, ControlCharactersStayInsideTheLine) {
  DeadLetter written = letter(1);
  written.error_message = std::string("a\n\r\x1B[31m\0\x0B\xE2\x80\xA8z", 13);
  EXPECT_EQ(round_trip(written).error_message, written.error_message);
}

TEST(LetterJson, TheLineIsAStableFormat) {
  DeadLetter written = letter(7);
  written.attempts = {{Timestamp(std::chrono::microseconds(5)), std::chrono::microseconds(6), "T", "m"}};
  EXPECT_EQ(
      to_json_line(written),
      R"({"letter_format":1,"service":"orders","event_type":"orders.order_placed","schema_version":1,)"
      R"("handler":"send_receipt","event_id":"019a0000-0000-7000-8000-000000000007","reason":"exhausted",)"
      R"("error_type":"std::runtime_error","error_message":"connection refused",)"
      R"("error_fingerprint":")" +
          written.error_fingerprint +
          R"(","ordering_key":null,"failed_at":1800000001000000,"retry_count":0,"attempts":[{"at":5,)"
          R"("duration_us":6,"error_type":"T","error_message":"m"}],)"
          R"("correlation_id":"019a0000-0000-7000-8000-000000000007","causation_id":null,"traceparent":null,)"
          R"("tracestate":"","published_at":1800000000000000,"source":"orders","attributes":[],)"
          R"("causation_depth":0,"data_encoding":"json","event_data":"{\"order_id\":7}"})");
}

void expect_refused(const std::string& line, const std::string& part) {
  try {
    static_cast<void>(parse_json_line(line));
    ADD_FAILURE() << "nothing was thrown for " << line.substr(0, 200);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::NotDecodable);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(LetterJson, RefusesWhatIsNoJsonObject) {
  for (const char* line : {"", "{", "{\"a\":}", "\xFF"}) expect_refused(line, "is not valid JSON at byte");
  for (const char* line : {"[]", "null", "1", "\"x\""}) expect_refused(line, "not a JSON object");
  expect_refused("[1e400]", "no double can hold");
  expect_refused(std::string(1'000'000, '['), "nests deeper than a letter does");
  std::string wide = "{";
  for (int i = 0; i < 3'000; ++i) wide += "\"" + std::to_string(i) + "\":0,";
  expect_refused(wide + "\"x\":0}", "more fields than a letter has");
}

TEST(LetterJson, RefusesALineThatWasCutShort) {
  const std::string line = to_json_line(full_letter(1));
  for (std::size_t length = 0; length < line.size(); ++length)
    expect_refused(line.substr(0, length), "not valid JSON");
}

TEST(LetterJson, RefusesALineWithoutOneOfItsFields) {
  auto letter = full_letter(1);
  letter.process = {};  // whose fields are there if they are known
  letter.metadata.foreign_id.reset();
  const auto whole = nlohmann::ordered_json::parse(to_json_line(letter));
  for (const auto& [name, value] : whole.items()) {
    auto line = whole;
    line.erase(name);
    const std::string lacking = name == "event_data" ? "event_data_base64" : name;
    expect_refused(line.dump(), "field \"" + lacking + "\" is missing");
  }
}

TEST(LetterJson, RefusesAFieldOfAnotherType) {
  const auto whole = nlohmann::ordered_json::parse(to_json_line(full_letter(1)));
  for (const auto& [name, value] : whole.items()) {
    for (const auto& other :
         {nlohmann::ordered_json(1.5), nlohmann::ordered_json::object(), nlohmann::ordered_json(true)}) {
      auto line = whole;
      line[name] = other;
      expect_refused(line.dump(), "field \"" + name + "\" must be");
    }
  }
}

TEST(LetterJson, RefusesValuesOutOfBounds) {
  const auto with = [](const char* name, const nlohmann::ordered_json& value) {
    auto line = nlohmann::ordered_json::parse(to_json_line(letter(1)));
    line[name] = value;
    return line.dump();
  };
  expect_refused(with("letter_format", 2), "newer tidings");
  expect_refused(with("retry_count", -1), "from 0 to 4294967295");
  expect_refused(with("retry_count", 4294967296), "from 0 to 4294967295");
  expect_refused(with("schema_version", 2147483648), "must be an integer");
  expect_refused(with("failed_at", 18446744073709551615U), "must be an integer");
  for (const char* name :
       {"event_id", "correlation_id", "causation_id", "traceparent", "reason", "data_encoding"}) {
    expect_refused(with(name, "no such"),
                   "field \"" + std::string(name) + "\" has a value that tidings does not know");
  }
  expect_refused(with("attributes", nlohmann::ordered_json::parse(R"([["a", null]])")), "pairs of a name");
  expect_refused(with("attributes", nlohmann::ordered_json::parse(R"(["a"])")), "pairs of a name");
  expect_refused(with("attempts", nlohmann::ordered_json::parse("[1]")), "array of objects");
}

}  // namespace
}  // namespace tidings
