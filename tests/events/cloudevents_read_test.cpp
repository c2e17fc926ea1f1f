#include <tidings/cloudevents.hpp>

#include <gtest/gtest.h>

#include "deep_json.hpp"
#include "thrown_error.hpp"

namespace tidings {
namespace {

constexpr const char* kReadId = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

Json smallest_envelope() {
  return {{"specversion", "1.0"}, {"id", kReadId}, {"source", "/orders"}, {"type", "orders.order_placed"}};
}

CloudEvent read_with(const std::string& name, const Json& value) {
  Json envelope = smallest_envelope();
  envelope[name] = value;
  return from_cloudevent_json(envelope);
}

void expect_refused(const Json& envelope, const std::string& part) {
  expect_error(ErrorCode::NotDecodable, part, [&envelope] { return from_cloudevent_json(envelope); });
}

void expect_refused_with(const std::string& name, const Json& value, const std::string& part) {
  Json envelope = smallest_envelope();
  envelope[name] = value;
  expect_refused(envelope, part);
}

// The example of the JSON format's specification, section 3.2.
constexpr const char* kSpecificationExample = R"({
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "source" : "/mycontext",
    "subject": null,
    "id" : "C234-1234-1234",
    "time" : "2018-04-05T17:31:00Z",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    "datacontenttype" : "application/vnd.apache.thrift.binary",
    "data_base64" : "AQIDBA=="
})";

TEST(ReadCloudEvent, ReadsTheExampleOfTheSpecification) {
  const CloudEvent event = parse_cloudevent(kSpecificationExample);
  EXPECT_EQ(event.type, "com.example.someevent");
  EXPECT_EQ(event.metadata.source.view(), "/mycontext");
  EXPECT_EQ(event.metadata.foreign_id, "C234-1234-1234");
  EXPECT_TRUE(event.metadata.event_id.is_nil());
  EXPECT_EQ(event.subject, "");
  EXPECT_EQ(to_rfc3339(event.metadata.published_at), "2018-04-05T17:31:00.000000Z");
  EXPECT_EQ(event.metadata.fields,
            (ContextFields{{"comexampleextension1", "value"}, {"comexampleothervalue", 5}}));
  EXPECT_EQ(event.datacontenttype, "application/vnd.apache.thrift.binary");
  EXPECT_TRUE(event.has_binary);
  EXPECT_EQ(event.binary, "\x01\x02\x03\x04");
  EXPECT_TRUE(event.data.is_discarded());
}

TEST(ReadCloudEvent, AnIdAsTidingsMakesThemIsTheEventsOwn) {
  EXPECT_EQ(read_with("id", kReadId).metadata.event_id.to_string(), kReadId);
  EXPECT_FALSE(read_with("id", kReadId).metadata.foreign_id);
}

TEST(ReadCloudEvent, AnyOtherIdIsForeignAndGoesOutAgainAsItWas) {
  for (const std::string& id :
       {std::string("1"), std::string("a b"), std::string("\xC3\xA9\xF0\x9F\x93\xAC"),
        std::string("' OR 1=1 --"), std::string("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"),
        std::string("00000000-0000-0000-0000-000000000000"), std::string(100'000, 'x')}) {
    const CloudEvent event = read_with("id", id);
    EXPECT_EQ(event.metadata.foreign_id, id);
    EXPECT_TRUE(event.metadata.event_id.is_nil());
    EXPECT_EQ(to_cloudevent_json(event).at("id"), id);
  }
}

TEST(ReadCloudEvent, TidingsOwnIdStandsBesideAForeignOne) {
  Json envelope = smallest_envelope();
  envelope["id"] = "017f22e2-79b0-7cc3-98c4-000000000001";
  envelope["tidingsid"] = kReadId;
  const CloudEvent event = from_cloudevent_json(envelope);
  EXPECT_EQ(event.metadata.event_id.to_string(), kReadId);
  EXPECT_EQ(event.metadata.foreign_id, "017f22e2-79b0-7cc3-98c4-000000000001");
  EXPECT_EQ(to_cloudevent_json(event), envelope);
  for (const char* id : {"A234", "00000000-0000-0000-0000-000000000000"})
    expect_refused_with("tidingsid", id, "\"tidingsid\" must be a UUID");
}

TEST(ReadCloudEvent, AnIdIsTextWithoutControlCharactersAndNoncharacters) {
  for (const std::string& id :
       {std::string("a\0b", 3), std::string("a\nb"), std::string("\xFF"), std::string("\xC2\x85"),
        std::string("\xEF\xBF\xBF"), std::string("\xED\xA0\x80")})
    expect_refused_with("id", id, "\"id\" must be text without control characters");
}

TEST(ReadCloudEvent, TheSmallestHasDefaultsForTheRest) {
  const CloudEvent event = from_cloudevent_json(smallest_envelope());
  EXPECT_EQ(event.schema_version, 1);
  EXPECT_TRUE(event.metadata.correlation_id.empty());
  EXPECT_FALSE(event.metadata.causation_id);
  EXPECT_EQ(event.metadata.published_at, Timestamp{});
  EXPECT_TRUE(event.metadata.fields.empty());
  EXPECT_TRUE(event.data.is_discarded());
  EXPECT_FALSE(event.has_binary);
}

TEST(ReadCloudEvent, EachRequiredAttributeMustBeThereAndFilled) {
  for (const char* name : {"specversion", "id", "source", "type"}) {
    Json envelope = smallest_envelope();
    envelope.erase(name);
    expect_refused(envelope, "\"" + std::string(name) + "\" is required");
    expect_refused_with(name, nullptr, "\"" + std::string(name) + "\" is required");
    expect_refused_with(name, "", "\"" + std::string(name) + "\" must not be empty");
    expect_refused_with(name, 1, "\"" + std::string(name) + "\" must be a string");
    expect_refused_with(name, "a\x01",
                        "\"" + std::string(name) + "\" must be text without control characters");
  }
}

TEST(ReadCloudEvent, RequiredAttributesHaveTheirForms) {
  for (const char* version : {"0.3", "1", "1.1", "1.0 "})
    expect_refused_with("specversion", version, "must be \"1.0\"");
  expect_refused_with("source", "not a uri", "\"source\" must be a URI-reference");
}

TEST(ReadCloudEvent, NullMeansAbsent) {
  Json envelope = smallest_envelope();
  for (const char* name :
       {"time", "subject", "datacontenttype", "dataschema", "correlationid", "causationid", "traceparent",
        "tracestate", "partitionkey", "schemaversion", "sampledrate", "tenant", "data_base64"}) {
    envelope[name] = nullptr;
  }
  EXPECT_EQ(to_cloudevent_json(from_cloudevent_json(envelope)), smallest_envelope());
}

TEST(ReadCloudEvent, OptionalAttributesAreFilledStrings) {
  for (const char* name :
       {"time", "subject", "datacontenttype", "dataschema", "correlationid", "causationid", "partitionkey"}) {
    expect_refused_with(name, "", "\"" + std::string(name) + "\" must not be empty");
    expect_refused_with(name, 1, "\"" + std::string(name) + "\" must be a string");
    expect_refused_with(name, Json::object(), "\"" + std::string(name) + "\" must be a string");
  }
}

TEST(ReadCloudEvent, OptionalAttributesHaveTheirForms) {
  expect_refused_with("time", "2026-11-21", "\"time\" must be");
  expect_refused_with("time", "yesterday", "RFC 3339");
  for (const char* type : {"json", "a/", "/b", "a/b;", "a/b; c", "a/b; c=", "a b/c", "a/b; c=\"x", "a/b c"}) {
    expect_refused_with("datacontenttype", type, "\"datacontenttype\" must be a media type");
  }
  for (const char* schema : {"/relative", "schema", "https://example.com/a#b", "ht tp://x"}) {
    expect_refused_with("dataschema", schema, "\"dataschema\" must be an absolute URI");
  }
}

TEST(ReadCloudEvent, IdsOfOthersThatAreNoneHereAreKeptAsFields) {
  const CloudEvent caused = read_with("causationid", "A234");
  EXPECT_FALSE(caused.metadata.causation_id);
  EXPECT_EQ(caused.metadata.fields, (ContextFields{{"foreign_causation_id", "A234"}}));
  EXPECT_EQ(read_with("causationid", "00000000-0000-0000-0000-000000000000").metadata.fields.size(), 1U);
  const CloudEvent correlated = read_with("correlationid", "a b");
  EXPECT_TRUE(correlated.metadata.correlation_id.empty());
  EXPECT_EQ(correlated.metadata.fields, (ContextFields{{"foreign_correlation_id", "a b"}}));
  const CloudEvent again = from_cloudevent_json(to_cloudevent_json(caused));
  EXPECT_EQ(again.metadata.fields, caused.metadata.fields);
}

TEST(ReadCloudEvent, AcceptsMediaTypesOfEveryKind) {
  for (const char* type : {"application/json", "application/vnd.a+json", "text/plain; charset=utf-8",
                           "a/b;c=d ; e=\"f \\\" g\""}) {
    EXPECT_EQ(read_with("datacontenttype", type).datacontenttype, type);
  }
}

TEST(ReadCloudEvent, IntegersHaveThirtyTwoBits) {
  EXPECT_EQ(read_with("schemaversion", 2147483647).schema_version, 2147483647);
  for (const Json& value : {Json(0), Json(-1), Json(2147483648), Json(1.0), Json("2"), Json(true)}) {
    expect_refused_with("schemaversion", value, "\"schemaversion\" must be an integer from 1 to 2147483647");
    expect_refused_with("sampledrate", value, "\"sampledrate\" must be an integer from 1 to 2147483647");
  }
  EXPECT_EQ(read_with("x", -2147483648).metadata.fields, (ContextFields{{"x", -2147483648}}));
  for (const Json& value : {Json(2147483648), Json(-2147483649), Json(18446744073709551615U)}) {
    expect_refused_with("x", value, "\"x\" must be an integer of 32 bits");
  }
}

TEST(ReadCloudEvent, ExtensionsBecomeContextFields) {
  EXPECT_EQ(read_with("tenant", "acme").metadata.fields, (ContextFields{{"tenant", "acme"}}));
  EXPECT_EQ(read_with("flag", true).metadata.fields, (ContextFields{{"flag", true}}));
  EXPECT_EQ(read_with("flag", false).metadata.fields, (ContextFields{{"flag", false}}));
  EXPECT_EQ(*read_with("1st", "").metadata.fields.find("1st"), ContextValue(""));
  EXPECT_EQ(read_with("sampledrate", 30).metadata.fields, (ContextFields{{"sampledrate", 30}}));
  const Json envelope = {{"specversion", "1.0"}, {"id", kReadId}, {"source", "a"}, {"type", "t"}, {"z", "1"},
                         {"partitionkey", "p"},  {"a", "2"}};
  EXPECT_EQ(from_cloudevent_json(envelope).metadata.fields,
            (ContextFields{{"a", "2"}, {"partitionkey", "p"}, {"z", "1"}}));
}

TEST(ReadCloudEvent, TheOtherFieldsAreOneExtension) {
  EXPECT_EQ(read_with("contextfields", R"({"user_id":42,"ratio":0.5})").metadata.fields,
            (ContextFields{{"ratio", 0.5}, {"user_id", 42}}));
  for (const Json& value : {Json("x"), Json("[]"), Json(R"({"a":null})"), Json(R"({"a":{}})")})
    expect_refused_with("contextfields", value, "\"contextfields\" must be a JSON object of text, numbers");
  expect_refused_with("contextfields", Json(1), "\"contextfields\" must be a string");
}

TEST(ReadCloudEvent, ExtensionsHaveTheTypesOfTheSpecification) {
  for (const Json& value : {Json(1.5), Json::array(), Json::object()}) {
    expect_refused_with("x", value, "\"x\" must be a string, a boolean or an integer");
  }
  for (const char* text : {"a\nb", "\x7F", "\xC2\x85", "\xEF\xBF\xBE", "\xFF"}) {
    expect_refused_with("x", text, "\"x\" must be text without control characters");
  }
}

TEST(ReadCloudEvent, NamesAreLowercaseLettersAndDigits) {
  for (const char* name :
       {"", "Tenant", "tenant_id", "tenant-id", "t\xC3\xA9", "a b", "DATA", "data_base_64", "a\r\nb"}) {
    expect_refused_with(name, "x", "has a bad name");
    expect_refused_with(name, nullptr, "has a bad name");
  }
}

TEST(ReadCloudEvent, AnInvalidTraceIsIgnored) {
  constexpr const char* kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  Json envelope = smallest_envelope();
  envelope["tracestate"] = "a=1";
  EXPECT_EQ(from_cloudevent_json(envelope).metadata.tracestate.view(), "");
  envelope["traceparent"] = "00-junk";
  EXPECT_FALSE(from_cloudevent_json(envelope).metadata.traceparent);
  EXPECT_EQ(from_cloudevent_json(envelope).metadata.tracestate.view(), "");
  envelope["traceparent"] = kTrace;
  EXPECT_EQ(from_cloudevent_json(envelope).metadata.tracestate.view(), "a=1");
  envelope["tracestate"] = std::string(513, 'a');
  EXPECT_TRUE(from_cloudevent_json(envelope).metadata.traceparent);
  EXPECT_EQ(from_cloudevent_json(envelope).metadata.tracestate.view(), "");
  envelope["tracestate"] = "a=1 , b=2," + std::string(513, 'c');
  EXPECT_EQ(from_cloudevent_json(envelope).metadata.tracestate.view(), "a=1,b=2");
  expect_refused_with("traceparent", 1, "\"traceparent\" must be a string");
}

TEST(ReadCloudEvent, DataIsAnyJsonValue) {
  for (const Json& data : {Json(nullptr), Json("text"), Json(1.5), Json({{"a", {1}}})}) {
    EXPECT_EQ(read_with("data", data).data, data);
  }
}

TEST(ReadCloudEvent, DataIsPlainOrBase64) {
  Json both = smallest_envelope();
  both["data"] = 1;
  both["data_base64"] = "AQ==";
  expect_refused(both, "both data and data_base64");
  both["data"] = nullptr;
  expect_refused(both, "both data and data_base64");
  expect_refused_with("data_base64", 1, "\"data_base64\" must be a string");
  for (const char* text : {"A", "AQ=", "AQ", "A-==", "AR==", "A Q="}) {
    expect_refused_with("data_base64", text, "\"data_base64\" must be base64");
  }
  EXPECT_TRUE(read_with("data_base64", "").has_binary);
}

TEST(ParseCloudEvent, RefusesWhatIsNotOneJsonObject) {
  for (const char* text : {"", "{", "not json", "{\"specversion\":\"1.0\"", "{\"type\":\"\\ud800\"}"}) {
    expect_error(ErrorCode::NotDecodable, "is not valid JSON at byte",
                 [text] { return parse_cloudevent(text); });
  }
  for (const char* text : {"[]", "null", "1", "\"x\""}) {
    expect_error(ErrorCode::NotDecodable, "not a JSON object", [text] { return parse_cloudevent(text); });
  }
}

TEST(ParseCloudEvent, RefusesAnAmbiguousEnvelope) {
  const std::string text =
      R"({"specversion":"1.0","id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f","source":"a",)";
  expect_error(ErrorCode::NotDecodable, "same key twice",
               [&text] { return parse_cloudevent(text + R"("type":"a","type":"b"})"); });
}

TEST(ParseCloudEvent, ReadsDataOfTheGreatestDepthAndNoDeeper) {
  const auto text = [](std::size_t depth) {
    return smallest_envelope().dump().substr(0, smallest_envelope().dump().size() - 1) +
           ",\"data\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(json_depth(parse_cloudevent(text(kMaxJsonDepth)).data), kMaxJsonDepth);
  expect_error(ErrorCode::NotDecodable, "nests deeper",
               [&] { return parse_cloudevent(text(kMaxJsonDepth + 1)); });
  expect_error(ErrorCode::NotDecodable, "nests deeper", [&] { return parse_cloudevent(text(1'000'000)); });
  Json envelope = smallest_envelope();
  envelope["data"] = nested(kMaxJsonDepth + 1);
  expect_error(ErrorCode::NotDecodable, "nests deeper", [&] { return from_cloudevent_json(envelope); });
}

TEST(ParseCloudEventBatch, ReadsEventsInOrder) {
  EXPECT_TRUE(parse_cloudevent_batch("[]").empty());
  const auto events = parse_cloudevent_batch(Json::array({smallest_envelope(), smallest_envelope()}).dump());
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].type, "orders.order_placed");
}

TEST(ParseCloudEventBatch, SaysWhichEventIsBad) {
  expect_error(ErrorCode::NotDecodable,
               "event 1 of the batch: not a CloudEvent: attribute \"id\" is required", [] {
                 return parse_cloudevent_batch(
                     Json::array({smallest_envelope(), {{"specversion", "1.0"}, {"type", "t"}}}).dump());
               });
  expect_error(ErrorCode::NotDecodable, "must be a JSON array",
               [] { return parse_cloudevent_batch(smallest_envelope().dump()); });
  expect_error(ErrorCode::NotDecodable, "event 0 of the batch",
               [] { return parse_cloudevent_batch("[[]]"); });
}

}  // namespace
}  // namespace tidings
