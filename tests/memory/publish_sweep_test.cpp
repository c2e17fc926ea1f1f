#include "contracts/xor_cipher.hpp"
#include "memory/shop.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>

namespace tidings::memory {
namespace {

const std::vector<std::string> kInline = {"inline", "inline_fails", "inline_later"};
const std::vector<std::string> kQueued = {"queued", "keyed", "parks"};

class PublishSweepTest : public ScarceMemoryTest, public testing::WithParamInterface<Whose> {};

INSTANTIATE_TEST_SUITE_P(Whose, PublishSweepTest, testing::Values(Whose::Caller, Whose::Others),
                         [](const auto& whose) {
                           return whose.param == Whose::Caller ? "Caller" : "Others";
                         });

TEST_P(PublishSweepTest, InMemoryToInlineHandlers) {
  Bus bus(options(Durability::None));
  subscribe_inline(bus);
  sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(Order{order}); });
  expect_each_order_settled_once(kInline);
}

TEST_P(PublishSweepTest, InMemoryToQueuedHandlers) {
  Bus bus(options(Durability::None));
  subscribe_queued(bus);
  sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(Order{order}); });
  expect_each_order_settled_once(kQueued);
}

TEST_P(PublishSweepTest, ByNameToHandlersOfStructs) {
  Bus bus(options(Durability::None));
  bus.subscribe<Order>("struct", done_by("struct"), {.retry = {.max_attempts = 50}}).keep();
  sweep(bus, GetParam(), [&](std::int64_t order) {
    Json data;
    {
      const Plenty plenty;
      data = Order{order};
    }
    bus.publish(Order::event_type, data);
  });
  expect_each_order_settled_once({"struct"});
}

TEST_P(PublishSweepTest, DurablyToInlineHandlers) {
  Bus bus(options(Durability::ProcessCrash));
  subscribe_inline(bus);
  sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(Order{order}); });
  expect_each_order_settled_once(kInline);
}

TEST_P(PublishSweepTest, DurablyToQueuedHandlers) {
  Bus bus(options(Durability::ProcessCrash));
  subscribe_queued(bus);
  sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(Order{order}); });
  expect_each_order_settled_once(kQueued);
}

TEST_P(PublishSweepTest, LettersOfAnEncryptedTypeKeepTheirPayloadsAndHideThem) {
  Bus bus(options(Durability::None, {std::make_shared<contract::XorCipher>(), {"shop.order"}}));
  bus.subscribe<Order>("inline_fails", fails(), {.retry = {.max_attempts = 1}}).keep();
  sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(Order{order}); });
  EXPECT_EQ(query("SELECT group_concat(DISTINCT data_encoding) FROM dead_letters"), "encrypted");
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), std::to_string(accepted_.size()));
}

TEST_P(PublishSweepTest, SoDoDurableEventsOfIt) {
  Bus bus(options(Durability::ProcessCrash, {std::make_shared<contract::XorCipher>(), {"shop.order"}}));
  bus.subscribe<Order>("inline_fails", fails(), {.retry = {.max_attempts = 1}}).keep();
  sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(Order{order}); });
  EXPECT_EQ(query("SELECT group_concat(DISTINCT data_encoding) FROM dead_letters"), "encrypted");
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), std::to_string(accepted_.size()));
}

TEST_P(PublishSweepTest, FieldsAreMaskedAndTheRestIsKept) {
  for (const auto durability : {Durability::None, Durability::ProcessCrash}) {
    Bus bus(options(durability));
    bus.subscribe<HiddenOrder>("fails", [](const HiddenOrder&) { throw std::runtime_error("no"); },
                               {.retry = {.max_attempts = 1}})
        .keep();
    sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(HiddenOrder{order}); });
  }
  EXPECT_EQ(query("SELECT group_concat(DISTINCT json_extract(event_data, '$.note')) FROM dead_letters"),
            "[masked]");
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE json_extract(event_data, '$.number') >= 0"),
            std::to_string(accepted_.size()));
}

}  // namespace
}  // namespace tidings::memory
