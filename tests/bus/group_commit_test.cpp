#include "ledger/group_commit.hpp"

#include "contracts/sample_event.hpp"
#include "contracts/sample_letter.hpp"
#include "durable_fixture.hpp"
#include "stuck_sink.hpp"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <future>
#include <latch>
#include <thread>

// What threads that share the commits of the journal get to know, and when.

namespace tidings::test {
namespace {

using detail::GroupCommit;
using detail::OwedDeliveryHandle;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class GroupCommitTest : public DurableTest {
 protected:
  detail::AppendRequest owed_to_ship() {
    detail::AppendRequest request;
    request.append = event_.append();
    request.owed = std::make_shared<detail::OwedEvent>(
        std::make_shared<const detail::HandlerNames>(std::vector<std::string>{"ship"}));
    return request;
  }
  /// An event that is in memory, and owed to one handler.
  OwedDeliveryHandle publish() {
    std::array<detail::AppendRequest, 1> requests{owed_to_ship()};
    const auto take_in = [](detail::AppendRequest& request) {
      ASSERT_TRUE(detail::OwedLedger::take_in(*request.owed, 0));
    };
    commits_.append(requests, take_in, nullptr);
    return {requests[0].owed, 0};
  }
  /// A thread whose batch waits for the commit that is running.
  std::future<void> append_meanwhile(std::size_t events) {
    std::latch admitted{static_cast<std::ptrdiff_t>(events)};
    auto appends = std::async(std::launch::async, [this, events, &admitted] {
      std::vector<detail::AppendRequest> requests;
      while (requests.size() < events) requests.push_back(owed_to_ship());
      const auto count = [&](detail::AppendRequest&) { admitted.count_down(); };
      commits_.append(requests, count, nullptr);
    });
    admitted.wait();
    static_cast<void>(ledger_.awaits_transactions());  // once the thread has let go of the mutex
    return appends;
  }
  static OwedDelivery row_of(std::int64_t id) {
    OwedDelivery row;
    row.journal_id = id;
    row.handlers = {"ship"};
    row.delivery.handler = "ship";
    return row;
  }
  static logging::Logger logger_with(const std::shared_ptr<StuckSink>& sink) {
    logging::LoggerOptions logger;
    logger.sinks = {{sink, logging::Format::Json}};
    return logging::Logger(logger);
  }
  /// A thread that has buried a letter, and is stuck in a log sink with its report.
  std::future<bool> bury_and_get_stuck() {
    auto buries = std::async(std::launch::async, [this, dead = publish()] {
      return commits_.bury(dead, contract::letter(1), GroupCommit::Wait::ForCommit);
    });
    sink_->gate.await_arrival();
    return buries;
  }
  /// Whether `wait`, which begins before, returns only once the sink lets go.
  template <class Wait>
  bool outlasts_the_sink(const Wait& wait) {
    std::atomic<bool> released{false};
    std::latch begun{1};
    auto waits = std::async(std::launch::async, [&] {
      begun.count_down();
      wait();
      return released.load();
    });
    begun.wait();
    for (int turn = 0; turn < 1000; ++turn) std::this_thread::yield();
    released.store(true);
    sink_->gate.open();
    return waits.get();
  }

  contract::SampleEvent event_{1};
  std::shared_ptr<StuckSink> sink_ = std::make_shared<StuckSink>("dead_letter_stored");
  std::atomic<int> wakes_{0};
  detail::BusLog log_{logger_with(sink_), clock_};
  detail::Observing observing_{nullptr, *clock_, log_};
  detail::StorageCounts storage_{clock_};
  detail::LetterWriter writer_{journal_, log_, observing_, storage_, clock_, [] {}};
  detail::OwedLedger ledger_{clock_, [this] { ++wakes_; }, 1};
  detail::GroupCommit commits_{ledger_, *journal_, writer_, storage_, log_, observing_};
};

TEST_F(GroupCommitTest, WhoWaitsForACommitReturnsWhenItsLettersAreReported) {
  auto buries = bury_and_get_stuck();
  EXPECT_TRUE(outlasts_the_sink([&] { EXPECT_TRUE(commits_.wait_recorded(1)); }));
  EXPECT_TRUE(buries.get());
}

TEST_F(GroupCommitTest, WhoIsStuckReportingKeepsNobodyFromCommitting) {
  auto buries = bury_and_get_stuck();
  ledger_.ended(publish());
  commits_.flush_if_due(clock_->monotonic_now() + 50ms);
  EXPECT_EQ(journal_->events(), 0U);
  EXPECT_FALSE(commits_.wait_until_recorded(std::chrono::steady_clock::now()));
  sink_->gate.open();
  EXPECT_TRUE(buries.get());
  EXPECT_TRUE(commits_.wait_until_recorded(std::chrono::steady_clock::now() + kLong));
}

TEST_F(GroupCommitTest, AFlushWaitsForWhatIsBeingReportedUntilItsDeadline) {
  auto buries = bury_and_get_stuck();
  commits_.flush_finally(std::chrono::steady_clock::now());
  EXPECT_TRUE(outlasts_the_sink([&] { EXPECT_TRUE(commits_.flush()); }));
  EXPECT_TRUE(buries.get());
}

TEST_F(GroupCommitTest, WhatEndsDuringACommitIsDueAfterIt) {
  const OwedDeliveryHandle first = publish();
  const OwedDeliveryHandle second = publish();
  ledger_.ended(first);
  journal_->before_commit = [&](const JournalBatch& batch) {
    if (batch.finished.front() == first.event->id) ledger_.ended(second);
  };
  wakes_ = 0;
  commits_.flush_if_due(clock_->monotonic_now());  // nothing is due yet
  EXPECT_EQ(journal_->events(), 2U);
  EXPECT_TRUE(commits_.wait_recorded(1));
  EXPECT_EQ(journal_->events(), 1U);
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(commits_.due(), clock_->monotonic_now() + 50ms);
  commits_.flush_if_due(clock_->monotonic_now() + 50ms);
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(GroupCommitTest, WhatARefusedCommitWasToSayIsSaidByTheNext) {
  const OwedDeliveryHandle dead = publish();
  journal_->fail_commits(1, ErrorCode::DatabaseBusy);
  EXPECT_FALSE(commits_.bury(dead, contract::letter(1), GroupCommit::Wait::ForCommit));
  EXPECT_EQ(commits_.pending_letters(), 1U);
  EXPECT_EQ(commits_.due(), clock_->monotonic_now() + 100ms);
  sink_->gate.open();
  commits_.flush_if_due(clock_->monotonic_now() + 100ms);
  EXPECT_THAT(journal_->letters(), SizeIs(1));
  EXPECT_EQ(journal_->events(), 0U);
  EXPECT_EQ(commits_.pending_letters(), 0U);
}

TEST_F(GroupCommitTest, ForgetsAnEventWhenItsEndIsCommittedAndNotBefore) {
  const OwedDeliveryHandle delivery = publish();
  ledger_.ended(delivery);
  EXPECT_FALSE(ledger_.adopt(row_of(delivery.event->id)));  // it was read before the commit
  EXPECT_TRUE(commits_.flush());
  EXPECT_TRUE(ledger_.adopt(row_of(delivery.event->id)));
}

TEST_F(GroupCommitTest, AnEventWhoseCommitIsInDoubtIsTakenFromTheJournalIfItIsThere) {
  journal_->fail_commits(1, ErrorCode::InDoubt);
  EXPECT_THROW(publish(), Error);
  EXPECT_TRUE(ledger_.adopt(row_of(1)));
}

TEST_F(GroupCommitTest, WhatIsToSurviveAPowerCutIsSyncedByTheCommitThatFollowsARefusedOne) {
  std::vector<bool> synced;
  const OwedDeliveryHandle delivery = publish();
  journal_->before_commit = [&](const JournalBatch& batch) { synced.push_back(batch.synced); };
  journal_->fail_commits(1, ErrorCode::DatabaseBusy);
  static_cast<void>(ledger_.failed(delivery, 1, {}, clock_->now(), {}, true));
  EXPECT_FALSE(commits_.flush());
  EXPECT_TRUE(commits_.flush());
  EXPECT_THAT(synced, ElementsAre(true, true));
}

TEST_F(GroupCommitTest, ABatchThatIsTooLargeRefusesNoOtherOfItsCommit) {
  std::vector<std::size_t> sizes;
  Gate committing;
  journal_->before_commit = [&](const JournalBatch& batch) {
    sizes.push_back(batch.appended.size());
    if (batch.appended.front().id == 1) committing.pass();
    for (const JournalAppend& append : batch.appended) {
      if (append.id == 3) throw Error(ErrorCode::NotEncodable, "too large");
    }
  };
  auto first = std::async(std::launch::async, [&] { publish(); });
  committing.await_arrival();
  auto batch = append_meanwhile(2);
  auto other = append_meanwhile(1);
  committing.open();
  first.get();
  EXPECT_THROW(batch.get(), Error);
  EXPECT_NO_THROW(other.get());
  EXPECT_THAT(sizes, ElementsAre(1, 3, 2, 1));
  EXPECT_EQ(journal_->events(), 2U);
}

TEST_F(GroupCommitTest, ForgetsARepeat) {
  event_.key = "order-1";
  static_cast<void>(publish());
  const OwedDeliveryHandle repeat = publish();
  EXPECT_EQ(journal_->events(), 1U);
  EXPECT_TRUE(ledger_.adopt(row_of(repeat.event->id)));  // as nothing is known of it
}

TEST_F(GroupCommitTest, AStopLetsThoseGoOnWhoWaitForRoom) {
  constexpr std::size_t kMostLetters = 4096;
  std::vector<OwedDeliveryHandle> dead;
  for (std::size_t count = 0; count <= kMostLetters; ++count) dead.push_back(publish());
  journal_->fail_commits(1'000'000, ErrorCode::DatabaseBusy);
  for (std::size_t index = 0; index < kMostLetters; ++index)
    commits_.bury(dead[index], contract::letter(index), GroupCommit::Wait::Not);
  EXPECT_FALSE(commits_.flush());
  auto buries = std::async(std::launch::async, [&] {
    return commits_.bury(dead.back(), contract::letter(kMostLetters), GroupCommit::Wait::ForRoom);
  });
  commits_.stop_waiting();
  EXPECT_TRUE(buries.get());
  EXPECT_EQ(commits_.pending_letters(), kMostLetters + 1);
}

TEST_F(GroupCommitTest, ACommitThatSettlesReservedIdsWakesWhoeverReadsThem) {
  static_cast<void>(ledger_.reserve([](std::int64_t) {}));
  wakes_ = 0;
  static_cast<void>(publish());
  EXPECT_THAT(ledger_.reserved(), IsEmpty());
  EXPECT_EQ(wakes_, 1);
}

TEST_F(GroupCommitTest, WhoReadsIsWokenOnceWhatIsBeingPlacedIsInItsQueues) {
  detail::Placing placing(ledger_);
  std::array<detail::AppendRequest, 1> requests{owed_to_ship()};
  commits_.append(
      requests, [](detail::AppendRequest&) {}, &placing);
  wakes_ = 0;
  commits_.wake_when_settled();
  EXPECT_EQ(wakes_, 0);  // it would find nothing new, again and again
  placing.end();
  EXPECT_EQ(wakes_, 1);
}

TEST_F(GroupCommitTest, TheLastFlushGoesOnWhenThereIsMemoryAgain) {
  ledger_.ended(publish());
  int commits = 0;
  journal_->before_commit = [&](const JournalBatch&) {
    if (++commits < 3) throw std::bad_alloc();
  };
  commits_.flush_finally();  // nobody comes after it
  EXPECT_EQ(commits, 3);
  EXPECT_EQ(journal_->events(), 0U);
}

}  // namespace
}  // namespace tidings::test
