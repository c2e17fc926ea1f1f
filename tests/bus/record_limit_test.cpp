#include "log/record_limit.hpp"
#include "durable_fixture.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <string>

// What repeats is logged at once, then seldom, with how often it came.

namespace tidings::test {
namespace {

using detail::RecordLimit;
using testing::SizeIs;

class RecordLimitTest : public testing::Test {
 protected:
  [[nodiscard]] bool admit_fault(std::string_view problem = "disk full") {
    return limit_.admit("journal_refused", "", problem, "", now_, RecordLimit::kOfFaults);
  }

  Instant now_{std::chrono::hours(1)};
  RecordLimit limit_;
};

TEST_F(RecordLimitTest, AFaultIsToldAtOnceAndThenTenTimesInTenSeconds) {
  int told = 0;
  EXPECT_TRUE(admit_fault());
  for (int tick = 0; tick < 60'000; tick += 5) {  // 200 a second, for a minute
    now_ += 5ms;
    if (admit_fault()) ++told;
  }
  EXPECT_LE(told, 60);
  EXPECT_GE(told, 50);
}

TEST_F(RecordLimitTest, HowOftenAFaultCameIsToldWhenItsTimeIsOver) {
  for (int times = 0; times < 400; ++times) static_cast<void>(admit_fault());
  EXPECT_EQ(limit_.due(), now_ + 10s);
  EXPECT_THAT(limit_.take_summaries(now_ + 1s), SizeIs(0));
  EXPECT_EQ(limit_.due(), now_ + 10s);
  const auto summaries = limit_.take_summaries(now_ + 10s);
  ASSERT_THAT(summaries, SizeIs(1));
  EXPECT_EQ(summaries.front().record, "journal_refused");
  EXPECT_EQ(summaries.front().held_back, 390U);
  EXPECT_EQ(limit_.due(), std::nullopt);
}

TEST_F(RecordLimitTest, TheSummaryThatIsReadyFirstIsDue) {
  for (int times = 0; times < 200; ++times) static_cast<void>(admit_fault());
  for (int times = 0; times < 200; ++times)
    static_cast<void>(limit_.admit("handler_failed", "bad", "cause", "id", now_));
  EXPECT_EQ(limit_.due(), now_ + 1s);
  EXPECT_THAT(limit_.take_summaries(now_ + 1s), SizeIs(1));
  EXPECT_EQ(limit_.due(), now_ + 10s);
}

TEST_F(RecordLimitTest, ManyCausesThatAreOverDoNotMakeNewOnesCrowded) {
  for (int cause = 0; cause < 2000; ++cause) static_cast<void>(admit_fault(std::to_string(cause)));
  now_ += 10s;
  for (int cause = 0; cause < 100; ++cause) EXPECT_TRUE(admit_fault("new " + std::to_string(cause)));
}

class RepeatedRecordTest : public DurableTest {};

TEST_F(RepeatedRecordTest, AJournalThatRefusesEveryCommitIsNotToldOfForEachPublish) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  bus.publish(OrderPlaced{});  // whose end waits for the next commit
  journal_->fail_commits(2000, ErrorCode::DatabaseUnusable);
  for (int times = 0; times < 1000; ++times) EXPECT_THROW(bus.publish(OrderPlaced{}), Error);
  EXPECT_LE(capture_.count("journal_refused"), 10U);
  EXPECT_GE(capture_.count("journal_refused"), 1U);
  for (const Json& record : capture_.records("journal_refused"))
    EXPECT_LE(record.at("retry_in_ms").get<std::int64_t>(), 5000);
  journal_->fail_commits(0, ErrorCode::DatabaseUnusable);
  while (journal_->events() > 0) advance(100ms);
  bus.stop(1s);
  const auto summaries = capture_.records("records_held_back");
  ASSERT_THAT(summaries, SizeIs(1));
  EXPECT_EQ(summaries.front().at("record"), "journal_refused");
  EXPECT_GE(summaries.front().at("held_back").get<int>(), 900);
  EXPECT_FALSE(summaries.front().contains("event_id"));
}

TEST_F(RepeatedRecordTest, ARefusalIsTriedAgainWhenItsRecordSays) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  bus.publish(OrderPlaced{});
  journal_->fail_commits(100, ErrorCode::DatabaseUnusable);
  std::vector<std::int64_t> waits;
  advance(50ms);
  for (std::size_t tries = 1; tries <= 8; ++tries) {
    while (capture_.count("journal_refused") < tries) std::this_thread::yield();
    waits.push_back(capture_.records("journal_refused").back().at("retry_in_ms"));
    advance(std::chrono::milliseconds(waits.back()));
  }
  EXPECT_THAT(waits, testing::ElementsAre(100, 200, 400, 800, 1600, 3200, 5000, 5000));
  journal_->fail_commits(0, ErrorCode::DatabaseUnusable);
}

TEST_F(RepeatedRecordTest, ASlowHandlerIsNotToldOfForEachOfManyEvents) {
  Bus bus(options());
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) { clock_->advance(2ms); },
                                            {.slow_threshold = 1ms});
  for (int times = 0; times < 400; ++times) bus.publish(OrderPlaced{});
  EXPECT_EQ(capture_.count("handler_slow"), 100U);
}

}  // namespace
}  // namespace tidings::test
