#include "contracts/sample_event.hpp"
#include "durable_fixture.hpp"

#include "ledger/group_commit.hpp"
#include "recovery/transaction_watch.hpp"

#include <gmock/gmock.h>

#include <array>

// Ids in the transactions of others: nothing is read past one before its own transaction has ended.

namespace tidings::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReservedIdsTest : public DurableTest {
 protected:
  std::int64_t reserve() {
    return ledger_.reserve([](std::int64_t) {});
  }
  void ended(std::int64_t id) { ledger_.transactions_ended({&id, 1}); }
  void commit_an_event() {
    std::array<detail::AppendRequest, 1> requests;
    requests[0].append = event_.append();
    requests[0].owed = std::make_shared<detail::OwedEvent>(
        std::make_shared<const detail::HandlerNames>(std::vector<std::string>{"ship"}));
    commits_.append(
        requests, [](detail::AppendRequest&) {}, nullptr);
  }

  contract::SampleEvent event_{1};
  detail::BusLog log_{capture_.logger(), clock_};
  detail::Observing observing_{nullptr, *clock_, log_};
  detail::StorageCounts storage_{clock_};
  detail::LetterWriter letters_{journal_, log_, observing_, storage_, clock_, [] {}};
  detail::OwedLedger ledger_{clock_, [] {}, 1};
  detail::GroupCommit commits_{ledger_, *journal_, letters_, storage_, log_, observing_};
};

TEST_F(ReservedIdsTest, AnIdIsSettledByItsOwnEndAlone) {
  const std::int64_t first = reserve();
  const std::int64_t second = reserve();
  EXPECT_EQ(ledger_.settled_up_to(), first - 1);
  ended(second);
  EXPECT_EQ(ledger_.settled_up_to(), first - 1);
  ended(first);
  EXPECT_EQ(ledger_.settled_up_to(), second);
}

TEST_F(ReservedIdsTest, AnIdThatIsReservedMeanwhileIsNotSettledWithTheOthers) {
  static_cast<void>(reserve());
  const auto before = ledger_.reserved();
  const std::int64_t meanwhile = reserve();
  ledger_.transactions_ended(before);
  EXPECT_EQ(ledger_.settled_up_to(), meanwhile - 1);
  EXPECT_THAT(ledger_.reserved(), ElementsAre(meanwhile));
}

TEST_F(ReservedIdsTest, ACommitSettlesWhatWasReservedBeforeItBegan) {
  std::int64_t meanwhile = 0;
  static_cast<void>(reserve());
  journal_->before_commit = [&](const JournalBatch&) { meanwhile = reserve(); };
  commit_an_event();
  EXPECT_THAT(ledger_.reserved(), ElementsAre(meanwhile));
  EXPECT_EQ(ledger_.settled_up_to(), meanwhile - 1);
}

TEST_F(ReservedIdsTest, ACommitThatFailedSettlesNothing) {
  const std::int64_t open = reserve();
  journal_->fail_commits(1, ErrorCode::DatabaseBusy);
  EXPECT_THROW(commit_an_event(), Error);
  EXPECT_THAT(ledger_.reserved(), ElementsAre(open));
  commit_an_event();
  EXPECT_THAT(ledger_.reserved(), IsEmpty());
}

TEST_F(ReservedIdsTest, WhoIsToldThatATransactionHasEndedLooksSoonAndMoreThanOnce) {
  const detail::OpenJournal open{journal_.get(),
                                 std::make_unique<detail::OwedLedger>(
                                     clock_, [] {}, 1),
                                 nullptr,
                                 nullptr,
                                 {}};
  detail::TransactionWatch watch(open);
  const Instant now = clock_->monotonic_now();
  EXPECT_EQ(watch.look(now), std::nullopt);
  static_cast<void>(open.ledger->reserve([](std::int64_t) {}));
  journal_->transaction_is_open = true;
  EXPECT_EQ(watch.look(now), now + 500ms);
  watch.look_soon();
  for (int looks = 0; looks < 20; ++looks) EXPECT_EQ(watch.look(now), now + 5ms);
  EXPECT_EQ(watch.look(now), now + 500ms);
  journal_->transaction_is_open = false;
  EXPECT_EQ(watch.look(now), std::nullopt);
  EXPECT_FALSE(open.ledger->awaits_transactions());
}

}  // namespace
}  // namespace tidings::test
