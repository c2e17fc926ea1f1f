#pragma once

#include <tidings/letter_sink.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "contracts/sample_letter.hpp"

// What every LetterSink promises, whatever it keeps its letters in. An implementation's test instantiates it:
//
//   namespace tidings::contract {
//   INSTANTIATE_TEST_SUITE_P(MemoryLetterSink, LetterSinkContract, testing::Values(LetterSinkMaker([] { ...
//   })));
//   }
namespace tidings::contract {

/// A fresh, empty sink and the way to read back what it holds.
struct SinkUnderTest {
  std::shared_ptr<LetterSink> sink;
  /// All letters, in the order of their ids.
  std::function<std::vector<DeadLetter>()> letters;
};

/// Makes sinks that have nothing to do with each other.
using LetterSinkMaker = std::function<SinkUnderTest()>;

class LetterSinkContract : public testing::TestWithParam<LetterSinkMaker> {
 protected:
  using Place = LetterOutcome::Place;

  std::vector<LetterOutcome> store(const std::vector<DeadLetter>& letters) {
    return subject_.sink->store(letters, WhenBusy::Throw);
  }
  void store_with_key(std::uint64_t number, const std::optional<std::string>& key,
                      const std::string& handler = "send_receipt", const std::string& service = "orders") {
    DeadLetter keyed = letter(number);
    keyed.ordering_key = key;
    keyed.handler = handler;
    keyed.service = service;
    ASSERT_EQ(store({keyed}).at(0).place, Place::Stored);
  }
  std::vector<std::string> dead_keys(const std::string& handler = "send_receipt",
                                     const std::string& event_type = "orders.order_placed") {
    auto keys = subject_.sink->dead_keys("orders", event_type, handler);
    std::sort(keys.begin(), keys.end());
    return keys;
  }

  SinkUnderTest subject_ = GetParam()();
};

TEST_P(LetterSinkContract, StoresALetterAndGivesItANumber) {
  const auto outcomes = store({letter(1)});
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes[0].place, Place::Stored);
  EXPECT_GT(outcomes[0].id, 0);
  EXPECT_EQ(outcomes[0].problem, "");
  ASSERT_EQ(subject_.letters().size(), 1U);
}

TEST_P(LetterSinkContract, GivesOneOutcomePerLetterInOrderWithRisingNumbers) {
  const auto first = store({letter(1), letter(2), letter(3)});
  const auto second = store({letter(4)});
  ASSERT_EQ(first.size(), 3U);
  EXPECT_LT(first[0].id, first[1].id);
  EXPECT_LT(first[1].id, first[2].id);
  EXPECT_LT(first[2].id, second.at(0).id);
  const auto letters = subject_.letters();
  ASSERT_EQ(letters.size(), 4U);
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(letters[i].metadata.event_id, event_id(i + 1));
}

TEST_P(LetterSinkContract, AnEmptyBatchIsNothing) {
  EXPECT_TRUE(store({}).empty());
  EXPECT_TRUE(subject_.letters().empty());
}

TEST_P(LetterSinkContract, ARepeatedDeliveryKeepsItsFirstLetterUntouched) {
  const auto first = store({letter(1)});
  DeadLetter repeated = letter(1);
  repeated.error_message = "something else";
  repeated.event_type = "orders.renamed";
  const auto second = store({repeated});
  EXPECT_EQ(second.at(0).place, Place::AlreadyStored);
  EXPECT_EQ(second.at(0).id, first.at(0).id);
  const auto letters = subject_.letters();
  ASSERT_EQ(letters.size(), 1U);
  expect_equal_letter(letters[0], letter(1));
}

TEST_P(LetterSinkContract, ARepeatWithinOneBatchIsFoundToo) {
  const auto outcomes = store({letter(1), letter(2), letter(1), letter(3)});
  ASSERT_EQ(outcomes.size(), 4U);
  EXPECT_EQ(outcomes[2].place, Place::AlreadyStored);
  EXPECT_EQ(outcomes[2].id, outcomes[0].id);
  EXPECT_EQ(outcomes[3].place, Place::Stored);
  EXPECT_GT(outcomes[3].id, outcomes[1].id);
  EXPECT_EQ(subject_.letters().size(), 3U);
}

TEST_P(LetterSinkContract, TheSameEventOfAnotherHandlerOrServiceIsAnotherLetter) {
  DeadLetter other_handler = letter(1);
  other_handler.handler = "update_stock";
  DeadLetter other_service = letter(1);
  other_service.service = "shipping";
  const auto outcomes = store({letter(1), other_handler, other_service});
  for (const LetterOutcome& outcome : outcomes) EXPECT_EQ(outcome.place, Place::Stored);
  EXPECT_EQ(subject_.letters().size(), 3U);
}

TEST_P(LetterSinkContract, EveryFieldComesBack) {
  const DeadLetter expected = full_letter(10);
  static_cast<void>(store({expected}));
  expect_equal_letter(subject_.letters().at(0), expected);
}

TEST_P(LetterSinkContract, AbsentFieldsComeBackAbsent) {
  DeadLetter expected = letter(1);
  expected.handler = "";
  expected.reason = Reason::Unhandled;
  static_cast<void>(store({expected}));
  expect_equal_letter(subject_.letters().at(0), expected);
}

TEST_P(LetterSinkContract, AnEmptyOrderingKeyIsNotAnAbsentOne) {
  store_with_key(1, "");
  EXPECT_EQ(subject_.letters().at(0).ordering_key, std::optional<std::string>(""));
  EXPECT_EQ(dead_keys(), std::vector<std::string>{""});
}

TEST_P(LetterSinkContract, EveryReasonComesBack) {
  const std::vector reasons = {Reason::Exhausted, Reason::Permanent, Reason::CausationLoop, Reason::Unhandled,
                               Reason::Shutdown,  Reason::Parked,    Reason::Undecodable,   Reason::Crashed};
  std::vector<DeadLetter> letters;
  for (const Reason reason : reasons) {
    letters.push_back(letter(letters.size() + 1));
    letters.back().reason = reason;
  }
  static_cast<void>(store(letters));
  const auto stored = subject_.letters();
  ASSERT_EQ(stored.size(), reasons.size());
  for (std::size_t i = 0; i < reasons.size(); ++i) EXPECT_EQ(stored[i].reason, reasons[i]);
}

TEST_P(LetterSinkContract, CborDataComesBackByteForByte) {
  DeadLetter expected = letter(1);
  expected.data =
      encode_data({{"text", "\xFF\x00 not UTF-8"}, {"ratio", std::numeric_limits<double>::infinity()}});
  ASSERT_EQ(expected.data.encoding, DataEncoding::Cbor);
  static_cast<void>(store({expected}));
  const DeadLetter actual = subject_.letters().at(0);
  expect_equal_letter(actual, expected);
  EXPECT_EQ(decode_data(actual.data.bytes, actual.data.encoding).at("text"), "\xFF\x00 not UTF-8");
}

TEST_P(LetterSinkContract, ALetterWithoutDataKeepsEverythingElse) {
  DeadLetter expected = full_letter(1);
  expected.data = {.bytes = {}, .encoding = DataEncoding::None, .problem = "to_json threw std::out_of_range"};
  static_cast<void>(store({expected}));
  expect_equal_letter(subject_.letters().at(0), expected);
}

TEST_P(LetterSinkContract, ALargePayloadComesBack) {
  DeadLetter expected = letter(1);
  expected.data = encode_data(std::string(10U * 1024 * 1024, 'x'));
  ASSERT_EQ(store({expected}).at(0).place, Place::Stored);
  EXPECT_EQ(subject_.letters().at(0).data.bytes, expected.data.bytes);
}

TEST_P(LetterSinkContract, TextsWithANulByteComeBackWhole) {
  DeadLetter expected = letter(1);
  expected.ordering_key = std::string("before\0after", 12);
  static_cast<void>(store({expected}));
  EXPECT_EQ(subject_.letters().at(0).ordering_key, expected.ordering_key);
  EXPECT_EQ(dead_keys(), std::vector<std::string>{*expected.ordering_key});
}

TEST_P(LetterSinkContract, TakesAThousandLettersAtOnce) {
  std::vector<DeadLetter> letters;
  for (std::uint64_t i = 1; i <= 1000; ++i) letters.push_back(letter(i));
  const auto outcomes = store(letters);
  ASSERT_EQ(outcomes.size(), 1000U);
  for (const LetterOutcome& outcome : outcomes) ASSERT_EQ(outcome.place, Place::Stored);
  const auto stored = subject_.letters();
  ASSERT_EQ(stored.size(), 1000U);
  for (std::uint64_t i = 0; i < 1000; ++i) ASSERT_EQ(stored[i].metadata.event_id, event_id(i + 1));
}

TEST_P(LetterSinkContract, DeadKeysAreThoseOfOneHandlerEachOnce) {
  store_with_key(1, "customer-1");
  store_with_key(2, "customer-2");
  store_with_key(3, "customer-1");
  store_with_key(4, std::nullopt);
  store_with_key(5, "other handler", "update_stock");
  store_with_key(6, "other service", "send_receipt", "shipping");
  EXPECT_EQ(dead_keys(), (std::vector<std::string>{"customer-1", "customer-2"}));
  EXPECT_EQ(dead_keys("update_stock"), std::vector<std::string>{"other handler"});
  EXPECT_TRUE(dead_keys("send_receipt", "orders.order_cancelled").empty());
  EXPECT_TRUE(dead_keys("nobody").empty());
}

TEST_P(LetterSinkContract, MayKnowWhatIsUnresolvedOfAService) {
  ASSERT_TRUE(store({}).empty());
  const auto none = subject_.sink->unresolved_letters("orders");
  if (!none) return;  // it does not know
  EXPECT_EQ(none->letters, 0U);
  EXPECT_EQ(none->oldest_failed_at, std::nullopt);
  std::vector<DeadLetter> letters = {letter(1), letter(2), letter(3)};
  letters[1].failed_at = letters[0].failed_at - std::chrono::hours(2);
  letters[2].failed_at = letters[0].failed_at - std::chrono::hours(3);
  letters[2].service = "another";
  ASSERT_EQ(store(letters).size(), 3U);
  const auto found = subject_.sink->unresolved_letters(letters[0].service);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->letters, 2U);
  EXPECT_EQ(found->oldest_failed_at, letters[1].failed_at);
  EXPECT_EQ(subject_.sink->unresolved_letters("another")->letters, 1U);
}

TEST_P(LetterSinkContract, MayBeReadWhileItStores) {
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([this, &done] {
      std::size_t seen = 0;
      while (!done.load()) {
        const std::size_t now =
            subject_.sink->dead_keys("orders", "orders.order_placed", "send_receipt").size();
        EXPECT_GE(now, seen);
        seen = now;
      }
    });
  }
  for (std::uint64_t i = 1; i <= 50; ++i) store_with_key(i, "customer-" + std::to_string(i));
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(dead_keys().size(), 50U);
}

TEST_P(LetterSinkContract, MayBeUsedFromOneThreadAfterAnother) {
  for (std::uint64_t i = 1; i <= 4; ++i) {
    std::thread([this, i] { EXPECT_EQ(store({letter(i)}).at(0).place, Place::Stored); }).join();
  }
  EXPECT_EQ(subject_.letters().size(), 4U);
}

}  // namespace tidings::contract
