#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "contracts/journal_contract_fixture.hpp"
#include "contracts/journal_letters_contract.hpp"
#include "contracts/sample_event.hpp"
#include "contracts/sample_letter.hpp"

// What every Journal promises, whatever it keeps its events in. An implementation's test instantiates it:
//
//   namespace tidings::contract {
//   INSTANTIATE_TEST_SUITE_P(MemoryJournal, JournalContract, testing::Values(JournalMaker([] { ... })));
//   }
namespace tidings::contract {

// --- appending and reading back ---

TEST_P(JournalContract, BeginsEmptyAtOne) {
  const auto start = acquire();
  EXPECT_EQ(start.next_id, 1);
  EXPECT_EQ(start.events, 0U);
  EXPECT_FALSE(start.crashed);
  EXPECT_TRUE(start.suspects.empty());
  EXPECT_TRUE(owed("send_receipt").empty());
  EXPECT_TRUE(journal().owed_totals(1000).empty());
}

TEST_P(JournalContract, OwesAnAppendedEventToEachOfItsHandlers) {
  static_cast<void>(acquire());
  const auto result = append(1, 3);
  EXPECT_EQ(result.repeats, std::vector<std::optional<EventId>>(3));
  EXPECT_TRUE(result.letters.empty());
  EXPECT_EQ(owed_ids("send_receipt"), (Ids{1, 2, 3}));
  EXPECT_EQ(owed_ids("ship"), (Ids{1, 2, 3}));
  EXPECT_TRUE(owed_ids("receipt").empty());
  EXPECT_TRUE(owed_ids("").empty());
}

TEST_P(JournalContract, GivesBackEveryField) {
  static_cast<void>(acquire());
  SampleEvent event(7);
  event.schema_version = 3;
  event.metadata = full_metadata(7);
  append({event}, true);
  const auto result = owed("ship");
  ASSERT_EQ(result.size(), 1U);
  EXPECT_EQ(result[0].journal_id, 7);
  EXPECT_EQ(result[0].event_type, "orders.order_placed");
  EXPECT_EQ(result[0].schema_version, 3);
  EXPECT_EQ(result[0].data.bytes, event.data.bytes);
  EXPECT_EQ(result[0].data.encoding, DataEncoding::Json);
  EXPECT_EQ(result[0].metadata, event.metadata);
  EXPECT_EQ(result[0].handlers, (std::vector<std::string>{"send_receipt", "ship"}));
  EXPECT_EQ(result[0].problem, "");
}

TEST_P(JournalContract, KeepsWhatJsonCannotSay) {
  static_cast<void>(acquire());
  SampleEvent event(1);
  event.data = encode_data({{"name", "\xff\xfe"}});
  ASSERT_EQ(event.data.encoding, DataEncoding::Cbor);
  append({event});
  EXPECT_EQ(owed("ship").at(0).data.bytes, event.data.bytes);
  EXPECT_EQ(owed("ship").at(0).data.encoding, DataEncoding::Cbor);
}

TEST_P(JournalContract, SelectsByEventType) {
  static_cast<void>(acquire());
  SampleEvent other(2);
  other.event_type = "orders.order_cancelled";
  append({SampleEvent(1), other});
  EXPECT_EQ(owed_ids("ship", "orders.order_placed"), (Ids{1}));
  EXPECT_EQ(owed_ids("ship", "orders.order_cancelled"), (Ids{2}));
  EXPECT_EQ(owed_ids("ship"), (Ids{1, 2}));
}

TEST_P(JournalContract, PagesInTheOrderOfIdsWithinItsBounds) {
  static_cast<void>(acquire());
  append(1, 10);
  const auto ids = [&](std::int64_t after, std::int64_t up_to, std::size_t limit) {
    Ids result;
    for (const auto& each : owed("ship", "", after, up_to, limit)) result.push_back(each.journal_id);
    return result;
  };
  EXPECT_EQ(ids(0, kEnd, 3), (Ids{1, 2, 3}));
  EXPECT_EQ(ids(3, kEnd, 3), (Ids{4, 5, 6}));
  EXPECT_EQ(ids(3, 5, 10), (Ids{4, 5}));
  EXPECT_EQ(ids(10, kEnd, 3), Ids());
  EXPECT_EQ(ids(0, 0, 3), Ids());
}

TEST_P(JournalContract, OwesAnEventOnlyToHandlersOfExactlyThatName) {
  static_cast<void>(acquire());
  SampleEvent event(1);
  event.handlers = R"(["ship_fast","reship","%"])";
  append({event});
  EXPECT_TRUE(owed_ids("ship").empty());
  EXPECT_TRUE(owed_ids("ship_").empty());
  EXPECT_TRUE(owed_ids(R"(ship_fast","reship)").empty());
  EXPECT_EQ(owed_ids("%"), (Ids{1}));
  EXPECT_EQ(owed_ids("reship"), (Ids{1}));
}

// --- progress of deliveries ---

TEST_P(JournalContract, RemembersWhatIsKnownOfADelivery) {
  static_cast<void>(acquire());
  append(1, 1);
  JournalDelivery delivery;
  delivery.journal_id = 1;
  delivery.handler = "ship";
  delivery.attempts_made = 2;
  delivery.attempts = full_letter(1).attempts;
  delivery.failed_at = SampleEvent::published_at(5);
  delivery.next_attempt_at = SampleEvent::published_at(9);
  delivery.crashes = 1;
  change(delivery);
  const auto result = owed("ship").at(0);
  EXPECT_EQ(result.delivery.journal_id, 1);
  EXPECT_EQ(result.delivery.handler, "ship");
  EXPECT_FALSE(result.delivery.done);
  EXPECT_EQ(result.delivery.attempts_made, 2U);
  EXPECT_EQ(result.delivery.attempts, delivery.attempts);
  EXPECT_EQ(result.delivery.failed_at, delivery.failed_at);
  EXPECT_EQ(result.delivery.next_attempt_at, delivery.next_attempt_at);
  EXPECT_EQ(result.delivery.crashes, 1U);
  EXPECT_EQ(owed("send_receipt").at(0).delivery.attempts_made, 0U);
  EXPECT_EQ(owed("send_receipt").at(0).delivery.handler, "send_receipt");
}

TEST_P(JournalContract, ReplacesWhatWasKnownOfADelivery) {
  static_cast<void>(acquire());
  append(1, 1);
  JournalDelivery delivery;
  delivery.journal_id = 1;
  delivery.handler = "ship";
  delivery.attempts_made = 1;
  delivery.next_attempt_at = SampleEvent::published_at(9);
  change(delivery);
  delivery.attempts_made = 2;
  delivery.next_attempt_at = std::nullopt;
  change(delivery);
  EXPECT_EQ(owed("ship").at(0).delivery.attempts_made, 2U);
  EXPECT_EQ(owed("ship").at(0).delivery.next_attempt_at, std::nullopt);
}

TEST_P(JournalContract, OwesNothingToAHandlerThatIsDone) {
  static_cast<void>(acquire());
  append(1, 2);
  change(done(1, "ship"));
  EXPECT_EQ(owed_ids("ship"), (Ids{2}));
  EXPECT_EQ(owed_ids("send_receipt"), (Ids{1, 2}));
  EXPECT_EQ(owed("send_receipt").at(0).done, (std::vector<std::string>{"ship"}));
}

// A batch may have been made before a handler's transaction ended the delivery, and be committed after it.

TEST_P(JournalContract, DoesNotTakeBackThatADeliveryIsDone) {
  static_cast<void>(acquire());
  append(1, 1);
  change(done(1, "ship"));
  JournalDelivery older = done(1, "ship");
  older.done = false;
  change(older);
  EXPECT_TRUE(owed_ids("ship").empty());
  EXPECT_EQ(owed("send_receipt").at(0).done, std::vector<std::string>{"ship"});
}

TEST_P(JournalContract, KnowsNothingOfADeliveryWhoseEventIsGone) {
  static_cast<void>(acquire());
  append(1, 1);
  finish({1});
  change(done(1, "ship"));
  journal().release(true);
  EXPECT_EQ(acquire().next_id, 1);
}

TEST_P(JournalContract, ForgetsAFinishedEventWithItsDeliveries) {
  static_cast<void>(acquire());
  append(1, 6);
  change(done(2, "ship"));
  finish({2, 3, 6, 42});
  EXPECT_EQ(owed_ids("ship"), (Ids{1, 4, 5}));
  EXPECT_EQ(owed_ids("send_receipt"), (Ids{1, 4, 5}));
  append(2, 2);
  EXPECT_EQ(owed_ids("ship"), (Ids{1, 2, 4, 5}));
}

TEST_P(JournalContract, CommitsAnEmptyBatch) {
  static_cast<void>(acquire());
  const auto result = journal().commit({});
  EXPECT_TRUE(result.repeats.empty());
  EXPECT_TRUE(result.letters.empty());
}

// --- idempotency keys ---

TEST_P(JournalContract, AppendsAnEventOnceUnderAKey) {
  static_cast<void>(acquire());
  SampleEvent first(1);
  SampleEvent repeat(2);
  SampleEvent other(3);
  first.key = repeat.key = "payment-42";
  append({first});
  const auto result = append({repeat, other});
  ASSERT_EQ(result.repeats.size(), 2U);
  EXPECT_EQ(result.repeats[0], first.metadata.event_id);
  EXPECT_EQ(result.repeats[1], std::nullopt);
  EXPECT_EQ(owed_ids("ship"), (Ids{1, 3}));
}

TEST_P(JournalContract, RecognisesARepeatWithinABatch) {
  static_cast<void>(acquire());
  SampleEvent first(1);
  SampleEvent repeat(2);
  first.key = repeat.key = "payment-42";
  const auto result = append({first, repeat});
  EXPECT_EQ(result.repeats.at(0), std::nullopt);
  EXPECT_EQ(result.repeats.at(1), first.metadata.event_id);
  EXPECT_EQ(owed_ids("ship"), (Ids{1}));
}

TEST_P(JournalContract, KeepsKeysOfDifferentSourcesApart) {
  static_cast<void>(acquire());
  SampleEvent first(1);
  SampleEvent other(2);
  first.key = other.key = "payment-42";
  other.metadata.source = "billing";
  EXPECT_EQ(append({first, other}).repeats, std::vector<std::optional<EventId>>(2));
}

TEST_P(JournalContract, RemembersAKeyAfterItsEventIsFinished) {
  static_cast<void>(acquire());
  SampleEvent first(1);
  first.key = "payment-42";
  append({first});
  finish({1});
  SampleEvent repeat(2);
  repeat.key = first.key;
  EXPECT_EQ(append({repeat}).repeats.at(0), first.metadata.event_id);
}

TEST_P(JournalContract, ForgetsKeysOfOldEventsOnly) {
  static_cast<void>(acquire());
  SampleEvent old(1);
  SampleEvent young(2);
  old.key = "old";
  young.key = "young";
  append({old, young});
  EXPECT_FALSE(journal().forget_keys({.from = young.metadata.published_at}));
  SampleEvent old_again(3);
  SampleEvent young_again(4);
  old_again.key = "old";
  young_again.key = "young";
  const auto result = append({old_again, young_again});
  EXPECT_EQ(result.repeats.at(0), std::nullopt);
  EXPECT_EQ(result.repeats.at(1), young.metadata.event_id);
}

TEST_P(JournalContract, GivesAKeyAwayThatWasUsedOutsideOfTheTimeThatCounts) {
  static_cast<void>(acquire());
  std::int64_t number = 10;
  for (const auto& [from, to] : {std::pair(11, 20), std::pair(0, 9)}) {
    SampleEvent first(10);
    SampleEvent other(11);
    SampleEvent repeat(12);
    first.key = other.key = repeat.key = "payment-" + std::to_string(number);
    for (SampleEvent* event : {&first, &other, &repeat}) event->id = number++;
    append({first});
    other.key_period = {SampleEvent::published_at(from), SampleEvent::published_at(to)};
    EXPECT_EQ(append({other}).repeats.at(0), std::nullopt);
    EXPECT_EQ(append({repeat}).repeats.at(0), other.metadata.event_id);
  }
  EXPECT_EQ(owed_ids("ship"), (Ids{10, 11, 13, 14}));
}

TEST_P(JournalContract, KeepsAKeyThatWasUsedAtTheFirstOrTheLastTimeThatCounts) {
  static_cast<void>(acquire());
  SampleEvent first(10);
  SampleEvent repeat(11);
  first.key = repeat.key = "payment-42";
  append({first});
  for (const auto& [from, to] : {std::pair(10, 20), std::pair(0, 10), std::pair(10, 10)}) {
    repeat.key_period = {SampleEvent::published_at(from), SampleEvent::published_at(to)};
    EXPECT_EQ(append({repeat}).repeats.at(0), first.metadata.event_id);
  }
}

TEST_P(JournalContract, ForgetsKeysFromTheFutureWhenTold) {
  static_cast<void>(acquire());
  SampleEvent now(1);
  SampleEvent future(2);
  now.key = "now";
  future.key = "future";
  append({now, future});
  EXPECT_FALSE(journal().forget_keys({.to = now.metadata.published_at}));
  SampleEvent now_again(3);
  SampleEvent future_again(4);
  now_again.key = "now";
  future_again.key = "future";
  const auto result = append({now_again, future_again});
  EXPECT_EQ(result.repeats.at(0), now.metadata.event_id);
  EXPECT_EQ(result.repeats.at(1), std::nullopt);
}

TEST_P(JournalContract, ForgetsManyKeysInBoundedSteps) {
  static_cast<void>(acquire());
  std::vector<SampleEvent> events;
  for (std::int64_t number = 1; number <= 1200; ++number) {
    events.emplace_back(number);
    events.back().key = "key-" + std::to_string(number);
  }
  append(events);
  int steps = 1;
  while (journal().forget_keys({.from = SampleEvent::published_at(kEnd)})) ++steps;
  EXPECT_GT(steps, 1);
  EXPECT_LT(steps, 100);
  SampleEvent again(5000);
  again.key = "key-1200";
  EXPECT_EQ(append({again}).repeats.at(0), std::nullopt);
}

// --- totals ---

TEST_P(JournalContract, TotalsWhatIsOwedToEachHandler) {
  static_cast<void>(acquire());
  SampleEvent other(4);
  other.event_type = "orders.order_cancelled";
  other.handlers = R"(["ship"])";
  append(1, 3);
  append({other});
  change(done(1, "ship"));
  std::set<std::string> seen;
  for (const OwedTotal& total : journal().owed_totals(1000)) {
    EXPECT_EQ(total.service, "orders");
    const auto oldest = (total.oldest_published_at - SampleEvent::published_at(0)) / std::chrono::seconds(1);
    seen.insert(total.event_type + " " + total.handler + " " + std::to_string(total.deliveries) + " since " +
                std::to_string(oldest));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"orders.order_cancelled ship 1 since 4",
                                         "orders.order_placed send_receipt 3 since 1",
                                         "orders.order_placed ship 2 since 2"}));
}

TEST_P(JournalContract, TakesAReportOfUnservedHandlers) {
  static_cast<void>(acquire());
  append(1, 3);
  const auto totals = journal().owed_totals(1000);
  journal().report_unserved(totals);
  journal().report_unserved({});
  EXPECT_EQ(journal().owed_totals(1000).size(), totals.size());
}

// --- ownership ---

TEST_P(JournalContract, RefusesASecondOwner) {
  static_cast<void>(acquire());
  try {
    static_cast<void>(acquire());
    FAIL() << "a second owner was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::JournalOwned) << error.what();
  }
  append(1, 1);
  EXPECT_EQ(owed_ids("ship"), (Ids{1}));
}

TEST_P(JournalContract, GoesOnWhereTheLastOwnerStopped) {
  static_cast<void>(acquire());
  append(1, 5);
  finish({1, 2});
  journal().release(true);
  const auto start = acquire();
  EXPECT_EQ(start.next_id, 6);
  EXPECT_EQ(start.events, 3U);
  EXPECT_FALSE(start.crashed);
  EXPECT_EQ(owed_ids("ship"), (Ids{3, 4, 5}));
}

TEST_P(JournalContract, OwesAServiceOnlyItsOwnEvents) {
  static_cast<void>(acquire());
  append(1, 2);
  journal().release(true);
  EXPECT_EQ(journal().acquire("billing", std::chrono::milliseconds(0)).next_id, 3);
  append(3, 3);
  EXPECT_EQ(owed_ids("ship"), (Ids{3}));
  EXPECT_EQ(journal().owed_totals(1000).size(), 4U);
}

TEST_P(JournalContract, HasFreeSlotsForTheOwner) {
  static_cast<void>(acquire());
  ASSERT_FALSE(journal().crash_slots().empty());
  for (const CrashSlot& slot : journal().crash_slots()) ASSERT_EQ(slot.journal_id.load(), 0);
}

TEST_P(JournalContract, SuspectsNobodyAfterACleanRelease) {
  static_cast<void>(acquire());
  append(1, 1);
  journal().crash_slots()[0].handler = crash_slot_hash("ship");
  journal().crash_slots()[0].journal_id = 1;
  journal().release(true);
  const auto start = acquire();
  EXPECT_FALSE(start.crashed);
  EXPECT_TRUE(start.suspects.empty());
  EXPECT_EQ(journal().crash_slots()[0].journal_id.load(), 0);
}

}  // namespace tidings::contract
