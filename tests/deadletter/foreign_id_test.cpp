#include "deadletter/store_fixture.hpp"
#include "deadletter/transaction_fixture.hpp"

#include <tidings/deadletter/operations.hpp>

#include <sys/wait.h>

#include <csignal>

namespace tidings::deadletter {
namespace {

using ::testing::SizeIs;

constexpr const char* kForeign = "C234 \xC3\xA9' OR 1=1";
constexpr PublishOptions kFromPartner{.source = "/partner", .foreign_id = kForeign};

/// A durable bus on a database, and the metadata of what its handler saw.
class ForeignIdStoreTest : public DurableBusTest {
 protected:
  [[nodiscard]] auto notes() {
    return [this](const Placed&, const EventContext& context) {
      seen_.push_back(context.metadata());
      if (fails_) throw std::runtime_error("no stock");
    };
  }
  /// Publishes in a process that is killed while its handler runs.
  void publish_and_die() const {
    EXPECT_TRUE(WIFSIGNALED(run_in_child([&] {
      Bus bus(durable());
      bus.subscribe<Placed>("handler", [](const Placed&) { ::raise(SIGKILL); }).keep();
      static_cast<void>(bus.publish(Placed{1}, kFromPartner));
      return false;
    })));
  }

  std::vector<Metadata> seen_;
  bool fails_ = false;
};

TEST_F(ForeignIdStoreTest, SurvivesAKillBetweenPublishAndHandling) {
  publish_and_die();
  EXPECT_EQ(query("SELECT foreign_id FROM tidings_journal"), kForeign);
  Bus bus(durable());
  bus.subscribe<Placed>("handler", notes()).keep();
  ASSERT_TRUE(bus.wait_idle(std::chrono::seconds(30)));
  ASSERT_THAT(seen_, SizeIs(1));
  EXPECT_EQ(seen_[0].foreign_id, kForeign);
  EXPECT_EQ(seen_[0].source.view(), "/partner");
}

TEST_F(ForeignIdStoreTest, IsARepeatAfterTheRestartToo) {
  publish_and_die();
  Bus bus(durable());
  bus.subscribe<Placed>("handler", notes()).keep();
  const auto again = bus.publish(Placed{1}, kFromPartner);
  EXPECT_TRUE(again.duplicate);
  EXPECT_FALSE(bus.publish(Placed{1}, {.source = "/other", .foreign_id = kForeign}).duplicate);
  ASSERT_TRUE(bus.wait_idle(std::chrono::seconds(30)));
  EXPECT_THAT(seen_, SizeIs(2)) << "the one that was owed, and that of the other source";
  EXPECT_EQ(query("SELECT idempotency_key FROM tidings_idempotency_keys WHERE source = '/partner'"),
            std::string("id ") + kForeign);
}

TEST_F(ForeignIdStoreTest, IsInTheLetterAndThereAgainWhenThatIsRedriven) {
  Bus bus(durable());
  bus.subscribe<Placed>("handler", notes(), {.retry = {.max_attempts = 1}}).keep();
  fails_ = true;
  bus.publish(Placed{1}, kFromPartner);
  ASSERT_EQ(query("SELECT foreign_id FROM dead_letters"), kForeign);
  fails_ = false;
  bus.redrive({});
  ASSERT_TRUE(bus.wait_idle(std::chrono::seconds(30)));
  ASSERT_THAT(seen_, SizeIs(2));
  EXPECT_EQ(seen_[1].foreign_id, kForeign);
  EXPECT_EQ(query("SELECT resolution FROM dead_letters"), "reprocessed");
}

TEST_F(ForeignIdStoreTest, JoinsATransactionOfTheApplication) {
  Bus bus(durable());
  bus.subscribe<Placed>("handler", notes()).keep();
  SQLite::Database application(database().native(), SQLite::OPEN_READWRITE, 10'000);
  for (const bool repeat : {false, true}) {
    application.exec("BEGIN IMMEDIATE");
    EXPECT_EQ(publish_in(application.getHandle(), bus, Placed{1}, kFromPartner).duplicate, repeat);
    application.exec("COMMIT");
  }
  ASSERT_TRUE(bus.wait_idle(std::chrono::seconds(30)));
  ASSERT_THAT(seen_, SizeIs(1));
  EXPECT_EQ(seen_[0].foreign_id, kForeign);
}

TEST_F(ForeignIdStoreTest, ChoosesLetters) {
  auto foreign = letter(2);
  foreign.metadata.foreign_id = kForeign;
  static_cast<void>(store(*open(), {letter(1), foreign, letter(3)}));
  EXPECT_EQ(Reader::open(database()).count({.foreign_id = kForeign}), 1);
  EXPECT_EQ(Reader::open(database()).count({.foreign_id = "C234"}), 0);
  EXPECT_EQ(Reader::open(database()).count({.foreign_id = kForeign, .resolved = false}), 1);
  EXPECT_EQ(Reader::open(database()).groups({.foreign_id = kForeign}, 10).size(), 1U);
}

TEST_F(ForeignIdStoreTest, IsNotThatOfACorrectedCopy) {
  auto foreign = letter(1);
  foreign.metadata.foreign_id = kForeign;
  static_cast<void>(store(*open(), {foreign}));
  auto operations = Operations::open(database(), {"ada", "host"});
  static_cast<void>(operations.edit(1, {{"order_id", 2}}));
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE foreign_id IS NULL AND edited_from IS NOT NULL"),
            "1");
  EXPECT_EQ(query("SELECT resolution FROM dead_letters WHERE foreign_id IS NOT NULL"), "superseded");
}

}  // namespace
}  // namespace tidings::deadletter
