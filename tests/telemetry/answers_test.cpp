#include "otlp/response.hpp"
#include "sending/retry_after.hpp"

#include <tidings/clock.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

// What receivers say, whoever they are.

namespace tidings::telemetry {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr Timestamp kNow = std::chrono::sys_days(std::chrono::year(1994) / 11 / 6) + 8h + 49min;

TEST(RetryAfterTest, IsANumberOfSeconds) {
  EXPECT_EQ(parse_retry_after("2", kNow), 2s);
  EXPECT_EQ(parse_retry_after(" 0 \r\n", kNow), 0s);
  EXPECT_EQ(parse_retry_after("600", kNow), 10min);
  EXPECT_EQ(parse_retry_after("601", kNow), 10min);
  EXPECT_EQ(parse_retry_after("99999999999999999999999999", kNow), 10min);
}

// The examples of RFC 9110, section 5.6.7.
TEST(RetryAfterTest, IsADateInAnyFormOfHttps) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", kNow), 37s);
  EXPECT_EQ(parse_retry_after("Sunday, 06-Nov-94 08:49:37 GMT", kNow), 37s);
  EXPECT_EQ(parse_retry_after("Sun Nov  6 08:49:37 1994", kNow), 37s);
}

TEST(RetryAfterTest, ADateThatHasPassedIsNoWaitAndALateOneTheLongest) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:48:37 GMT", kNow), 0s);
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 2100 23:59:59 GMT", kNow), 10min);
}

TEST(RetryAfterTest, IsNothingElse) {
  for (const char* text : {"", " ", "-1", "1.5", "+2", "2s", "soon", "0x10", "2026-01-01T00:00:00Z"})
    EXPECT_EQ(parse_retry_after(text, kNow), std::nullopt) << text;
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT" + std::string(100, ' ') + "x", kNow),
            std::nullopt);
}

ReceiverAnswer protobuf(std::string_view body) { return read_answer(body, OtlpEncoding::Protobuf); }
ReceiverAnswer json(std::string_view body) { return read_answer(body, OtlpEncoding::Json); }

TEST(ReceiverAnswerTest, IsReadFromProtobuf) {
  const ReceiverAnswer answer = protobuf("\x0A\x08\x08\x96\x01\x12\x03why");
  EXPECT_EQ(answer.rejected, 150U);
  EXPECT_EQ(answer.message, "why");
  // Fields that are not known, of each kind, around and in it.
  EXPECT_EQ(protobuf("\x10\x01\x0A\x12\x18\x05\x21\0\0\0\0\0\0\0\0\x2D\0\0\0\0\x08\x07\x1A\x01x"s).rejected,
            7U);
}

TEST(ReceiverAnswerTest, IsReadFromJson) {
  EXPECT_EQ(json(R"({"partialSuccess":{"rejectedSpans":"150","errorMessage":"why"}})").rejected, 150U);
  EXPECT_EQ(json(R"({"partialSuccess":{"rejectedSpans":"150","errorMessage":"why"}})").message, "why");
  EXPECT_EQ(json(R"({"partialSuccess":{"rejectedLogRecords":3}})").rejected, 3U);
  EXPECT_EQ(json(R"({"partialSuccess":{"rejectedDataPoints":"1"}})").rejected, 1U);
}

TEST(ReceiverAnswerTest, SaysNothingWhereItCannotBeRead) {
  for (const std::string& body :
       {""s, "\x0A"s, "\x0A\x05\x08"s, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s, "<html>"s, "\0"s,
        "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s, "\x0B"s, "\x0A\x02\x08\x96\x0A"s}) {
    EXPECT_EQ(protobuf(body).rejected, 0U);
    EXPECT_EQ(protobuf(body).message, "");
  }
  for (const char* body :
       {"", "null", "[]", "{", "{}", R"({"partialSuccess":null})", R"({"partialSuccess":[1]})",
        R"({"partialSuccess":{"rejectedSpans":"x","errorMessage":5}})",
        R"({"partialSuccess":{"rejectedSpans":-5}})", R"({"partialSuccess":{"rejectedSpans":"-5"}})",
        R"({"partialSuccess":{"rejectedSpans":1e400}})"}) {
    EXPECT_EQ(json(body).rejected, 0U) << body;
    EXPECT_EQ(json(body).message, "") << body;
  }
}

TEST(ReceiverAnswerTest, ANegativeNumberIsNone) {
  EXPECT_EQ(protobuf("\x0A\x0B\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01").rejected, 0U);
}

TEST(ReceiverAnswerTest, ARefusalIsAStatusOrText) {
  EXPECT_EQ(read_refusal("\x08\x03\x12\x07no name", OtlpEncoding::Protobuf), "no name");
  EXPECT_EQ(read_refusal("plain text", OtlpEncoding::Protobuf), "plain text");
  EXPECT_EQ(read_refusal(R"({"code":3,"message":"no name"})", OtlpEncoding::Json), "no name");
  EXPECT_EQ(read_refusal("<html>", OtlpEncoding::Json), "<html>");
  EXPECT_EQ(read_refusal("\xFF\xFE", OtlpEncoding::Json), "");
  EXPECT_EQ(read_refusal(std::string(2'000, 'x'), OtlpEncoding::Json).size(), kMostReceiverText);
}

}  // namespace
}  // namespace tidings::telemetry
