#include "bus_fixture.hpp"
#include "gate.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

// How letters reach the sink, and what happens when it cannot take them.

namespace tidings::test {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Le;

/// Does with letters what it is told. Thread-safe.
class ScriptedSink final : public LetterSink {
 public:
  enum class Mode { Store, Busy, ThrowError, ThrowInt, LoseOutcomes, Unsaved };
  std::atomic<Mode> mode{Mode::Store};
  std::atomic<int> calls{0};
  std::atomic<bool> overlapped{false};
  Gate* gate_for_first = nullptr;
  /// Called with the number of the call, from 0.
  std::function<void(int)> before;

  std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy when_busy) override {
    if (inside_.exchange(true)) overlapped = true;
    const int call = calls++;
    if (call == 0 && gate_for_first != nullptr) gate_for_first->pass();
    if (before) before(call);
    inside_ = false;
    return act(letters, when_busy);
  }
  std::vector<std::string> dead_keys(std::string_view, std::string_view, std::string_view) override {
    return {};
  }
  /// The number of letters in each store that took them.
  std::vector<std::size_t> batches() const {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  std::size_t stored() const {
    std::size_t sum = 0;
    for (const std::size_t batch : batches()) sum += batch;
    return sum;
  }

 private:
  std::vector<LetterOutcome> act(std::span<const DeadLetter> letters, WhenBusy when_busy) {
    using Place = LetterOutcome::Place;
    switch (mode.load()) {
      case Mode::Busy:
        if (when_busy == WhenBusy::Throw)
          throw Error(ErrorCode::DatabaseBusy, "another process holds the database");
        return {letters.size(), {Place::Spilled, 0, "orders.db.spill.jsonl"}};
      case Mode::ThrowError:
        throw Error(ErrorCode::DatabaseUnusable, "the disk is full");
      case Mode::ThrowInt:
        throw 42;
      case Mode::LoseOutcomes:
        return {};
      case Mode::Unsaved:
        return {letters.size(), {Place::Unsaved, 0, "the disk and the spill file are full"}};
      case Mode::Store:
        break;
    }
    const std::lock_guard lock(mutex_);
    batches_.push_back(letters.size());
    return {letters.size(), {Place::Stored, 1, {}}};
  }

  std::atomic<bool> inside_{false};
  mutable std::mutex mutex_;
  std::vector<std::size_t> batches_;  // guarded by mutex_
};

/// What is written to file descriptor 2 while this lives.
class StandardError {
 public:
  StandardError() : file_(std::tmpfile()), saved_(::dup(STDERR_FILENO)) {
    ::dup2(::fileno(file_), STDERR_FILENO);
  }
  ~StandardError() {
    restore();
    std::fclose(file_);
  }
  StandardError(const StandardError&) = delete;
  StandardError& operator=(const StandardError&) = delete;

  std::string text() {
    restore();
    std::string result;
    std::rewind(file_);
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) result.push_back(static_cast<char>(c));
    return result;
  }

 private:
  void restore() {
    if (saved_ < 0) return;
    ::dup2(saved_, STDERR_FILENO);
    ::close(std::exchange(saved_, -1));
  }
  std::FILE* file_;
  int saved_;
};

class LetterWriterTest : public BusTest {
 protected:
  using Mode = ScriptedSink::Mode;

  BusOptions scripted() {
    auto result = options();
    result.store = sink_;
    return result;
  }
  static void give_up(const OrderPlaced&) { throw Permanent("no"); }
  /// A handler with so many retries that wait.
  static Subscription with_waiting_retries(Bus& bus, std::size_t count) {
    SubscribeOptions<OrderPlaced> patient;
    patient.retry.backoff = constant(1h);
    auto failing = bus.subscribe<OrderPlaced>(
        "failing", [](const OrderPlaced&) { throw std::runtime_error("not now"); }, patient);
    for (std::size_t i = 0; i < count; ++i) bus.publish(OrderPlaced{});
    return failing;
  }
  /// Buries one letter while the sink fails as told, and returns what came out on standard error.
  std::string last_resort_of(Mode mode) {
    sink_->mode = mode;
    StandardError standard_error;
    Bus bus(scripted());
    auto bad = bus.subscribe<OrderPlaced>("bad", &give_up);
    EXPECT_EQ(bus.publish(OrderPlaced{.order_id = 7, .customer = "Ada"}).dead, 1U);
    return standard_error.text();
  }

  std::shared_ptr<ScriptedSink> sink_ = std::make_shared<ScriptedSink>();
};

TEST_F(LetterWriterTest, WhileTheDatabaseIsBusyTheLetterWaitsAndIsCommittedInTheBackground) {
  Bus bus(scripted());
  auto bad = bus.subscribe<OrderPlaced>("bad", &give_up);
  sink_->mode = Mode::Busy;
  const PublishResult result = bus.publish(OrderPlaced{});
  EXPECT_EQ(result.scheduled, 1U);
  EXPECT_EQ(result.dead, 0U);
  EXPECT_EQ(bus.snapshot().letters_pending, 1U);
  EXPECT_FALSE(bus.wait_idle(1ms));
  sink_->mode = Mode::Store;
  advance(100ms);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(sink_->stored(), 1U);
  EXPECT_EQ(bus.publish(OrderPlaced{}).dead, 1U);
}

TEST_F(LetterWriterTest, ABusyDatabaseIsTriedLessAndLessOftenAndNotByEveryPublish) {
  Bus bus(scripted());
  auto bad = bus.subscribe<OrderPlaced>("bad", &give_up);
  sink_->mode = Mode::Busy;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 1U);
  EXPECT_EQ(sink_->calls, 1);
  std::vector<std::int64_t> delays;
  for (std::size_t tries = 1; tries <= 8; ++tries) {
    while (capture_.count("letters_waiting_for_database") < tries) std::this_thread::yield();
    const Json record = capture_.records("letters_waiting_for_database").back();
    delays.push_back(record.at("retry_in_ms"));
    advance(std::chrono::milliseconds(delays.back()));
  }
  EXPECT_THAT(delays, ElementsAre(100, 200, 400, 800, 1600, 3200, 5000, 5000));
  sink_->mode = Mode::Store;
}

TEST_F(LetterWriterTest, NoMoreThanABoundedNumberOfLettersWaits) {
  Bus bus(scripted());
  auto bad = bus.subscribe<OrderPlaced>("bad", &give_up);
  sink_->mode = Mode::Busy;
  constexpr std::size_t kBound = 4096;
  constexpr std::size_t kPublished = kBound + 100;
  std::jthread publisher([&] {
    for (std::size_t i = 0; i < kPublished; ++i) bus.publish(OrderPlaced{});
  });
  while (bus.snapshot().letters_pending < kBound) std::this_thread::yield();
  for (int look = 0; look < 1000; ++look) EXPECT_EQ(bus.snapshot().letters_pending, kBound);
  sink_->mode = Mode::Store;
  advance(100ms);
  publisher.join();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(sink_->stored(), kPublished);
  EXPECT_THAT(sink_->batches(), Each(Le(256U)));
}

constexpr std::size_t kMoreThanMayWait = 5000;

TEST_F(LetterWriterTest, AResetOfManyWaitingRetriesWaitsForNoDatabase) {
  Bus bus(scripted());
  auto failing = with_waiting_retries(bus, kMoreThanMayWait);
  sink_->mode = Mode::Busy;
  auto reset = std::async(std::launch::async, [&] { failing.reset(); });
  EXPECT_EQ(reset.wait_for(kLong), std::future_status::ready);
  EXPECT_EQ(bus.snapshot().letters_pending, kMoreThanMayWait);
  EXPECT_FALSE(bus.wait_idle(1ms));
  sink_->mode = Mode::Store;
  advance(100ms);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(sink_->stored(), kMoreThanMayWait);
}

TEST_F(LetterWriterTest, AStopWithManyWaitingRetriesSpillsWhatABusyDatabaseDoesNotTake) {
  Bus bus(scripted());
  auto failing = with_waiting_retries(bus, kMoreThanMayWait);
  sink_->mode = Mode::Busy;
  auto stop = std::async(std::launch::async, [&] { return bus.stop(0ms); });
  const bool in_time = stop.wait_for(kLong) == std::future_status::ready;
  EXPECT_TRUE(in_time);
  EXPECT_EQ(bus.snapshot().letters_pending, 0U);
  sink_->mode = Mode::Store;
  if (!in_time) advance(1h);
  EXPECT_EQ(stop.get().settled_as_letters, kMoreThanMayWait);
  EXPECT_EQ(sink_->stored(), 0U);
}

TEST_F(LetterWriterTest, RetriesThatAreDueDoNotWaitUntilManyLettersAreStored) {
  constexpr int kPastTheFirstTurn = 4096 / 256 + 2;
  std::latch retried{1};
  Bus bus(scripted());
  auto failing = with_waiting_retries(bus, 2 * kMoreThanMayWait);
  SubscribeOptions<OrderShipped> once_more;
  once_more.retry.backoff = constant(1min);
  auto other = bus.subscribe<OrderShipped>(
      "other",
      [&](const OrderShipped&, const EventContext& context) {
        if (context.attempt() == 1) throw std::runtime_error("once more");
        retried.count_down();
      },
      once_more);
  bus.publish(OrderShipped{});
  sink_->before = [&](int call) {
    if (call == 0) clock_->advance(1min);
    if (call == kPastTheFirstTurn) retried.wait();  // for ever, if the retry waits for the letters
  };
  failing.reset();
  advance(50ms);
  retried.wait();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(sink_->stored(), 2 * kMoreThanMayWait);
}

TEST_F(LetterWriterTest, AStopStoresAllLettersAlsoWhenAnotherThreadIsAtItAtTheDeadline) {
  Gate gate;
  sink_->gate_for_first = &gate;
  Bus bus(scripted());
  auto failing = bus.subscribe<OrderPlaced>("failing", &give_up, {.dispatch = Dispatch::Queued});
  bus.publish(OrderPlaced{});
  while (bus.snapshot().letters_pending == 0) std::this_thread::yield();
  advance(50ms);
  gate.await_arrival();
  for (int i = 0; i < 1000; ++i) bus.publish(OrderPlaced{});
  while (bus.snapshot().letters_pending < 1001) std::this_thread::yield();
  std::jthread opener([&] {
    while (bus.snapshot().accepting) std::this_thread::yield();
    gate.open();
  });
  bus.stop(0ms);
  EXPECT_EQ(bus.snapshot().letters_pending, 0U);
  EXPECT_EQ(sink_->stored(), 1001U);
}

TEST_F(LetterWriterTest, WhatTheDatabaseDoesNotTakeBeforeTheEndIsSpilled) {
  sink_->mode = Mode::Busy;
  {
    Bus bus(scripted());
    auto bad = bus.subscribe<OrderPlaced>("bad", &give_up);
    EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 1U);
  }
  const Json record = capture_.only("dead_letter_spilled");
  EXPECT_EQ(record.at("level"), "critical");
  EXPECT_EQ(record.at("problem"), "orders.db.spill.jsonl");
}

TEST_F(LetterWriterTest, WhatNobodyTakesGoesToStandardErrorAsOneCompleteJsonLine) {
  const std::string text = last_resort_of(Mode::Unsaved);
  ASSERT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  const Json line = Json::parse(text);
  EXPECT_EQ(line.at("level"), "critical");
  EXPECT_EQ(line.at("event"), "dead_letter_unsaved");
  EXPECT_EQ(line.at("problem"), "the disk and the spill file are full");
  const DeadLetter letter = parse_json_line(line.at("letter").dump());
  EXPECT_EQ(letter.handler, "bad");
  EXPECT_EQ(letter.reason, Reason::Permanent);
  EXPECT_EQ(Json::parse(letter.data.bytes).at("customer"), "Ada");
  const Json record = capture_.only("dead_letter_unsaved");
  EXPECT_EQ(record.at("level"), "critical");
  EXPECT_THAT(record.at("problem").get<std::string>(), testing::HasSubstr("run dead-letters import"));
}

TEST_F(LetterWriterTest, ASinkThatBreaksItsContractLosesNothing) {
  EXPECT_EQ(Json::parse(last_resort_of(Mode::ThrowError)).at("problem"), "the disk is full");
  EXPECT_EQ(Json::parse(last_resort_of(Mode::LoseOutcomes)).at("problem"),
            "the letter sink broke its contract");
  EXPECT_THAT(Json::parse(last_resort_of(Mode::ThrowInt)).at("problem").get<std::string>(),
              testing::HasSubstr("not a std::exception"));
  EXPECT_EQ(capture_.count("dead_letter_unsaved"), 3U);
}

TEST_F(LetterWriterTest, ThousandsOfLettersThatNobodyTakesAreAllOnStandardErrorThoughTheLogIsLimited) {
  sink_->mode = Mode::Unsaved;
  StandardError standard_error;
  {
    Bus bus(scripted());
    auto bad = bus.subscribe<OrderPlaced>("bad", &give_up);
    for (int i = 0; i < 1000; ++i) bus.publish(OrderPlaced{});
  }
  const std::string text = standard_error.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1000);
}

struct SecretNote {
  static constexpr std::string_view event_type = "vault.secret";
  static constexpr bool store_payload = false;
  std::string text;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(SecretNote, text)
};

TEST_F(LetterWriterTest, ThePayloadOfATypeThatOptedOutIsNotOnStandardErrorEither) {
  sink_->mode = Mode::Unsaved;
  StandardError standard_error;
  Bus bus(scripted());
  auto bad = bus.subscribe<SecretNote>("bad", [](const SecretNote&) { throw Permanent("no"); });
  bus.publish(SecretNote{"hunter2"});
  EXPECT_EQ(standard_error.text().find("hunter2"), std::string::npos);
}

TEST_F(LetterWriterTest, PublishersThatBuryAtTheSameTimeShareCommits) {
  Gate first_commit;
  sink_->gate_for_first = &first_commit;
  Bus bus(scripted());
  auto bad = bus.subscribe<OrderPlaced>("bad", &give_up);
  constexpr std::size_t kPublishers = 20;
  std::vector<std::jthread> publishers;
  for (std::size_t i = 0; i < kPublishers; ++i) {
    publishers.emplace_back([&] { EXPECT_EQ(bus.publish(OrderPlaced{}).dead, 1U); });
  }
  while (bus.snapshot().letters_pending < kPublishers) std::this_thread::yield();
  first_commit.open();
  publishers.clear();
  EXPECT_THAT(sink_->batches(), ElementsAre(1U, kPublishers - 1));
  EXPECT_FALSE(sink_->overlapped);
}

TEST_F(LetterWriterTest, LettersOfQueuedDeliveriesAreCommittedWithinFiftyMilliseconds) {
  Bus bus(scripted());
  auto bad = bus.subscribe<OrderPlaced>("bad", &give_up, {.dispatch = Dispatch::Queued});
  for (int i = 0; i < 3; ++i) bus.publish(OrderPlaced{});
  while (bus.snapshot().letters_pending < 3) std::this_thread::yield();
  advance(49ms);
  EXPECT_EQ(sink_->calls, 0);
  advance(1ms);
  while (sink_->stored() < 3) std::this_thread::yield();
  EXPECT_THAT(sink_->batches(), ElementsAre(3U));
}

/// Fails every time, as a full disk or a broken pipe would.
class BrokenSink final : public spdlog::sinks::base_sink<std::mutex> {
 private:
  void sink_it_(const spdlog::details::log_msg&) override { throw std::runtime_error("the log is full"); }
  void flush_() override { throw std::runtime_error("the log is full"); }
};

TEST_F(LetterWriterTest, AFailingLogSinkChangesNothing) {
  StandardError standard_error;
  auto unlogged = scripted();
  unlogged.logger =
      logging::Logger({.level = logging::Level::Trace, .sinks = {{std::make_shared<BrokenSink>()}}});
  std::atomic<int> runs{0};
  {
    Bus bus(unlogged);
    auto good = bus.subscribe<OrderPlaced>("good", [&](const OrderPlaced&) { ++runs; });
    auto bad =
        bus.subscribe<OrderPlaced>("bad", [](const OrderPlaced&) { throw std::runtime_error("boom"); });
    auto queued = bus.subscribe<OrderPlaced>("queued", &give_up, {.dispatch = Dispatch::Queued});
    const PublishResult result = bus.publish(OrderPlaced{});
    EXPECT_EQ(result.handled, 1U);
    EXPECT_EQ(result.dead, 1U);
    EXPECT_EQ(result.scheduled, 1U);
    EXPECT_TRUE(bus.stop(kLong).drained);
  }
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(sink_->stored(), 2U);
}

}  // namespace
}  // namespace tidings::test
