#include "bus_fixture.hpp"
#include "contracts/xor_cipher.hpp"

#include <gmock/gmock.h>

#include <system_error>
#include <vector>

namespace tidings::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct CardSwiped {
  static constexpr std::string_view event_type = "shop.card_swiped";
  static constexpr bool encrypt_payload = true;
  std::string number{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(CardSwiped, number)
};

class StoreDeadLetterTest : public BusTest {
 protected:
  /// The letter of order 42, which the bus has stored.
  DeadLetter stored_for(Bus& bus, const std::exception_ptr& error) {
    const auto result = bus.store_dead_letter("charge", OrderPlaced{.order_id = 42}, error);
    EXPECT_EQ(result.dead, 1U);
    EXPECT_EQ(result.event_id, letters_->letters().back().metadata.event_id);
    return letters_->letters().back();
  }
  template <class Exception>
  static std::exception_ptr thrown(const Exception& exception) {
    return std::make_exception_ptr(exception);
  }
};

TEST_F(StoreDeadLetterTest, KeepsTheEventTheHandlersNameAndTheError) {
  Bus bus(options());
  const DeadLetter letter = stored_for(bus, thrown(std::runtime_error("no stock")));
  EXPECT_EQ(letter.event_type, "orders.order_placed");
  EXPECT_EQ(Json::parse(letter.data.bytes).at("order_id"), 42);
  EXPECT_EQ(letter.service, "shop");
  EXPECT_EQ(letter.handler, "charge");
  EXPECT_EQ(letter.reason, Reason::Exhausted);
  EXPECT_EQ(letter.error_type, "std::runtime_error");
  EXPECT_EQ(letter.error_message, "no stock");
  ASSERT_EQ(letter.attempts.size(), 1U);
  EXPECT_EQ(letter.attempts.at(0).error_message, "no stock");
  EXPECT_EQ(letter.retry_count, 0U);
  EXPECT_EQ(letter.failed_at, clock_->now());
}

TEST_F(StoreDeadLetterTest, TakesAnExceptionToo) {
  Bus bus(options());
  try {
    throw Permanent("the card has expired");
  } catch (const std::exception& error) {
    bus.store_dead_letter("charge", OrderPlaced{}, error);
  }
  EXPECT_EQ(letters_->letters().at(0).reason, Reason::Permanent);
  EXPECT_EQ(letters_->letters().at(0).error_type, "tidings::Permanent");
}

TEST_F(StoreDeadLetterTest, HasTheCodeOfTheErrorAndNoSecretOfItsText) {
  Bus bus(options());
  const DeadLetter letter = stored_for(
      bus, thrown(std::system_error(std::error_code(111, std::generic_category()), "password=hunter2")));
  EXPECT_EQ(*letter.attempts.at(0).fields.find("error_code"), ContextValue("generic:111"));
  EXPECT_THAT(letter.error_message, HasSubstr("password=[redacted]"));
  EXPECT_EQ(capture_.only("handler_exhausted_retries").at("error_code"), "generic:111");
}

TEST_F(StoreDeadLetterTest, WhatIsNoExceptionIsKeptToo) {
  Bus bus(options());
  const DeadLetter letter = stored_for(bus, thrown(42));
  EXPECT_EQ(letter.error_type, "int");
  EXPECT_EQ(letter.error_message, "not a std::exception");
}

TEST_F(StoreDeadLetterTest, HasTheCurrentContextAndTheOptions) {
  Bus bus(options());
  const ContextScope request({{"tenant", "acme"}});
  bus.store_dead_letter("charge", OrderPlaced{}, thrown(std::runtime_error("no")),
                        {.correlation_id = "request-7", .fields = {{"user", "ada"}}});
  const Metadata metadata = letters_->letters().at(0).metadata;
  EXPECT_EQ(metadata.correlation_id.to_string(), "request-7");
  EXPECT_EQ(*metadata.fields.find("tenant"), ContextValue("acme"));
  EXPECT_EQ(*metadata.fields.find("user"), ContextValue("ada"));
  EXPECT_EQ(capture_.only("dead_letter_stored").at("tenant"), "acme");
}

TEST_F(StoreDeadLetterTest, IsRedeliveredToThatHandlerAlone) {
  Bus bus(options());
  std::vector<std::int64_t> charged;
  int mailed = 0;
  auto charge = bus.subscribe<OrderPlaced>(
      "charge", [&](const OrderPlaced& order) { charged.push_back(order.order_id); });
  auto mail = bus.subscribe<OrderPlaced>("mail", [&](const OrderPlaced&) { ++mailed; });
  static_cast<void>(stored_for(bus, thrown(std::runtime_error("no"))));
  EXPECT_TRUE(charged.empty()) << "it is not published";
  bus.redrive({});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(charged, std::vector<std::int64_t>{42});
  EXPECT_EQ(mailed, 0);
  EXPECT_TRUE(letters_->unresolved().empty());
}

TEST_F(StoreDeadLetterTest, TakesJsonUnderATypeName) {
  Bus bus(options());
  bus.store_dead_letter("charge", "orders.order_shipped", Json{{"order_id", 7}},
                        thrown(std::runtime_error("no")), kNoPublishOptions, 2);
  EXPECT_EQ(letters_->letters().at(0).event_type, "orders.order_shipped");
  EXPECT_EQ(letters_->letters().at(0).schema_version, 2);
}

TEST_F(StoreDeadLetterTest, KeepsThePayloadAsItsTypeAsksFor) {
  BusOptions with_key = options();
  with_key.store = letters_ = std::make_shared<MemoryLetterSink>(
      PayloadEncryption{.cipher = std::make_shared<contract::XorCipher>()});
  Bus bus(std::move(with_key));
  bus.store_dead_letter("charge", CardSwiped{"4111-secret"}, thrown(std::runtime_error("no")));
  const EncodedData kept = letters_->letters().at(0).data;
  EXPECT_EQ(kept.encoding, DataEncoding::Encrypted);
  EXPECT_THAT(kept.bytes, Not(HasSubstr("4111-secret")));
}

TEST_F(StoreDeadLetterTest, MayBeCalledInsideAHandler) {
  Bus bus(options());
  EventId cause;
  auto next = bus.subscribe<OrderShipped>("next", [&](const OrderShipped&, const EventContext& context) {
    cause = context.metadata().event_id;
    bus.store_dead_letter("charge", OrderPlaced{}, thrown(std::runtime_error("no")));
  });
  EXPECT_EQ(bus.publish(OrderShipped{}).handled, 1U);
  EXPECT_EQ(letters_->letters().at(0).metadata.causation_id, cause);
  EXPECT_EQ(letters_->letters().at(0).handler, "charge");
}

TEST_F(StoreDeadLetterTest, RefusesWhatNobodyCouldDeliver) {
  const auto code_of = [](Bus& bus, std::string_view handler, const std::exception_ptr& error,
                          const PublishOptions& given = kNoPublishOptions) {
    return error_code_of([&] { bus.store_dead_letter(handler, OrderPlaced{}, error, given); });
  };
  const auto error = thrown(std::runtime_error("no"));
  Bus bus(options());
  EXPECT_EQ(code_of(bus, "", error), ErrorCode::InvalidArgument);
  EXPECT_EQ(code_of(bus, "charge", nullptr), ErrorCode::InvalidArgument);
  EXPECT_EQ(code_of(bus, "charge", error, {.idempotency_key = "k"}), ErrorCode::InvalidArgument);
  BusOptions without_store = options();
  without_store.store = nullptr;
  Bus forgetful(std::move(without_store));
  EXPECT_EQ(code_of(forgetful, "charge", error), ErrorCode::InvalidArgument);
  bus.stop(1s);
  EXPECT_EQ(code_of(bus, "charge", error), ErrorCode::BusStopped);
  EXPECT_TRUE(letters_->letters().empty());
}

}  // namespace
}  // namespace tidings::test
