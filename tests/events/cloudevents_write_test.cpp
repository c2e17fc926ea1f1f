#include <tidings/cloudevents.hpp>

#include <gtest/gtest.h>

#include <limits>

#include "deep_json.hpp"
#include "thrown_error.hpp"

namespace tidings {
namespace {

constexpr const char* kWrittenId = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

CloudEvent smallest_event() {
  CloudEvent event{.type = "orders.order_placed"};
  event.metadata.event_id = *EventId::parse(kWrittenId);
  event.metadata.source = "orders";
  return event;
}

CloudEvent fullest() {
  CloudEvent event = smallest_event();
  event.schema_version = 3;
  Metadata& metadata = event.metadata;
  metadata.correlation_id = *CorrelationId::parse("request-1");
  metadata.causation_id = EventId::parse("017f22e2-79b0-7cc3-98c4-000000000001");
  metadata.traceparent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  metadata.tracestate = "rojo=1";
  metadata.published_at = Timestamp(std::chrono::microseconds(1'800'000'000'123'456));
  metadata.fields = {{"partitionkey", "p"}, {"sampledrate", 30}, {"tenant", "ac'me"}};
  event.data = {{"order_id", 42}};
  event.subject = "order 42";
  event.datacontenttype = "application/json; charset=utf-8";
  event.dataschema = "https://example.com/schema?v=3";
  return event;
}

TEST(WriteCloudEvent, TheSmallestHasTheRequiredAttributesAlone) {
  EXPECT_EQ(to_cloudevent_json(smallest_event()), Json({{"specversion", "1.0"},
                                                        {"id", kWrittenId},
                                                        {"source", "orders"},
                                                        {"type", "orders.order_placed"}}));
}

TEST(WriteCloudEvent, EveryFieldBecomesATopLevelAttribute) {
  const Json expected = {{"specversion", "1.0"},
                         {"id", kWrittenId},
                         {"source", "orders"},
                         {"type", "orders.order_placed"},
                         {"schemaversion", 3},
                         {"correlationid", "request-1"},
                         {"causationid", "017f22e2-79b0-7cc3-98c4-000000000001"},
                         {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
                         {"tracestate", "rojo=1"},
                         {"time", "2027-01-15T08:00:00.123456Z"},
                         {"partitionkey", "p"},
                         {"sampledrate", 30},
                         {"tenant", "ac'me"},
                         {"subject", "order 42"},
                         {"datacontenttype", "application/json; charset=utf-8"},
                         {"dataschema", "https://example.com/schema?v=3"},
                         {"data", {{"order_id", 42}}}};
  EXPECT_EQ(to_cloudevent_json(fullest()), expected);
}

TEST(WriteCloudEvent, ComesBackAsItWas) {
  const CloudEvent event = fullest();
  const CloudEvent back = from_cloudevent_json(to_cloudevent_json(event));
  EXPECT_EQ(back.type, event.type);
  EXPECT_EQ(back.schema_version, 3);
  EXPECT_EQ(back.metadata, event.metadata);
  EXPECT_EQ(back.data, event.data);
  EXPECT_EQ(back.subject, event.subject);
  EXPECT_EQ(back.datacontenttype, event.datacontenttype);
  EXPECT_EQ(back.dataschema, event.dataschema);
  EXPECT_EQ(to_cloudevent_json(back), to_cloudevent_json(event));
}

TEST(WriteCloudEvent, AnEventWithAForeignIdGoesOutUnderItAndKeepsItsOwn) {
  CloudEvent event = smallest_event();
  event.metadata.foreign_id = "C234-1234-1234";
  const Json envelope = to_cloudevent_json(event);
  EXPECT_EQ(envelope.at("id"), "C234-1234-1234");
  EXPECT_EQ(envelope.at("tidingsid"), kWrittenId);
  EXPECT_EQ(from_cloudevent_json(envelope).metadata, event.metadata);
  event.metadata.fields = {{"tidingsid", "a field of that name"}};
  EXPECT_EQ(from_cloudevent_json(to_cloudevent_json(event)).metadata, event.metadata);
}

TEST(WriteCloudEvent, NullDataDiffersFromNone) {
  CloudEvent event = smallest_event();
  EXPECT_FALSE(to_cloudevent_json(event).contains("data"));
  event.data = nullptr;
  EXPECT_TRUE(to_cloudevent_json(event).at("data").is_null());
}

TEST(WriteCloudEvent, BinaryDataIsBase64) {
  CloudEvent event = smallest_event();
  event.has_binary = true;
  event.binary = std::string("\xFF\x00", 2);
  const Json envelope = to_cloudevent_json(event);
  EXPECT_EQ(envelope.at("data_base64"), "/wA=");
  EXPECT_FALSE(envelope.contains("data"));
  event.binary = "";
  EXPECT_EQ(to_cloudevent_json(event).at("data_base64"), "");
}

TEST(WriteCloudEvent, ATracestateWithoutTraceparentIsDropped) {
  CloudEvent event = smallest_event();
  event.metadata.tracestate = "rojo=1";
  EXPECT_FALSE(to_cloudevent_json(event).contains("tracestate"));
}

TEST(WriteCloudEvent, DataOfTheGreatestDepthIsCarriedWholeAndNoDeeper) {
  CloudEvent event = smallest_event();
  event.data = nested(kMaxJsonDepth);
  const CloudEvent back = parse_cloudevent(to_cloudevent_json(event).dump());
  EXPECT_EQ(innermost(back.data, kMaxJsonDepth), 42);
  event.data = nested(100'000);
  expect_error(ErrorCode::NotEncodable, "nests deeper", [&event] { return to_cloudevent_json(event); });
}

template <class Change>
void expect_refused(const std::string& part, Change change) {
  CloudEvent event = smallest_event();
  change(event);
  expect_error(ErrorCode::NotEncodable, part, [&event] { return to_cloudevent_json(event); });
}

TEST(WriteCloudEvent, RefusesAnEventWithoutItsRequiredAttributes) {
  expect_refused("\"type\" is required", [](CloudEvent& event) { event.type = ""; });
  expect_refused("\"id\" is required", [](CloudEvent& event) { event.metadata.event_id = EventId(); });
  expect_refused("\"id\" must not be empty", [](CloudEvent& event) { event.metadata.foreign_id = ""; });
  expect_refused("\"id\" must be UTF-8", [](CloudEvent& event) { event.metadata.foreign_id = "\xFF"; });
  expect_refused("\"source\" must be", [](CloudEvent& event) { event.metadata.source = ""; });
  expect_refused("\"source\" must be", [](CloudEvent& event) { event.metadata.source = "not a uri"; });
}

TEST(WriteCloudEvent, RefusesBadText) {
  expect_refused("\"type\" must be UTF-8", [](CloudEvent& event) { event.type = "a\nb"; });
  expect_refused("\"subject\" must be UTF-8", [](CloudEvent& event) { event.subject = "\xFF"; });
  expect_refused("\"datacontenttype\" must be", [](CloudEvent& event) { event.datacontenttype = "json"; });
  expect_refused("\"dataschema\" must be", [](CloudEvent& event) { event.dataschema = "/relative"; });
  expect_refused("\"schemaversion\" must be", [](CloudEvent& event) { event.schema_version = 0; });
}

CloudEvent with_fields(ContextFields fields) {
  CloudEvent event = smallest_event();
  event.metadata.fields = std::move(fields);
  return event;
}

TEST(WriteCloudEvent, FieldsOfPortableNamesAndTypesAreExtensions) {
  const Json envelope = to_cloudevent_json(
      with_fields({{"tenant", "acme"}, {"vip", true}, {"count", -3}, {"line", 2147483647}, {"empty", ""}}));
  EXPECT_EQ(envelope.at("tenant"), "acme");
  EXPECT_EQ(envelope.at("vip"), true);
  EXPECT_EQ(envelope.at("count"), -3);
  EXPECT_EQ(envelope.at("line"), 2147483647);
  EXPECT_EQ(envelope.at("empty"), "");
  EXPECT_FALSE(envelope.contains("contextfields"));
}

TEST(WriteCloudEvent, FieldsThatCloudEventsCannotCarryTravelTogether) {
  const Json envelope = to_cloudevent_json(with_fields({{"user_id", 42},
                                                        {"account", 2147483648},
                                                        {"ratio", 0.5},
                                                        {"id", "mine"},
                                                        {"contextfields", 1},
                                                        {"sampledrate", "often"},
                                                        {"partitionkey", ""}}));
  EXPECT_EQ(Json::parse(envelope.at("contextfields").get<std::string>()), Json({{"user_id", 42},
                                                                                {"account", 2147483648},
                                                                                {"ratio", 0.5},
                                                                                {"id", "mine"},
                                                                                {"contextfields", 1},
                                                                                {"sampledrate", "often"},
                                                                                {"partitionkey", ""}}));
  EXPECT_EQ(envelope.at("id"), kWrittenId);
  EXPECT_EQ(envelope.size(), 5U) << envelope;
}

TEST(WriteCloudEvent, EveryFieldComesBackWithItsType) {
  const ContextFields fields{{"tenant", "42"},  {"user_id", 42},       {"vip", false},    {"count", 7},
                             {"ratio", 1.0},    {"large", UINT64_MAX}, {"time", "now"},   {"data", true},
                             {"deadletter", 1}, {"partitionkey", "p"}, {"sampledrate", 2}};
  EXPECT_EQ(from_cloudevent_json(to_cloudevent_json(with_fields(fields))).metadata.fields, fields);
}

TEST(WriteCloudEvent, RefusesDataThatJsonCannotCarry) {
  expect_refused("hand it over as binary", [](CloudEvent& event) { event.data = "\xFF"; });
  expect_refused("hand it over as binary",
                 [](CloudEvent& event) { event.data = {std::numeric_limits<double>::infinity()}; });
  expect_refused("hand it over as binary", [](CloudEvent& event) { event.data = Json::binary({1}); });
  expect_refused("both data and binary", [](CloudEvent& event) {
    event.data = 1;
    event.has_binary = true;
  });
}

}  // namespace
}  // namespace tidings
