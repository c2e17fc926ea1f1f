#include "durable_fixture.hpp"

#include <gmock/gmock.h>

// Durable events whose deliveries are dead as they are published: their letter and their idempotency key are
// one commit.

namespace tidings::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DeadFromTheStartTest : public DurableTest {
 protected:
  DeadFromTheStartTest() {
    journal_->before_commit = [this](const JournalBatch& batch) {
      for (const JournalAppend& append : batch.appended)
        letters_with_.push_back(append.idempotency_key.empty() ? 0 : batch.letters.size());
    };
  }
  [[nodiscard]] BusOptions keeping() {
    BusOptions result = durable();
    result.unhandled = Unhandled::DeadLetter;
    result.max_causation_depth = 1;
    return result;
  }
  std::vector<std::size_t> letters_with_;  // how many letters came with each key
};

TEST_F(DeadFromTheStartTest, AnUnhandledEventHasItsLetterWithItsKey) {
  Bus bus(keeping());
  EXPECT_EQ(bus.publish(OrderPlaced{1}, {.idempotency_key = "once"}).dead, 1U);
  EXPECT_THAT(letters_with_, ElementsAre(1U));
  EXPECT_TRUE(bus.publish(OrderPlaced{1}, {.idempotency_key = "once"}).duplicate);
  ASSERT_THAT(journal_->letters(), SizeIs(1));
  EXPECT_EQ(journal_->letters()[0].reason, Reason::Unhandled);
  EXPECT_EQ(journal_->commits(), 2U);
}

TEST_F(DeadFromTheStartTest, ARefusedCommitKeepsNeitherKeyNorLetter) {
  Bus bus(keeping());
  journal_->fail_commits(1, ErrorCode::DatabaseUnusable);
  EXPECT_THROW(bus.publish(OrderPlaced{1}, {.idempotency_key = "once"}), Error);
  EXPECT_THAT(journal_->letters(), IsEmpty());
  EXPECT_FALSE(bus.publish(OrderPlaced{1}, {.idempotency_key = "once"}).duplicate);
  EXPECT_THAT(journal_->letters(), SizeIs(1));
}

TEST_F(DeadFromTheStartTest, TheEndOfAChainHasItsLettersWithItsKey) {
  Bus bus(keeping());
  PublishResult last;
  int runs = 0;
  const auto loop = bus.subscribe<OrderPlaced>("loop", [&](const OrderPlaced& event) {
    ++runs;
    last = bus.publish(event, {.idempotency_key = "run-" + std::to_string(runs)});
  });
  const auto other = bus.subscribe<OrderPlaced>("other", [](const OrderPlaced&) {});
  EXPECT_EQ(bus.publish(OrderPlaced{1}).handled, 2U);
  EXPECT_EQ(runs, 2);
  EXPECT_THAT(letters_with_, ElementsAre(0U, 0U, 2U));
  ASSERT_THAT(journal_->letters(), SizeIs(2));
  EXPECT_EQ(journal_->letters()[0].reason, Reason::CausationLoop);
  EXPECT_EQ(journal_->letters()[1].handler, "other");
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(DeadFromTheStartTest, ItsRecordsTellTheEndBeforeTheLetter) {
  Bus bus(keeping());
  bus.publish(OrderPlaced{1});
  std::vector<std::string> events;
  for (const auto& record : capture_.records()) events.push_back(record.at("event").get<std::string>());
  EXPECT_THAT(events,
              ElementsAre("bus_started", "event_published", "delivery_set_aside", "dead_letter_stored"));
}

}  // namespace
}  // namespace tidings::test
