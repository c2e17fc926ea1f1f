#include "bus/stuck_sink.hpp"
#include "deadletter/transaction_fixture.hpp"

#include <unistd.h>

#include <atomic>
#include <thread>

namespace tidings::deadletter {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

// --- what the handler writes and its completion are one ---

TEST_F(HandlerTransactionTest, CommitsWhatTheHandlerWroteWithItsCompletion) {
  Bus bus(options());
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    EXPECT_EQ(ledger(), "");
    EXPECT_EQ(journalled(), "1");
  });
  EXPECT_EQ(bus.publish(Placed{1}).handled, 1U);
  // Nothing waits for a later commit.
  EXPECT_EQ(ledger(), "pay 1");
  EXPECT_EQ(journalled(), "0");
}

TEST_F(HandlerTransactionTest, RollsBackWhatAnAttemptWroteThatThrew) {
  Bus bus(options());
  const auto paying = bus.subscribe<Placed>(
      "pay",
      [&](const Placed& placed, const EventContext& context) {
        write_ledger(context, placed.number);
        if (context.attempt() < 3) throw std::runtime_error("not yet");
      },
      queued(3));
  bus.publish(Placed{1});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "pay 1");
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "0");
}

TEST_F(HandlerTransactionTest, LeavesTheEventToHandlersThatAreNotDone) {
  Bus bus(options());
  const auto write = [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
  };
  const auto one = bus.subscribe<Placed>("one", write, queued());
  const auto two = bus.subscribe<Placed>("two", write);
  const auto three = bus.subscribe<Placed>(
      "three", [](const Placed&) {}, queued());
  for (std::int64_t number = 1; number <= 20; ++number) bus.publish(Placed{number});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(query("SELECT count(*) || ' ' || count(DISTINCT handler || number) FROM ledger"), "40 40");
  EXPECT_EQ(journalled(), "0");
  EXPECT_EQ(query("SELECT count(*) FROM tidings_journal_deliveries"), "0");
}

TEST_F(HandlerTransactionTest, IsThereForADeliveryThatWasRecovered) {
  {
    Bus bus(options());
    const auto paying = bus.subscribe<Placed>("pay",
                                              [](const Placed& placed, const EventContext& context) {
                                                write_ledger(context, placed.number);
                                                throw std::runtime_error("closed");
                                              },
                                              {.retry = {.backoff = constant(std::chrono::hours(1))}});
    bus.publish(Placed{1});
    EXPECT_EQ(bus.stop(0ms).left_in_journal, 1U);
  }
  execute("UPDATE tidings_journal_deliveries SET next_attempt_at = failed_at");
  Bus bus(options());
  std::uint32_t attempt = 0;
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    attempt = context.attempt();
  });
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(attempt, 2U);
  EXPECT_EQ(ledger(), "pay 1");
  EXPECT_EQ(journalled(), "0");
}

TEST_F(HandlerTransactionTest, SerialisesHandlersThatReadAndWrite) {
  run("INSERT INTO ledger VALUES ('sum', 0)");
  Bus bus(options());
  const auto paying =
      bus.subscribe<Placed>("pay",
                            [&](const Placed&, const EventContext& context) {
                              execute_on(transaction(context).connection(),
                                         "UPDATE ledger SET number = number + 1 WHERE handler = 'sum'");
                            },
                            {.dispatch = Dispatch::Queued, .concurrency = 2});
  std::thread other([&] {
    for (int number = 0; number < 50; ++number) bus.publish(Placed{number});
  });
  for (int number = 0; number < 50; ++number) bus.publish(Placed{number});
  other.join();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "sum 100");
  EXPECT_EQ(journalled(), "0");
}

// --- what is published in it ---

TEST_F(HandlerTransactionTest, TakesADurablePublishInAndDeliversItAfterTheCommit) {
  Bus bus(options());
  std::string ledger_then = "not run";
  std::optional<EventId> cause;
  const auto paid = bus.subscribe<Paid>("thank", [&](const Paid&, const EventContext& context) {
    ledger_then = ledger();
    cause = context.metadata().causation_id;
  });
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    EXPECT_EQ(bus.publish(Paid{placed.number}).scheduled, 1U);
    EXPECT_THAT(bus.publish_batch(std::vector<Paid>{}), IsEmpty());
    EXPECT_EQ(ledger_then, "not run");
  });
  const auto result = bus.publish(Placed{1});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger_then, "pay 1");
  EXPECT_EQ(cause, result.event_id);
  EXPECT_EQ(journalled(), "0");
}

TEST_F(HandlerTransactionTest, TakesBackWhatWasPublishedInAnAttemptThatThrew) {
  Bus bus(options());
  SeenNumbers seen;
  const auto paid = bus.subscribe<Paid>("thank", [&](const Paid& each) { seen.add(each.number); },
                                        {.dispatch = Dispatch::Queued});
  const auto paying = bus.subscribe<Placed>(
      "pay",
      [&](const Placed&, const EventContext& context) {
        static_cast<void>(transaction(context));
        bus.publish_batch(std::vector<Paid>{{10 + context.attempt()}, {20 + context.attempt()}});
        if (context.attempt() == 1) throw std::runtime_error("not yet");
      },
      queued(2));
  bus.publish(Placed{1});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen.all(), ElementsAre(12, 22));
}

TEST_F(HandlerTransactionTest, DoesNotTakeInWhatWasPublishedBeforeItBegan) {
  Bus bus(options());
  SeenNumbers seen;
  const auto paid = bus.subscribe<Paid>("thank", [&](const Paid& each) { seen.add(each.number); });
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed&, const EventContext& context) {
    EXPECT_EQ(bus.publish(Paid{1}).handled, 1U);
    static_cast<void>(transaction(context));
    throw Permanent("after all not");
  });
  EXPECT_EQ(bus.publish(Placed{1}).dead, 1U);
  EXPECT_THAT(seen.all(), ElementsAre(1));
}

TEST_F(HandlerTransactionTest, LetsLettersOfOtherDeliveriesWaitForIt) {
  Bus bus(options());
  const auto failing = bus.subscribe<Paid>("fail", [](const Paid&) { throw Permanent("never"); });
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    const auto result = bus.publish(Paid{1}, {.durability = Durability::None});
    EXPECT_EQ(result.scheduled, 1U);
    EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "0");
  });
  bus.publish(Placed{1});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "pay 1");
  EXPECT_EQ(query("SELECT handler FROM dead_letters"), "fail");
}

// --- a commit of which nobody knows whether it happened ---

using faults::Operation;
using faults::ScopedFault;

faults::Fault no_sync(bool lasting) {
  return {.operations = {Operation::Sync}, .sqlite_code = SQLITE_IOERR_FSYNC, .lasting = lasting};
}

faults::Fault nothing_is_written() {
  return {
      .operations = {Operation::Write, Operation::Sync}, .sqlite_code = SQLITE_IOERR_WRITE, .lasting = true};
}

TEST_F(HandlerTransactionTest, IsInDoubtAfterAnErrorDuringItsCommitAndIsTriedAgain) {
  Bus bus(options());
  std::optional<ScopedFault> fault;
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    if (context.attempt() == 1) fault.emplace(no_sync(false));
  });
  EXPECT_EQ(bus.publish(Placed{1}).handled, 1U);
  EXPECT_THAT(last_problem(), AllOf(HasSubstr("in doubt"), HasSubstr("handler's transaction")));
  EXPECT_EQ(ledger(), "pay 1");
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(journalled(), "0");
}

/// A process that publishes and dies while its database fails.
class DyingPublisherTest : public HandlerTransactionTest {
 protected:
  /// The only attempt of the only handler is `attempt(context, fault)`; then `look` sees what publish gave.
  template <class Attempt, class Look>
  void publish_and_die(Attempt attempt, Look look) {
    EXPECT_TRUE(succeeded(run_in_child([&] {
      Bus bus(options());
      std::optional<ScopedFault> fault;
      const auto paying = bus.subscribe<Placed>(
          "pay", [&](const Placed&, const EventContext& context) { attempt(context, fault); },
          {.retry = {.max_attempts = 1}});
      look(bus.publish(Placed{1}));
      ::_exit(HasFailure() ? 1 : 0);
      return false;
    })));
  }
};

TEST_F(DyingPublisherTest, InDoubtIsNoLetterBeforeItIsKnownNotToHaveHappened) {
  publish_and_die(
      [](const EventContext& context, std::optional<ScopedFault>& fault) {
        write_ledger(context, 1);
        fault.emplace(no_sync(true));
      },
      [&](const PublishResult& result) {
        EXPECT_EQ(result.scheduled, 1U);
        EXPECT_THAT(last_problem(), HasSubstr("in doubt"));
      });
  EXPECT_THAT(spilled_events(), IsEmpty());
  Bus bus(options());
  const auto paying = bus.subscribe<Placed>(
      "pay", [](const Placed& placed, const EventContext& context) { write_ledger(context, placed.number); });
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "pay 1");
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "0");
}

TEST_F(DyingPublisherTest, DoesNotRunAgainForWhatADyingProcessCouldOnlySpill) {
  publish_and_die(
      [](const EventContext&, std::optional<ScopedFault>& fault) {
        fault.emplace(nothing_is_written());
        throw std::runtime_error("closed");
      },
      [](const PublishResult&) {});
  EXPECT_THAT(spilled_events(), SizeIs(1));
  EXPECT_EQ(journalled(), "1");
  Bus bus(options());
  const auto paying = bus.subscribe<Placed>(
      "pay", [](const Placed& placed, const EventContext& context) { write_ledger(context, placed.number); });
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "");
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE reprocessed_at IS NULL"), "1");
  EXPECT_EQ(journalled(), "0");
  EXPECT_EQ(bus.redrive({}).letters, 1U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "pay 1");
}

TEST_F(DyingPublisherTest, InDoubtAtTheLastAttemptBecomesALetterWithoutEffect) {
  publish_and_die(
      [](const EventContext& context, std::optional<ScopedFault>& fault) {
        write_ledger(context, 1);
        fault.emplace(no_sync(false));
      },
      [](const PublishResult& result) {
        EXPECT_EQ(result.dead, 1U);
        // Those of the commit that failed, of what is known of the attempt, and of the letter.
        EXPECT_EQ(faults::FaultyVfs::instance().calls(), 3);
      });
  EXPECT_EQ(query("SELECT reason || ' ' || json_array_length(attempts) FROM dead_letters"), "exhausted 1");
  EXPECT_EQ(ledger(), "");
  EXPECT_EQ(journalled(), "0");
}

TEST_F(HandlerTransactionTest, InDoubtAtTheLastAttemptBecomesALetterOnceTheDatabaseTakesNoteOfIt) {
  Bus bus(options());
  std::optional<ScopedFault> fault;
  const auto paying = bus.subscribe<Placed>("pay",
                                            [&](const Placed& placed, const EventContext& context) {
                                              EXPECT_EQ(context.attempt(), 1U);
                                              write_ledger(context, placed.number);
                                              fault.emplace(no_sync(true));
                                            },
                                            {.retry = {.max_attempts = 1}});
  EXPECT_EQ(bus.publish(Placed{1}).scheduled, 1U);
  fault.reset();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(query("SELECT reason || ' ' || json_array_length(attempts) FROM dead_letters"), "exhausted 1");
  EXPECT_EQ(ledger(), "");
}

// --- redrives ---

TEST_F(HandlerTransactionTest, CommitsWithTheResolutionOfItsLetter) {
  static_cast<void>(letter_after([](const Placed&) { throw Permanent("closed"); }));
  Bus bus(options());
  bool works = false;
  const auto paying = bus.subscribe<Placed>(
      "pay",
      [&](const Placed& placed, const EventContext& context) {
        write_ledger(context, placed.number);
        bus.publish(Paid{placed.number});
        if (!works) throw std::runtime_error("still closed");
        EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE resolution IS NULL"), "1");
      },
      queued());
  SeenNumbers seen;
  const auto paid = bus.subscribe<Paid>("thank", [&](const Paid& each) { seen.add(each.number); });
  EXPECT_EQ(bus.redrive({}).letters, 1U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "");
  EXPECT_THAT(seen.all(), IsEmpty());
  works = true;
  EXPECT_EQ(bus.redrive({}).letters, 1U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "pay 1");
  EXPECT_THAT(seen.all(), ElementsAre(1));
  EXPECT_EQ(query("SELECT resolution || ' ' || json_array_length(attempts) FROM dead_letters"),
            "reprocessed 2");
  EXPECT_EQ(query("SELECT group_concat(state || succeeded || failed) FROM tidings_redrives"),
            "finished01,finished10");
}

TEST_F(HandlerTransactionTest, OfARedriveNeedsNoDurability) {
  static_cast<void>(letter_after([](const Placed&) { throw Permanent("closed"); }));
  auto how = options();
  how.durability = Durability::None;
  Bus bus(how);
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
  });
  EXPECT_EQ(bus.redrive({}).letters, 1U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "pay 1");
  EXPECT_EQ(query("SELECT resolution FROM dead_letters"), "reprocessed");
}

/// Redrives of an ordering key that its dead park. The log takes nothing for as long as the test wants, once
/// a transaction was held for long.
class KeyedTransactionTest : public HandlerTransactionTest {
 protected:
  [[nodiscard]] BusOptions stuck_at_end() const {
    logging::LoggerOptions logger;
    logger.sinks = {{sink_, logging::Format::Json}};
    BusOptions how = options();
    how.durability = Durability::None;
    how.clock = clock_;
    how.logger = logging::Logger(logger);
    return how;
  }
  static SubscribeOptions<Placed> parking() {
    auto how = queued();
    how.ordering_key = [](const Placed&) { return std::string("key"); };
    how.after_death = AfterDeath::Park;
    return how;
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<test::StuckSink> sink_ = std::make_shared<test::StuckSink>("transaction_held");
};

TEST_F(KeyedTransactionTest, ARedriveLeavesNothingWaitingForItsKey) {
  Bus bus(stuck_at_end());
  std::atomic<bool> works{false};
  const auto pays = [&](const Placed& placed, const EventContext& context) {
    if (!works) throw std::runtime_error("closed");
    write_ledger(context, placed.number);
    bus.publish(Placed{3});  // waits behind this one, whose letter is not the last of the key
    clock_->advance(1s);
  };
  const auto paying = bus.subscribe<Placed>("pay", pays, parking());
  for (int number = 1; number <= 2; ++number) bus.publish(Placed{number});
  EXPECT_TRUE(bus.wait_idle(kLong));
  works = true;
  EXPECT_EQ(bus.redrive({.ids = {{1}}}).letters, 1U);
  sink_->gate.await_arrival();  // the letter is resolved, and its delivery has not ended
  for (int looks = 0; looks < 2; ++looks) {
    clock_->await_waiter();
    clock_->advance(1s);
  }
  sink_->gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "pay 1");
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE reason = 'parked'"), "2");
}

TEST_F(HandlerTransactionTest, KeepsNothingWhenItsClaimWasLost) {
  static_cast<void>(letter_after([](const Placed&) { throw Permanent("closed"); }));
  Bus bus(options());
  const auto paying = bus.subscribe<Placed>(
      "pay",
      [&](const Placed& placed, const EventContext& context) {
        // As another process does once the lease has passed.
        execute("UPDATE dead_letters SET claimed_by = 'another', claimed_until = 9e18");
        write_ledger(context, placed.number);
      },
      queued());
  EXPECT_EQ(bus.redrive({}).letters, 1U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "");
  EXPECT_EQ(query("SELECT claimed_by || ' ' || (resolution IS NULL) FROM dead_letters"), "another 1");
  EXPECT_THAT(last_problem(), HasSubstr("the claim on the letter was lost"));
}

}  // namespace
}  // namespace tidings::deadletter
