#include <tidings/cloudevents.hpp>

#include <gtest/gtest.h>

#include "thrown_error.hpp"

#include <ostream>

namespace tidings {
namespace {

/// A case of the CloudEvents project's conformance tests of the JSON format
/// (github.com/cloudevents/conformance, format/json): its name and its event or batch, value for value.
struct ConformanceCase {
  const char* name;
  const char* text;
};

void PrintTo(const ConformanceCase& each, std::ostream* out) { *out << each.name; }

constexpr ConformanceCase kValidEvents[] = {
    {"validMinimal",
     R"({"specversion": "1.0", "id": "minimal", "type": "io.cloudevents.test", "source": "https://cloudevents.io"})"},
    {"validMinimalWithNullForOptional",
     R"({"specversion": "1.0", "id": "minimal", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "datacontenttype": null, "dataschema": null, "subject": null, "time": null})"},
    {"validAllCoreAttributes",
     R"({"specversion": "1.0", "id": "allCore", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "datacontenttype": "text/plain", "dataschema": "https://cloudevents.io/dataschema", "subject": "tests", "time": "2018-04-05T17:31:00Z"})"},
    {"validMinimalWithTimeUtc",
     R"({"specversion": "1.0", "id": "minimalWithTime", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "time": "2018-04-05T17:31:00Z"})"},
    {"validMinimalWithTimeToNanosecondsUtc",
     R"({"specversion": "1.0", "id": "minimalWithTime", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "time": "2018-04-05T17:31:00.000000000Z"})"},
    {"validMinimalWithTimeUsingPositiveOffset",
     R"({"specversion": "1.0", "id": "minimalWithTime", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "time": "2018-04-05T18:31:00+01:00"})"},
    {"validMinimalWithTimeUsingNegativeOffset",
     R"({"specversion": "1.0", "id": "minimalWithTime", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "time": "2018-04-05T16:31:00-01:00"})"},
    {"validRelativeSource",
     R"({"specversion": "1.0", "id": "minimalWithRelativeSource", "type": "io.cloudevents.test", "source": "#fragment"})"},
    {"validSimpleTextData",
     R"({"specversion": "1.0", "id": "simpleTextData", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "datacontenttype": "text/plain", "data": "Simple text"})"},
    {"validAllExtensionTypes",
     R"({"specversion": "1.0", "id": "allExtensionTypes", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "extinteger": 10, "extboolean": true, "extstring": "text", "exturi": "https://cloudevents.io", "exturiref": "//authority/path", "exttimestamp": "2023-03-31T15:12:00Z", "extbinary": "TWE="})"},
};

constexpr ConformanceCase kInvalidEvents[] = {
    {"invalidNoSpecVersion",
     R"({"id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io"})"},
    {"invalidNoId",
     R"({"specversion": "1.0", "type": "io.cloudevents.test", "source": "https://cloudevents.io"})"},
    {"invalidNoType", R"({"specversion": "1.0", "id": "invalid", "source": "https://cloudevents.io"})"},
    {"invalidNoSource", R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test"})"},
    {"invalidTimeGarbage",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "time": "lunchtime"})"},
    {"invalidTimeToMinute",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "time": "2018-04-05T18:31Z"})"},
    {"invalidTimeOffsetX",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "time": "2018-04-05T18:31:00X"})"},
    {"invalidTimeOffsetOutOfRange",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "time": "2018-04-05T18:31:00+25:00"})"},
    {"invalidTimeOffsetNonInteger",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "time": "2018-04-05T18:31:00+xx:00"})"},
    {"invalidTimeOffsetHourOnly",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "time": "2018-04-05T18:31:00+05"})"},
    {"invalidEmptyId",
     R"({"specversion": "1.0", "id": "", "type": "io.cloudevents.test", "source": "https://cloudevents.io"})"},
    {"invalidEmptyType",
     R"({"specversion": "1.0", "id": "invalid", "type": "", "source": "https://cloudevents.io"})"},
    {"invalidEmptySource",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": ""})"},
    {"invalidEmptySpecVersion",
     R"({"specversion": "", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io"})"},
    {"invalidUnknownSpecVersion",
     R"({"specversion": "0.9", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io"})"},
    {"invalidNonRfc2046DataContentType",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "datacontenttype": "xyz"})"},
    {"invalidEmptyDataContentType",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "datacontenttype": ""})"},
    {"invalidEmptyDataSchema",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "dataschema": ""})"},
    {"invalidEmptySubject",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "subject": ""})"},
    {"invalidNumericId",
     R"({"specversion": "1.0", "id": 25, "type": "io.cloudevents.test", "source": "https://cloudevents.io"})"},
    {"invalidObjectId",
     R"({"specversion": "1.0", "id": {"xyz": "abc"}, "type": "io.cloudevents.test", "source": "https://cloudevents.io"})"},
    {"invalidCapitalizedExtension",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "MyExtension": "bad"})"},
    {"invalidPunctuatedExtension",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "my.extension": "bad"})"},
    {"invalidNonIntegerExtensionValue",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "my.extension": 1.5})"},
    {"invalidBothDataAndDataBase64",
     R"({"specversion": "1.0", "id": "invalid", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "data": "text", "data_base64": "eyAieHl6IjogMTIzIH0="})"},
};

constexpr ConformanceCase kValidBatches[] = {
    {"validBatchEmpty", R"([])"},
    {"validBatchMinimal",
     R"([{"specversion": "1.0", "id": "minimal", "type": "io.cloudevents.test", "source": "https://cloudevents.io"}])"},
    {"validBatchMinimal2",
     R"([{"specversion": "1.0", "id": "minimal", "type": "io.cloudevents.test", "source": "https://cloudevents.io"}, {"specversion": "1.0", "id": "minimal", "type": "io.cloudevents.test", "source": "https://cloudevents.io"}])"},
    {"validBatchMinimalAndAllCore",
     R"([{"specversion": "1.0", "id": "minimal", "type": "io.cloudevents.test", "source": "https://cloudevents.io"}, {"specversion": "1.0", "id": "allCore", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "datacontenttype": "text/plain", "dataschema": "https://cloudevents.io/dataschema", "subject": "tests", "time": "2018-04-05T17:31:00Z"}])"},
    {"validBatchMinimalAndAllExtensionTypes",
     R"([{"specversion": "1.0", "id": "minimal", "type": "io.cloudevents.test", "source": "https://cloudevents.io"}, {"specversion": "1.0", "id": "allExtensionTypes", "type": "io.cloudevents.test", "source": "https://cloudevents.io", "extinteger": 10, "extboolean": true, "extstring": "text", "exturi": "https://cloudevents.io", "exturiref": "//authority/path", "exttimestamp": "2023-03-31T15:12:00Z", "extbinary": "TWE="}])"},
};

constexpr ConformanceCase kInvalidBatches[] = {
    {"invalidBatchMixedSpecVersions",
     R"([{"specversion": "1.0", "id": "minimal1", "type": "io.cloudevents.test", "source": "https://cloudevents.io"}, {"specversion": "0.9", "id": "minimal2", "type": "io.cloudevents.test", "source": "https://cloudevents.io"}])"},
    {"invalidBatchContainingInvalidCloudEvent",
     R"([{"specversion": "1.0", "type": "io.cloudevents.test", "source": "https://cloudevents.io"}])"},
    {"invalidBatchContainingNonObject",
     R"(["not an object", {"specversion": "1.0", "id": "minimal1", "type": "io.cloudevents.test", "source": "https://cloudevents.io"}])"},
};

std::string name_of_case(const testing::TestParamInfo<ConformanceCase>& info) { return info.param.name; }

/// What two envelopes of one event have in common: null stands for an absent attribute, and a time for an
/// instant.
Json normalized(Json envelope) {
  for (auto member = envelope.begin(); member != envelope.end();)
    member = member->is_null() ? envelope.erase(member) : std::next(member);
  if (envelope.contains("time"))
    envelope["time"] = to_rfc3339(*parse_rfc3339(envelope["time"].get<std::string>()));
  return envelope;
}

class ValidCloudEvent : public testing::TestWithParam<ConformanceCase> {};
TEST_P(ValidCloudEvent, IsReadAndWrittenAgainAsItWas) {
  const CloudEvent event = parse_cloudevent(GetParam().text);
  EXPECT_EQ(to_cloudevent_json(event), normalized(Json::parse(GetParam().text)));
}
INSTANTIATE_TEST_SUITE_P(Conformance, ValidCloudEvent, testing::ValuesIn(kValidEvents), name_of_case);

class InvalidCloudEvent : public testing::TestWithParam<ConformanceCase> {};
TEST_P(InvalidCloudEvent, IsRefused) {
  expect_error(ErrorCode::NotDecodable, "not a CloudEvent", [] { return parse_cloudevent(GetParam().text); });
}
INSTANTIATE_TEST_SUITE_P(Conformance, InvalidCloudEvent, testing::ValuesIn(kInvalidEvents), name_of_case);

class ValidCloudEventBatch : public testing::TestWithParam<ConformanceCase> {};
TEST_P(ValidCloudEventBatch, IsReadAndWrittenAgainAsItWas) {
  Json written = Json::array();
  for (const CloudEvent& event : parse_cloudevent_batch(GetParam().text))
    written.push_back(to_cloudevent_json(event));
  Json published = Json::parse(GetParam().text);
  for (Json& envelope : published) envelope = normalized(envelope);
  EXPECT_EQ(written, published);
}
INSTANTIATE_TEST_SUITE_P(Conformance, ValidCloudEventBatch, testing::ValuesIn(kValidBatches), name_of_case);

class InvalidCloudEventBatch : public testing::TestWithParam<ConformanceCase> {};
TEST_P(InvalidCloudEventBatch, IsRefused) {
  expect_error(ErrorCode::NotDecodable, "of the batch: not a CloudEvent",
               [] { return parse_cloudevent_batch(GetParam().text); });
}
INSTANTIATE_TEST_SUITE_P(Conformance, InvalidCloudEventBatch, testing::ValuesIn(kInvalidBatches),
                         name_of_case);

}  // namespace
}  // namespace tidings
