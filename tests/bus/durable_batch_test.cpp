#include "durable_fixture.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

// A durable batch is accepted as a whole, whatever it shares a commit with.

namespace tidings::test {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class DurableBatchTest : public DurableTest {
 protected:
  /// Refuses each commit that appends an order of "everybody".
  void take_none_of_everybody() {
    journal_->before_commit = [](const JournalBatch& batch) {
      const auto too_large = [](const JournalAppend& append) {
        return std::string_view(append.data->bytes).find("everybody") != std::string_view::npos;
      };
      if (std::any_of(batch.appended.begin(), batch.appended.end(), too_large))
        throw Error(ErrorCode::NotEncodable, "larger than the journal takes");
    };
  }
  Seen seen_;
};

TEST_F(DurableBatchTest, OfWhichOneEventIsTooLargeIsNotAccepted) {
  take_none_of_everybody();
  Bus bus(durable());
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced& event) { seen_.add(event.order_id); },
                                 {.dispatch = Dispatch::Queued});
  const std::array events = {OrderPlaced{1}, OrderPlaced{2, "everybody"}, OrderPlaced{3}};
  EXPECT_EQ(error_code_of([&] { bus.publish_batch(events); }), ErrorCode::NotEncodable);
  EXPECT_EQ(journal_->events(), 0U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), IsEmpty());
}

TEST_F(DurableBatchTest, OfThousandsIsOneCommit) {
  Bus bus(durable());
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced& event) { seen_.add(event.order_id); });
  const auto before = journal_->commits();
  const std::vector<OrderPlaced> events(5'000);
  EXPECT_THAT(bus.publish_batch(events), SizeIs(5'000));
  EXPECT_EQ(journal_->commits(), before + 1);
  EXPECT_THAT(seen_.orders(), SizeIs(5'000));
}

TEST_F(DurableBatchTest, ARepeatKeepsNoPlaceInAQueue) {
  Bus bus(durable());
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced& event) { seen_.add(event.order_id); },
                                 {.dispatch = Dispatch::Queued, .queue_capacity = 1});
  EXPECT_TRUE(bus.wait_idle(kLong));  // what is published goes straight to the queue from here on
  EXPECT_FALSE(bus.publish(OrderPlaced{1}, {.idempotency_key = "order-1"}).duplicate);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_TRUE(bus.publish(OrderPlaced{1}, {.idempotency_key = "order-1"}).duplicate);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), SizeIs(1));
}

}  // namespace
}  // namespace tidings::test
