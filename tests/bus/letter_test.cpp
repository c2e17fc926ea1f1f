#include "bus_fixture.hpp"

#include <tidings/process_identity.hpp>

#include <unistd.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace tidings::test {
namespace {

struct Reading {
  static constexpr std::string_view event_type = "lab.reading";
  Json value;
};
void to_json(Json& json, const Reading& reading) { json = reading.value; }
void from_json(const Json& json, Reading& reading) { reading.value = json; }

/// Nests 10,000 levels deep. Made in place: nlohmann's copy of such a value takes a larger stack than a
/// thread has.
struct Deep {
  static constexpr std::string_view event_type = "lab.deep";
};
void to_json(Json& json, const Deep&) {
  json = 1;
  for (int level = 0; level < 10'000; ++level) json = Json::array({std::move(json)});
}
void from_json(const Json&, Deep&) {}

struct Secret {
  static constexpr std::string_view event_type = "vault.secret";
  static constexpr bool store_payload = false;
  std::string text;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Secret, text)
};

struct Unencodable {
  static constexpr std::string_view event_type = "lab.unencodable";
};
void to_json(Json&, const Unencodable&) { throw std::runtime_error("cannot be written"); }
void from_json(const Json&, Unencodable&) {}

class LetterTest : public BusTest {
 protected:
  template <class E>
  DeadLetter letter_of(const E& event, const std::string& error = "no") {
    Bus bus(options());
    auto bad = bus.subscribe<E>("bad", [&](const E&) { throw std::runtime_error(error); },
                                {.retry = {.max_attempts = 1}});
    EXPECT_EQ(bus.publish(event).dead, 1U);
    EXPECT_EQ(letters_->letters().size(), 1U);
    return letters_->letters().at(0);
  }
};

TEST_F(LetterTest, SaysInWhichProcessItFailed) {
  set_process_identity({.host = "web-3", .release = "orders@1.4.2"});
  const auto letter = letter_of(OrderShipped{.order_id = 8});
  set_process_identity({});
  EXPECT_EQ(letter.process, (FailingProcess{"web-3", ::getpid(), "orders@1.4.2"}));
}

TEST_F(LetterTest, HoldsEverythingNeededToRepeatTheDelivery) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderShipped>("bad", [](const OrderShipped&) { throw Permanent("no"); });
  const auto trace = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const auto result = bus.publish(OrderShipped{.order_id = 8}, {.correlation_id = "request-1",
                                                                .source = "/shop/eu",
                                                                .fields = {{"tenant", "acme"}},
                                                                .traceparent = trace,
                                                                .tracestate = "vendor=1"});
  const DeadLetter letter = letters_->letters().at(0);
  EXPECT_EQ(letter.event_type, "orders.order_shipped");
  EXPECT_EQ(letter.schema_version, 2);
  EXPECT_EQ(letter.data.bytes, R"({"order_id":8})");
  EXPECT_EQ(letter.metadata.event_id, result.event_id);
  EXPECT_EQ(letter.metadata.correlation_id.to_string(), "request-1");
  EXPECT_EQ(letter.metadata.source.view(), "/shop/eu");
  EXPECT_EQ(letter.metadata.traceparent, trace);
  EXPECT_EQ(letter.metadata.tracestate.view(), "vendor=1");
  EXPECT_EQ(*letter.metadata.fields.find("tenant"), ContextValue("acme"));
  EXPECT_EQ(letter.service, "shop");
  EXPECT_EQ(letter.error_fingerprint.size(), 16U);
}

TEST_F(LetterTest, InvalidUtf8IsKeptWithoutLoss) {
  const Json value = {{"name", std::string("\xff\xfe broken")}};
  const DeadLetter letter = letter_of(Reading{value});
  EXPECT_EQ(letter.data.encoding, DataEncoding::Cbor);
  EXPECT_EQ(decode_data(letter.data.bytes, letter.data.encoding), value);
}

TEST_F(LetterTest, NumbersThatJsonCannotSayAreKept) {
  const DeadLetter letter = letter_of(Reading{Json{{"x", std::numeric_limits<double>::infinity()}}});
  EXPECT_EQ(letter.data.encoding, DataEncoding::Cbor);
  EXPECT_TRUE(std::isinf(decode_data(letter.data.bytes, letter.data.encoding).at("x").get<double>()));
}

TEST_F(LetterTest, APayloadThatNestsTooDeeplyIsNotStoredAndTheLetterSaysSo) {
  const DeadLetter letter = letter_of(Deep{});
  EXPECT_EQ(letter.data.encoding, DataEncoding::None);
  EXPECT_TRUE(letter.data.bytes.empty());
  EXPECT_EQ(letter.data.problem, "the event nests deeper than 1000 levels");
  EXPECT_EQ(letter.error_message, "no");
}

TEST_F(LetterTest, LargePayloadsAreKept) {
  const std::string large(10U * 1024 * 1024, 'x');
  EXPECT_EQ(letter_of(Reading{large}).data.bytes.size(), large.size() + 2);
}

TEST_F(LetterTest, AnOptedOutPayloadIsNotStoredAndTheLetterSaysSo) {
  const DeadLetter letter = letter_of(Secret{"4111 1111"});
  EXPECT_EQ(letter.data.encoding, DataEncoding::None);
  EXPECT_TRUE(letter.data.bytes.empty());
  EXPECT_NE(letter.data.problem.find("opts out"), std::string::npos);
}

TEST_F(LetterTest, AnEventThatCannotBeEncodedKeepsEverythingElseAndTheReason) {
  const DeadLetter letter = letter_of(Unencodable{});
  EXPECT_EQ(letter.data.encoding, DataEncoding::None);
  EXPECT_EQ(letter.data.problem, "to_json failed: cannot be written");
  EXPECT_EQ(letter.error_message, "no");
}

TEST_F(LetterTest, ErrorTextsAreMadeSafe) {
  const DeadLetter letter = letter_of(OrderPlaced{}, "bad \x1b[31m\xff\r password=hunter2");
  EXPECT_EQ(letter.error_message.find('\x1b'), std::string::npos);
  EXPECT_EQ(letter.error_message.find('\r'), std::string::npos);
  EXPECT_EQ(letter.error_message.find("hunter2"), std::string::npos);
  EXPECT_NE(letter.error_message.find("bad"), std::string::npos);
}

TEST_F(LetterTest, HugeErrorTextsAreCut) {
  const DeadLetter letter = letter_of(OrderPlaced{}, std::string(1024 * 1024, 'e'));
  EXPECT_LT(letter.error_message.size(), 4200U);
  EXPECT_NE(letter.error_message.find("1048576 bytes in all"), std::string::npos);
}

TEST_F(LetterTest, WithoutAStoreLettersAreLoggedOneByOne) {
  auto storeless = options();
  storeless.store = nullptr;
  Bus bus(storeless);
  auto bad = bus.subscribe<OrderPlaced>("bad", [](const OrderPlaced&) { throw Permanent("no"); });
  EXPECT_EQ(bus.publish(OrderPlaced{.customer = "payload text"}).dead, 1U);
  const Json record = capture_.only("dead_letter_dropped");
  EXPECT_EQ(record.at("level"), "error");
  EXPECT_EQ(record.at("handler"), "bad");
  EXPECT_EQ(record.dump().find("payload text"), std::string::npos);
}

}  // namespace
}  // namespace tidings::test
