#include "contracts/xor_cipher.hpp"
#include "memory/shop.hpp"

#include <gtest/gtest.h>

#include <array>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

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

/// A delivery that becomes a letter at once, which says in which field the payload does not fit.
class MisfitSweepTest : public PublishSweepTest {
 protected:
  void sweep_misfits(Durability durability, Dispatch dispatch) {
    Bus bus(options(durability));
    bus.subscribe<Order>("struct", done_by("struct"), {.dispatch = dispatch}).keep();
    sweep(bus, GetParam(), [&](std::int64_t order) {
      Json data;
      {
        const Plenty plenty;
        data = Json{{"number", order}};
      }
      bus.publish(Order::event_type, data);
    });
    expect_each_order_settled_once({"struct"});
    EXPECT_EQ(query("SELECT group_concat(DISTINCT reason) FROM dead_letters"), "undecodable");
  }
};

INSTANTIATE_TEST_SUITE_P(Whose, MisfitSweepTest, testing::Values(Whose::Caller, Whose::Others),
                         [](const auto& whose) {
                           return whose.param == Whose::Caller ? "Caller" : "Others";
                         });

TEST_P(MisfitSweepTest, InMemoryToInlineHandlers) { sweep_misfits(Durability::None, Dispatch::Inline); }
TEST_P(MisfitSweepTest, InMemoryToQueuedHandlers) { sweep_misfits(Durability::None, Dispatch::Queued); }
TEST_P(MisfitSweepTest, DurablyToInlineHandlers) {
  sweep_misfits(Durability::ProcessCrash, Dispatch::Inline);
}
TEST_P(MisfitSweepTest, DurablyToQueuedHandlers) {
  sweep_misfits(Durability::ProcessCrash, Dispatch::Queued);
}

TEST_P(PublishSweepTest, ALetterByHand) {
  Bus bus(options(Durability::None));
  const auto error = std::make_exception_ptr(std::runtime_error("a stage that fails, at some length"));
  static_cast<void>(done_["by_hand"]);
  sweep(bus, GetParam(), [&](std::int64_t order) { bus.store_dead_letter("by_hand", Order{order}, error); });
  expect_each_order_settled_once({"by_hand"});
}

TEST_P(PublishSweepTest, DurablyWithALimitOfAttemptsAndErrorsWithACode) {
  Bus bus(options(Durability::ProcessCrash));
  const auto fails = [](const Order&) {
    throw std::system_error(std::make_error_code(std::errc::connection_refused));
  };
  bus.subscribe<Order>("inline", fails, {.retry = {.max_attempts = 50}}).keep();
  bus.subscribe<Order>("queued", fails, {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 50}}).keep();
  static_cast<void>(done_["inline"]);
  static_cast<void>(done_["queued"]);
  sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(Order{order}, {.max_attempts = 2}); });
  expect_each_order_settled_once({"inline", "queued"});
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
