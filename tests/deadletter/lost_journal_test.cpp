#include "deadletter/journal_fixture.hpp"
#include "deadletter/transaction_fixture.hpp"
#include "store/user_transaction.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <future>

namespace tidings::deadletter {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// An owner of the journal whose owner file somebody removes, so that another can become the owner.
class LostJournalTest : public JournalTest {
 protected:
  LostJournalTest() : first_(open()) {
    static_cast<void>(acquire(*first_));
    append(*first_, 1, 3);
  }
  void lose() {
    std::filesystem::remove(owner());
    second_ = open();
    static_cast<void>(acquire(*second_));
  }
  template <class Call>
  static void expect_refused(Call call) {
    EXPECT_THAT(error_of(ErrorCode::JournalOwned, call),
                AllOf(HasSubstr("taken the journal over"), HasSubstr("restart this one")));
  }

  std::shared_ptr<Store> first_;
  std::shared_ptr<Store> second_;
};

TEST_F(LostJournalTest, IsNotedInTheCommitThatComesNext) {
  lose();
  expect_refused([&] { finish(*first_, {1, 2, 3}); });
  EXPECT_THAT(owed_ids(*second_, "ship"), ElementsAre(1, 2, 3));
  append(*second_, 4, 4);
  EXPECT_THAT(owed_ids(*second_, "ship"), ElementsAre(1, 2, 3, 4));
}

TEST_F(LostJournalTest, IsNotReadFrom) {
  lose();
  expect_refused([&] { static_cast<void>(owed(*first_, "ship")); });
  expect_refused([&] { static_cast<void>(first_->journal()->forget_keys({})); });
  expect_refused([&] { first_->journal()->report_unserved({}); });
}

TEST_F(LostJournalTest, IsNotWrittenToInTheTransactionOfAHandler) {
  JournalBatch end;
  end.finished = {1};
  first_->journal()->begin_transaction()->commit(end);
  lose();
  const auto later = first_->journal()->begin_transaction();
  expect_refused([&] { later->lock(*first_->journal(), Durability::ProcessCrash); });
  end.finished = {2};
  expect_refused([&] { later->commit(end); });
}

TEST_F(LostJournalTest, IsNotWrittenToInATransactionOfTheApplication) {
  lose();
  SQLite::Database application(database().native(), SQLite::OPEN_READWRITE);
  application.exec("BEGIN IMMEDIATE");
  UserTransaction transaction(application.getHandle());
  expect_refused([&] { transaction.lock(*first_->journal(), Durability::ProcessCrash); });
  application.exec("ROLLBACK");
}

TEST_F(LostJournalTest, IsNotThatOfAnotherDatabaseThatHadAsManyOwners) {
  const auto path = folder_.path("other.db");
  const auto other = Store::open(path);
  static_cast<void>(acquire(*other));
  SQLite::Database there(path.native());
  const auto number =
      there.execAndGet("SELECT value FROM tidings_meta WHERE key = 'journal_owner'").getString();
  execute("UPDATE tidings_meta SET value = '" + number + "' WHERE key = 'journal_owner'");
  expect_refused([&] { append(*first_, 4, 4); });
}

TEST_F(LostJournalTest, IsHadAgainByTakingIt) {
  lose();
  expect_refused([&] { append(*first_, 4, 4); });
  first_->journal()->release(true);
  second_->journal()->release(true);
  EXPECT_FALSE(acquire(*first_).crashed);
  append(*first_, 4, 4);
}

TEST_F(LostJournalTest, IsNotLostBecauseTheOwnersProcessOpensAndClosesTheOwnerFile) {
  const int descriptor = ::open(owner().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(descriptor, 0);
  ::close(descriptor);
  const std::string us = "process " + std::to_string(::getpid());
  EXPECT_TRUE(succeeded(run_in_child([&] {
    EXPECT_THAT(error_of(ErrorCode::JournalOwned, [&] { static_cast<void>(acquire(*open())); }),
                HasSubstr(us));
    return true;
  })));
  append(*first_, 4, 4);
}

/// A bus that is at work when another takes its journal.
class LostBusTest : public PublishInTest {
 protected:
  void lose() const { std::filesystem::remove(database().native() + ".owner"); }
  /// A queued handler that waits in the first event until it may go on.
  [[nodiscard]] Subscription listen_slowly(Bus& bus) {
    return bus.subscribe<Placed>("listen",
                                 [this](const Placed& placed) {
                                   if (placed.number == 1) {
                                     begun_.set_value();
                                     go_.get_future().wait();
                                   }
                                   first_seen_.add(placed.number);
                                 },
                                 {.dispatch = Dispatch::Queued});
  }
  std::promise<void> begun_;
  std::promise<void> go_;
  SeenNumbers first_seen_;
};

TEST_F(LostBusTest, SaysSoOnceAndDeliversNothingMoreFromTheJournal) {
  Bus first(options());
  const auto slow = listen_slowly(first);
  for (std::int64_t number = 1; number <= 3; ++number) first.publish(Placed{number});
  begun_.get_future().wait();
  lose();
  Bus second(options());
  const auto listening = listen(second);
  for (int tries = 0; tries < 2; ++tries) {
    static_cast<void>(error_of(ErrorCode::JournalOwned, [&] { first.publish(Placed{4}); }));
  }
  go_.set_value();
  EXPECT_TRUE(first.wait_idle(kLong));
  EXPECT_TRUE(second.wait_idle(kLong));
  EXPECT_THAT(first_seen_.all(), ElementsAre(1));
  EXPECT_THAT(seen_.all(), ElementsAre(1, 2, 3));
  EXPECT_EQ(capture_.count("journal_lost"), 1U);
  EXPECT_EQ(journalled(), "0");
}

}  // namespace
}  // namespace tidings::deadletter
