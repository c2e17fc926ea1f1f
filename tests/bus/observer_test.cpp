#include "durable_fixture.hpp"
#include "redrive_fixture.hpp"

#include <tidings/metrics.hpp>
#include <tidings/observer.hpp>

#include <gmock/gmock.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace tidings::test {
namespace {

using ::testing::ElementsAre;

/// Gives each publish and attempt a span with a number of its own, and writes down what it is told.
class Notes : public Observer {
 public:
  ObservedSpan publish_started(const PublishStart& publish) override {
    const std::lock_guard lock(mutex_);
    parents_.push_back(text_of(publish.metadata.traceparent));
    note("publish " + std::string(publish.event_type) + (publish.durable ? " durably" : ""));
    return next(publish.metadata.traceparent, recorded_);
  }
  void publish_ended(const ObservedSpan& span, const PublishEnd& publish) override {
    const std::lock_guard lock(mutex_);
    if (publish.result == nullptr) return note("published " + text_of(span.trace) + ": refused");
    note("published " + text_of(span.trace) + ": handled " + std::to_string(publish.result->handled) +
         ", scheduled " + std::to_string(publish.result->scheduled) + ", dead " +
         std::to_string(publish.result->dead));
  }
  ObservedSpan attempt_started(const AttemptStart& attempt) override {
    const std::lock_guard lock(mutex_);
    std::string text = "attempt " + std::to_string(attempt.context.attempt()) + " of " +
                       std::string(attempt.context.handler());
    if (attempt.previous != nullptr && attempt.previous->span_id)
      text += " after " + attempt.previous->span_id->to_string().substr(14);
    if (attempt.recovered) text += ", recovered";
    if (attempt.letter_id != 0) text += ", letter " + std::to_string(attempt.letter_id);
    note(text);
    return next(new_traces_ ? std::nullopt : attempt.context.metadata().traceparent, recorded_);
  }
  void attempt_ended(const ObservedSpan& span, const AttemptEnd& attempt) override {
    const std::lock_guard lock(mutex_);
    std::string text = text_of(span.trace);
    text += attempt.failure == nullptr ? " handled" : " failed: " + attempt.failure->error_message;
    if (attempt.retry_in) text += ", again in " + std::to_string(attempt.retry_in->count()) + " us";
    if (span.data != this) text += ", with something else's data";
    note(text);
    durations_.push_back(attempt.duration);
  }
  void gave_up(const DeadLetter& letter) override {
    const std::lock_guard lock(mutex_);
    note("gave up: " + std::string(to_string(letter.reason)));
  }
  void letters_kept(std::span<const DeadLetter> letters, std::span<const LetterOutcome> outcomes) override {
    const std::lock_guard lock(mutex_);
    for (std::size_t index = 0; index < letters.size(); ++index)
      note("letter " + std::to_string(outcomes[index].id) + " of " + letters[index].handler);
  }
  void journal_committed(const JournalCommitEnd& commit) override {
    const std::lock_guard lock(mutex_);
    events_committed_ += commit.events;
  }
  void recovery_started(const RecoveryStart& recovery) override {
    const std::lock_guard lock(mutex_);
    note("recovery of " + std::to_string(recovery.events));
  }

  void record(bool recorded) {
    const std::lock_guard lock(mutex_);
    recorded_ = recorded;
  }
  void begin_new_traces() {
    const std::lock_guard lock(mutex_);
    new_traces_ = true;
  }
  [[nodiscard]] std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(notes_, {});
  }
  [[nodiscard]] std::vector<std::string> parents() {
    const std::lock_guard lock(mutex_);
    return parents_;
  }
  [[nodiscard]] std::vector<std::chrono::nanoseconds> durations() {
    const std::lock_guard lock(mutex_);
    return durations_;
  }
  [[nodiscard]] std::size_t events_committed() {
    const std::lock_guard lock(mutex_);
    return events_committed_;
  }

 private:
  /// `TRACE/SPAN`, each by the last digits of its id.
  static std::string text_of(const std::optional<TraceParent>& trace) {
    if (!trace) return "none";
    return trace->trace_id_text().substr(30) + "/" + trace->parent_id_text().substr(14);
  }
  void note(std::string text) { notes_.push_back(std::move(text)); }
  ObservedSpan next(const std::optional<TraceParent>& parent, bool recorded) {
    ObservedSpan span{parent.value_or(TraceParent{}), recorded, this};
    ++last_;
    if (!parent) span.trace->trace_id.back() = last_;
    span.trace->parent_id.back() = last_;
    return span;
  }

  std::mutex mutex_;
  bool recorded_ = true;
  bool new_traces_ = false;
  std::uint8_t last_ = 0;
  std::vector<std::string> notes_;
  std::vector<std::string> parents_;
  std::vector<std::chrono::nanoseconds> durations_;
  std::size_t events_committed_ = 0;
};

class ObserverTest : public RedriveTest {
 protected:
  BusOptions observed() {
    BusOptions result = options();
    result.telemetry.observer = notes_;
    return result;
  }
  static SubscribeOptions<OrderPlaced> attempts(std::uint32_t count, std::chrono::milliseconds delay = 0ms) {
    return {.retry = {.max_attempts = count, .backoff = delay == 0ms ? none() : constant(delay)}};
  }

  std::shared_ptr<Notes> notes_ = std::make_shared<Notes>();
};

TEST_F(ObserverTest, SeesAPublishAndItsInlineAttempts) {
  Bus bus(observed());
  auto first = bus.subscribe<OrderPlaced>("first", [&](const OrderPlaced&) { clock_->advance(3us); });
  auto second = bus.subscribe<OrderPlaced>("second", [](const OrderPlaced&) {});
  bus.publish(OrderPlaced{});
  EXPECT_THAT(notes_->take(), ElementsAre("publish orders.order_placed", "attempt 1 of first",
                                          "01/02 handled", "attempt 1 of second", "01/03 handled",
                                          "published 01/01: handled 2, scheduled 0, dead 0"));
  EXPECT_THAT(notes_->durations(), ElementsAre(3us, 0us));
}

TEST_F(ObserverTest, TheEventBearsTheSpanOfItsPublishAndWhatTheHandlerDoesThatOfItsAttempt) {
  Bus bus(observed());
  std::optional<TraceParent> of_event;
  Context inside;
  auto chain = bus.subscribe<OrderPlaced>("chain", [&](const OrderPlaced&, const EventContext& context) {
    of_event = context.metadata().traceparent;
    inside = Context::current();
    capture_.logger().info("inside");
    bus.publish(OrderShipped{});
  });
  bus.publish(OrderPlaced{});
  ASSERT_TRUE(of_event);
  EXPECT_EQ(of_event->parent_id.back(), 1);
  ASSERT_TRUE(inside.traceparent);
  EXPECT_EQ(inside.traceparent->parent_id.back(), 2);
  EXPECT_THAT(notes_->parents(), ElementsAre("none", "01/02"));
  EXPECT_EQ(capture_.records("inside").back().at("span_id"), "0000000000000002");
  EXPECT_FALSE(Context::current().traceparent);
}

TEST_F(ObserverTest, AnInheritedTraceGoesOnAndItsStateWithIt) {
  Bus bus(observed());
  std::vector<std::string> states;
  auto note = bus.subscribe<OrderPlaced>(
      "note", [&](const OrderPlaced&) { states.push_back(Context::current().tracestate); });
  const auto parent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const ContextScope scope(Context{.traceparent = parent, .tracestate = "vendor=1"});
  bus.publish(OrderPlaced{});
  notes_->begin_new_traces();  // a state is nothing to another trace
  bus.publish(OrderPlaced{});
  EXPECT_THAT(notes_->parents(), ElementsAre("9c/31", "9c/31"));
  EXPECT_THAT(states, ElementsAre("vendor=1", ""));
}

TEST_F(ObserverTest, SeesEveryAttemptAndTheOneBeforeItAndTheLetter) {
  Bus bus(observed());
  auto fails = bus.subscribe<OrderPlaced>(
      "fails", [](const OrderPlaced&) { throw std::runtime_error("no"); }, attempts(3));
  bus.publish(OrderPlaced{});
  EXPECT_THAT(notes_->take(), ElementsAre("publish orders.order_placed", "attempt 1 of fails",
                                          "01/02 failed: no, again in 0 us", "attempt 2 of fails after 02",
                                          "01/03 failed: no, again in 0 us", "attempt 3 of fails after 03",
                                          "01/04 failed: no", "gave up: exhausted", "letter 1 of fails",
                                          "published 01/01: handled 0, scheduled 0, dead 1"));
  const auto attempts = letters_->letters().at(0).attempts;
  ASSERT_EQ(attempts.size(), 3U);
  EXPECT_EQ(attempts[2].span_id.value().to_string(), "0000000000000004");
  EXPECT_FALSE(attempts[2].trace_id) << "it is the event's";
  EXPECT_EQ(capture_.records("handler_failed").at(1).at("span_id"), "0000000000000003");
}

TEST_F(ObserverTest, AnAttemptInATraceOfItsOwnIsKeptWithItsTrace) {
  notes_->begin_new_traces();
  Bus bus(observed());
  auto fails =
      bus.subscribe<OrderPlaced>("fails", [](const OrderPlaced&) { throw std::runtime_error("no"); });
  bus.publish(OrderPlaced{});
  const auto attempts = letters_->letters().at(0).attempts;
  EXPECT_EQ(attempts.at(0).span_id.value().to_string(), "0000000000000002");
  EXPECT_EQ(attempts.at(0).trace_id.value().to_string(), "00000000000000000000000000000002");
}

TEST_F(ObserverTest, SeesADelayedRetryOnAWorker) {
  Bus bus(observed());
  int calls = 0;
  auto heals = bus.subscribe<OrderPlaced>(
      "heals",
      [&](const OrderPlaced&) {
        if (++calls == 1) throw std::runtime_error("no");
      },
      attempts(2, 1s));
  bus.publish(OrderPlaced{});
  advance(1s);
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(notes_->take(), ElementsAre("publish orders.order_placed", "attempt 1 of heals",
                                          "01/02 failed: no, again in 1000000 us",
                                          "published 01/01: handled 0, scheduled 1, dead 0",
                                          "attempt 2 of heals after 02", "01/03 handled"));
}

TEST_F(ObserverTest, APublishThatIsNotRecordedIsNotToldOfItsInlineAttempts) {
  Bus bus(observed());
  std::optional<TraceParent> of_event;
  auto note = bus.subscribe<OrderPlaced>(
      "note",
      [&](const OrderPlaced&, const EventContext& context) {
        of_event = context.metadata().traceparent;
        if (context.attempt() == 1) throw std::runtime_error("no");
      },
      attempts(2));
  notes_->record(false);
  bus.publish(OrderPlaced{});
  EXPECT_THAT(notes_->take(), ElementsAre("publish orders.order_placed"));
  EXPECT_EQ(of_event.value().parent_id.back(), 1) << "it bears the span all the same";
}

TEST_F(ObserverTest, PublishesCountAlikeWhetherTheyAreRecordedOrNot) {
  BusOptions counted = observed();
  counted.telemetry.metrics = true;
  Bus bus(std::move(counted));
  auto first = bus.subscribe<OrderPlaced>("first", [](const OrderPlaced&) {});
  auto fails = bus.subscribe<OrderPlaced>(
      "fails", [](const OrderPlaced&) { throw std::runtime_error("no"); }, attempts(2));
  const auto publish_some = [&] {
    for (const bool recorded : {false, true, false, true}) {
      notes_->record(recorded);
      const PublishResult result = bus.publish(OrderPlaced{});
      EXPECT_EQ(result.handled, 1U);
      EXPECT_EQ(result.dead, 1U);
    }
  };
  publish_some();
  // One that the bus has to look after in another way, too, while its retry waits.
  auto waits = bus.subscribe<OrderPlaced>(
      "waits", [](const OrderPlaced&) { throw std::runtime_error("no"); }, attempts(2, 1h));
  notes_->record(false);
  EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 1U);
  waits.reset();
  publish_some();
  const Metrics metrics = bus.metrics();
  for (const HandlerMetrics& handler : metrics.handlers) {
    if (handler.handler == "first") {
      EXPECT_EQ(handler.handled, 9U);
    }
    if (handler.handler == "fails") {
      EXPECT_EQ(handler.failed, 18U);
    }
  }
  for (const TypeMetrics& type : metrics.types) {
    if (type.event_type == OrderPlaced::event_type) {
      EXPECT_EQ(type.published, 9U);
    }
  }
}

TEST_F(ObserverTest, ARefusedPublishEndsWithoutAResult) {
  BusOptions options = observed();
  Bus bus(std::move(options));
  Gate gate;
  auto stuck = bus.subscribe<OrderPlaced>(
      "stuck", [&](const OrderPlaced&) { gate.pass(); },
      {.dispatch = Dispatch::Queued, .queue_capacity = 1, .when_full = WhenFull::Throw});
  bus.publish(OrderPlaced{});
  EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{}); }), ErrorCode::QueueFull);
  gate.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(notes_->take(), ::testing::Contains(::testing::HasSubstr(": refused")));
}

TEST_F(ObserverTest, SeesALetterThatIsMadeByHand) {
  Bus bus(observed());
  bus.store_dead_letter("by_hand", OrderPlaced{}, std::runtime_error("no"));
  EXPECT_THAT(notes_->take(),
              ElementsAre("publish orders.order_placed", "gave up: exhausted", "letter 1 of by_hand",
                          "published 01/01: handled 0, scheduled 0, dead 1"));
}

TEST_F(ObserverTest, ARedriveSaysWhichLetterItIsAndWhichAttemptCameBefore) {
  Bus bus(observed());
  bool broken = true;
  auto heals = bus.subscribe<OrderPlaced>("heals", [&](const OrderPlaced&) {
    if (broken) throw Permanent("no");
  });
  bus.publish(OrderPlaced{});
  broken = false;
  static_cast<void>(notes_->take());
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(notes_->take(), ElementsAre("attempt 2 of heals after 02, letter 1", "01/03 handled"));
}

/// Throws whatever it is asked.
class Faulty : public Observer {
 public:
  ObservedSpan publish_started(const PublishStart&) override {
    ++calls;
    if (in_publish) throw std::runtime_error("observer");
    return {.recorded = true};
  }
  ObservedSpan attempt_started(const AttemptStart&) override {
    ++calls;
    throw 7;
  }
  int calls = 0;
  bool in_publish = false;
};

TEST_F(ObserverTest, OneThatThrowsIsReportedOnceAndLeftOut) {
  for (const bool in_publish : {true, false}) {
    auto faulty = std::make_shared<Faulty>();
    faulty->in_publish = in_publish;
    BusOptions options = this->options();
    options.telemetry.observer = faulty;
    Bus bus(std::move(options));
    int handled = 0;
    auto note = bus.subscribe<OrderPlaced>("note", [&](const OrderPlaced&) { ++handled; });
    EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
    EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
    EXPECT_EQ(handled, 2);
    EXPECT_EQ(faulty->calls, in_publish ? 1 : 2);
  }
  const auto records = capture_.records("observer_failed");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].at("problem"), "observer");
  EXPECT_EQ(records[1].at("problem"), "it threw something that is not a std::exception");
}

class DurableObserverTest : public RecoveryTest {
 protected:
  BusOptions observed() {
    BusOptions result = durable();
    result.telemetry.observer = notes_;
    return result;
  }
  std::shared_ptr<Notes> notes_ = std::make_shared<Notes>();
};

TEST_F(DurableObserverTest, SeesACommitAndADurablePublish) {
  Bus bus(observed());
  auto note = bus.subscribe<OrderPlaced>("note", sees());
  bus.publish(OrderPlaced{});
  EXPECT_THAT(notes_->take(),
              ElementsAre("publish orders.order_placed durably", "attempt 1 of note", "01/02 handled",
                          "published 01/01: handled 1, scheduled 0, dead 0"));
  EXPECT_EQ(notes_->events_committed(), 1U);
}

TEST_F(DurableObserverTest, TheNextProcessLinksToTheAttemptOfTheOneThatDied) {
  {
    Bus bus(observed());
    auto fails = bus.subscribe<OrderPlaced>(
        "fails", [](const OrderPlaced&) { throw std::runtime_error("no"); },
        {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 3, .backoff = constant(1h)}});
    auto ships = bus.subscribe<OrderShipped>("ships", [](const OrderShipped&) {});
    bus.publish(OrderPlaced{});
    while (bus.snapshot().handlers.at(0).waiting == 0) std::this_thread::yield();
    bus.publish(OrderShipped{});  // its commit takes the failed attempt along
    crash();
  }
  static_cast<void>(notes_->take());
  Bus bus(observed());
  auto heals = bus.subscribe<OrderPlaced>("fails", sees(), queued());
  advance(1h);
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(notes_->take(),
              ElementsAre("recovery of 2", "attempt 2 of fails after 02, recovered", "01/05 handled"));
}

TEST_F(DurableObserverTest, AnEventThatDidNotFitIsNoRecovery) {
  Gate gate;
  Bus bus(observed());
  auto stuck = bus.subscribe<OrderPlaced>("stuck", [&](const OrderPlaced&) { gate.pass(); },
                                          {.dispatch = Dispatch::Queued, .queue_capacity = 1});
  for (int order = 1; order <= 3; ++order) bus.publish(OrderPlaced{order});
  gate.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(notes_->take(), ::testing::Not(::testing::Contains(::testing::HasSubstr("recovered"))));
}

}  // namespace
}  // namespace tidings::test
