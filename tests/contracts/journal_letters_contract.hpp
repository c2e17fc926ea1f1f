#pragma once

#include <gtest/gtest.h>

#include "contracts/journal_contract_fixture.hpp"
#include "contracts/sample_event.hpp"
#include "contracts/sample_letter.hpp"

// What every Journal promises of the letters that it is given. Part of journal_contract.hpp.
namespace tidings::contract {

TEST_P(JournalContract, StoresLettersWithTheEndOfTheirDeliveries) {
  static_cast<void>(acquire());
  append(1, 2);
  const DeadLetter one = letter(1);
  JournalBatch batch;
  batch.letters = {&one};
  batch.finished = {1};
  const auto result = journal().commit(batch);
  ASSERT_EQ(result.letters.size(), 1U);
  EXPECT_EQ(result.letters[0].place, LetterOutcome::Place::Stored);
  EXPECT_GT(result.letters[0].id, 0);
  EXPECT_EQ(owed_ids("ship"), (Ids{2}));
  ASSERT_EQ(subject_.letters().size(), 1U);
  expect_equal_letter(subject_.letters()[0], one);
}

TEST_P(JournalContract, LeavesALetterThatIsThereAlreadyAsItIs) {
  static_cast<void>(acquire());
  const DeadLetter one = letter(1);
  const auto first = subject_.sink->store({&one, 1}, WhenBusy::Throw);
  JournalBatch batch;
  batch.letters = {&one};
  const auto result = journal().commit(batch);
  EXPECT_EQ(result.letters.at(0).place, LetterOutcome::Place::AlreadyStored);
  EXPECT_EQ(result.letters.at(0).id, first.at(0).id);
  EXPECT_EQ(subject_.letters().size(), 1U);
}

/// An event that is dead from the start, with its letter.
struct DeadEvent : SampleEvent {
  explicit DeadEvent(std::int64_t number)
      : SampleEvent(number), dead(letter(static_cast<std::uint64_t>(number))) {
    handlers = "[]";
    key = "payment-42";
  }
  void add_to(JournalBatch& batch) const {
    batch.appended.push_back(append());
    batch.letters.push_back(&dead);
  }
  DeadLetter dead;
};

TEST_P(JournalContract, StoresTheLetterOfADeadEventWithItsKey) {
  static_cast<void>(acquire());
  const DeadEvent event(1);
  JournalBatch batch;
  event.add_to(batch);
  const auto result = journal().commit(batch);
  EXPECT_EQ(result.repeats.at(0), std::nullopt);
  EXPECT_EQ(result.letters.at(0).place, LetterOutcome::Place::Stored);
  EXPECT_EQ(subject_.letters().size(), 1U);
  EXPECT_TRUE(journal().owed_totals(1000).empty());
}

TEST_P(JournalContract, StoresNoLetterOfADeadEventThatIsARepeat) {
  static_cast<void>(acquire());
  const DeadEvent event(1);
  const DeadEvent repeat(2);
  JournalBatch batch;
  event.add_to(batch);
  repeat.add_to(batch);
  const auto result = journal().commit(batch);
  EXPECT_EQ(result.repeats.at(1), event.metadata.event_id);
  EXPECT_EQ(result.letters.at(0).place, LetterOutcome::Place::Stored);
  EXPECT_EQ(result.letters.at(1).place, LetterOutcome::Place::Repeat);
  ASSERT_EQ(subject_.letters().size(), 1U);
  expect_equal_letter(subject_.letters()[0], event.dead);
}

TEST_P(JournalContract, ForgetsAnEventWhoseHandlersAreDoneOneByOne) {
  static_cast<void>(acquire());
  append(1, 2);
  change(done(1, "ship"));
  change(done(1, "send_receipt"));
  journal().release(true);
  const auto start = acquire();
  EXPECT_EQ(start.events, 1U);
  EXPECT_EQ(owed_ids("ship"), (Ids{2}));
}

TEST_P(JournalContract, CountsWhatIsOwedOfTheFirstEventsAlone) {
  static_cast<void>(acquire());
  append(1, 5);
  std::uint64_t counted = 0;
  for (const OwedTotal& total : journal().owed_totals(3)) counted += total.deliveries;
  EXPECT_EQ(counted, 6U);  // of three events, each of two handlers
}

}  // namespace tidings::contract
