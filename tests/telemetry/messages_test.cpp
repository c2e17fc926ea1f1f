#include "otlp/messages.hpp"

#include "telemetry/otlp_examples.hpp"

#include <tidings/detail/parse_json.hpp>
#include <tidings/event.hpp>
#include <tidings/version.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tidings::telemetry {
namespace {

TEST(OtlpMessagesTest, SpansAreTheJsonOfTheSpecification) {
  const OtlpExamples examples = otlp_examples();
  EXPECT_EQ(detail::parse_json(encode_spans(examples.spans, examples.resource, OtlpEncoding::Json)),
            detail::parse_json(spans_as_json()));
}

TEST(OtlpMessagesTest, LogsAreTheJsonOfTheSpecification) {
  const OtlpExamples examples = otlp_examples();
  EXPECT_EQ(detail::parse_json(encode_logs(examples.logs, examples.resource, OtlpEncoding::Json)),
            detail::parse_json(logs_as_json()));
}

TEST(OtlpMessagesTest, MetricsAreTheJsonOfTheSpecification) {
  const OtlpExamples examples = otlp_examples();
  EXPECT_EQ(detail::parse_json(encode_metrics(examples.metrics, examples.resource, OtlpEncoding::Json)),
            detail::parse_json(metrics_as_json()));
}

TEST(OtlpMessagesTest, JsonIsValidWhateverTheTextsHold) {
  SpanData span;
  span.context.trace_id.bytes[0] = 1;
  span.name = "quote \" backslash \\ line\n byte \xFF";
  const Json json = detail::parse_json(encode_spans({&span, 1}, {}, OtlpEncoding::Json));
  EXPECT_EQ(json.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").at(0).at("name"),
            "quote \" backslash \\ line\n byte \xEF\xBF\xBD");
}

std::string hex_of(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4U];
    text += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15U];
  }
  return text;
}

// What protobuf's own library makes of the same messages is compared by the counterparts' tests; these bytes
// are from there.
TEST(OtlpMessagesTest, ASpanIsTheBytesThatProtobufsOwnLibraryMakes) {
  ASSERT_EQ(version().size(), 5U);  // whose lengths are below
  const OtlpExamples examples = otlp_examples();
  const std::string bytes = encode_spans({&examples.spans[1], 1}, examples.resource, OtlpEncoding::Protobuf);
  EXPECT_EQ(hex_of(bytes),
            "0a6b0a1a0a180a0c736572766963652e6e616d6512080a066f7264657273"
            "124d0a100a07746964696e67731205" +
                hex_of(version()) +
                "12390a1008090a0b0c0d0e0f1011121314151617"
                "1208f9fafbfcfdfeff002a077075626c6973683001390000ca67a7fc7a18410000ca67a7fc7a18");
}

TEST(OtlpMessagesTest, ARemoteParentIsToldWhereItIsKnown) {
  SpanData span;
  span.context.trace_flags = 1;
  const auto flags = [&] {
    const Json json = detail::parse_json(encode_spans({&span, 1}, {}, OtlpEncoding::Json));
    return json.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").at(0).at("flags").get<int>();
  };
  EXPECT_EQ(flags(), 1);
  span.parent_is_remote = true;
  EXPECT_EQ(flags(), 0x301);
}

}  // namespace
}  // namespace tidings::telemetry
