#include "redrive_fixture.hpp"

#include "contracts/sample_letter.hpp"
#include "gate.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tidings::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Redrives that fail when told to.
class FlakyRedrives final : public Redrives {
 public:
  explicit FlakyRedrives(Redrives& real) : real_(real) {}

  RedriveRequest mark(std::string_view service, const LetterFilter& filter, const RedriveOptions& options,
                      Timestamp wall) override {
    fail_if(failing_marks);
    return real_.mark(service, filter, options, wall);
  }
  bool changed() override {
    fail_if(failing_looks);
    return real_.changed();
  }
  LetterClaim claim(const ClaimRequest& request) override {
    fail_if(failing_claims);
    return real_.claim(request);
  }
  bool begin(std::string_view claimant, std::int64_t id, Timestamp wall) override {
    fail_if(failing_begins);
    return real_.begin(claimant, id, wall) && !lose_claims;
  }
  std::vector<RedriveEnd> settle(std::string_view claimant, std::span<const RedriveResult> results) override {
    fail_if(failing_settlements);
    return real_.settle(claimant, results);
  }
  RedriveUpkeep tend(std::string_view claimant, std::chrono::milliseconds lease, Timestamp wall) override {
    ++upkeeps;
    auto upkeep = real_.tend(claimant, lease, wall);
    std::move(crashed.begin(), crashed.end(), std::back_inserter(upkeep.crashed));
    crashed.clear();
    return upkeep;
  }
  std::vector<LetterKey> keys(std::string_view service, const ServedHandler& handler) override {
    return real_.keys(service, handler);
  }

  std::atomic<int> failing_marks{0};
  std::atomic<int> failing_looks{0};
  std::atomic<int> failing_claims{0};
  std::atomic<int> failing_begins{0};
  std::atomic<int> failing_settlements{0};
  std::atomic<int> upkeeps{0};
  std::atomic<bool> lose_claims{false};
  /// For the next upkeep; set before a bus uses this.
  std::vector<RedriveResult> crashed;

 private:
  static void fail_if(std::atomic<int>& times) {
    if (times.load() == 0) return;
    --times;
    throw Error(ErrorCode::DatabaseBusy, "the database is locked");
  }

  Redrives& real_;
};

class FlakySink final : public LetterSink {
 public:
  explicit FlakySink(std::shared_ptr<MemoryLetterSink> real)
      : real_(std::move(real)), redrives_(*real_->redrives()) {}
  std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy when_busy) override {
    return real_->store(letters, when_busy);
  }
  std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                     std::string_view handler) override {
    return real_->dead_keys(service, event_type, handler);
  }
  Redrives* redrives() noexcept override { return &redrives_; }
  FlakyRedrives& flaky() { return redrives_; }

 private:
  const std::shared_ptr<MemoryLetterSink> real_;
  FlakyRedrives redrives_;
};

class RedriveFailureTest : public RedriveTest {
 protected:
  BusOptions flaky_options() {
    auto result = options();
    result.store = sink_;
    return result;
  }
  /// Lets time pass until every letter is resolved.
  void let_time_pass() {
    while (!letters_->unresolved().empty()) advance(1s);
  }

  std::shared_ptr<FlakySink> sink_ = std::make_shared<FlakySink>(letters_);
};

TEST_F(RedriveFailureTest, AClaimThatFailsIsTriedAgain) {
  Bus bus(flaky_options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 2);
  sink_->flaky().failing_claims = 2;
  bus.redrive({});
  let_time_pass();
  EXPECT_THAT(downstream_.handled(), ElementsAre(1, 2));
  EXPECT_GE(capture_.count("housekeeping_failed"), 2U);
}

TEST_F(RedriveFailureTest, ADatabaseThatIsGoneForAWhileDelaysRedrivesOnly) {
  Bus bus(flaky_options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 1);
  sink_->flaky().failing_looks = 4;
  bus.redrive({});
  EXPECT_EQ(bus.publish(OrderPlaced{.order_id = 2}).handled, 1U);
  let_time_pass();
  EXPECT_THAT(downstream_.handled(), ElementsAre(2, 1));
}

TEST_F(RedriveFailureTest, AHandlerIsNotRunWhoseBeginCouldNotBeWrittenDown) {
  Bus bus(flaky_options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 1);
  sink_->flaky().failing_begins = 1;
  bus.redrive({});
  while (capture_.count("housekeeping_failed") == 0) std::this_thread::yield();
  EXPECT_THAT(downstream_.handled(), IsEmpty());
  let_time_pass();
  EXPECT_THAT(downstream_.handled(), ElementsAre(1));
}

TEST_F(RedriveFailureTest, AHandlerIsNotRunForALetterWhoseClaimWasLost) {
  Bus bus(flaky_options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 1);
  sink_->flaky().lose_claims = true;
  const int before = downstream_.calls();
  bus.redrive({});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(downstream_.calls(), before);
}

TEST_F(RedriveFailureTest, AResultThatCouldNotBeKeptIsKeptLaterAndTheHandlerNotRunAgain) {
  Bus bus(flaky_options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 3);
  sink_->flaky().failing_settlements = 2;
  bus.redrive({});
  let_time_pass();
  EXPECT_THAT(downstream_.handled(), ElementsAre(1, 2, 3));
}

TEST_F(RedriveFailureTest, AStopKeepsTheResultsThatWereNotKeptYet) {
  {
    Bus bus(flaky_options());
    auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
    fail(bus, 1, 1);
    sink_->flaky().failing_settlements = 1;
    bus.redrive({});
    while (capture_.count("housekeeping_failed") == 0) std::this_thread::yield();
  }
  EXPECT_THAT(unresolved(), IsEmpty());
  EXPECT_THAT(downstream_.handled(), ElementsAre(1));
}

TEST_F(RedriveFailureTest, ABusThatStopsKeepsTheClaimsOfHandlersThatRunOn) {
  Bus bus(flaky_options());
  Gate gate;
  std::atomic<bool> slow{false};
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced&) {
                                              if (slow) return gate.pass();
                                              throw std::runtime_error("no");
                                            },
                                            {.retry = once()});
  fail(bus, 1, 1);
  slow = true;
  bus.redrive({});
  gate.await_arrival();
  EXPECT_FALSE(bus.stop(1ms).drained);
  const int before = sink_->flaky().upkeeps;
  while (sink_->flaky().upkeeps < before + 2) advance(1s);
  gate.open();
  handler.reset();
  EXPECT_THAT(unresolved(), IsEmpty());
}

TEST_F(RedriveFailureTest, ARequestThatCannotBeWrittenDownIsRefused) {
  Bus bus(flaky_options());
  sink_->flaky().failing_marks = 1;
  EXPECT_EQ(error_code_of([&] { bus.redrive({}); }), ErrorCode::DatabaseBusy);
  EXPECT_EQ(bus.redrive({}).letters, 0U);
}

TEST_F(RedriveFailureTest, ADeathOfAnotherProcessIsLoggedWithTheContextOfItsLetter) {
  DeadLetter letter = contract::full_letter(1);
  add_failed_attempt(letter, crashed_attempt(letter.failed_at), Reason::Crashed, letter.failed_at);
  using End = RedriveResult::End;
  sink_->flaky().crashed = {{.id = 42, .end = End::Failed, .at = {}, .letter = letter}};
  Bus bus(flaky_options());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  ASSERT_TRUE(bus.wait_idle(kLong));
  const Json record = capture_.only("redrive_crashed");
  const Json expected = {{"dead_letter_id", 42},
                         {"event_id", letter.metadata.event_id.to_string()},
                         {"causation_id", letter.metadata.causation_id->to_string()},
                         {"correlation_id", "request-42;DROP_TABLE"},
                         {"foreign_id", *letter.metadata.foreign_id},
                         {"trace_id", "0af7651916cd43dd8448eb211c80319c"},
                         {"event_type", "orders.order_placed"},
                         {"handler", "charge_card"},
                         {"user_id", 42},
                         {"vip", true},
                         {"reason", "crashed"},
                         {"error_type", "tidings::crashed"},
                         {"fingerprint", letter.error_fingerprint}};
  for (const auto& [name, value] : expected.items()) EXPECT_EQ(record.value(name, Json()), value) << name;
}

TEST_F(RedriveFailureTest, OfALetterThatCannotBeReadTheDeathIsLoggedWithItsNumber) {
  using End = RedriveResult::End;
  sink_->flaky().crashed = {{.id = 42, .end = End::Withdrawn, .at = {}, .letter = {}}};
  Bus bus(flaky_options());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  ASSERT_TRUE(bus.wait_idle(kLong));
  const Json record = capture_.only("redrive_crashed");
  EXPECT_EQ(record.at("dead_letter_id"), 42);
  for (const char* name : {"event_id", "correlation_id", "handler", "reason"})
    EXPECT_FALSE(record.contains(name)) << name;
}

TEST_F(RedriveFailureTest, ABusyHandlerHoldsUpNoOther) {
  Bus bus(flaky_options());
  Gate gate;
  std::atomic<bool> slow{false};
  auto stuck = bus.subscribe<OrderPlaced>("stuck",
                                          [&](const OrderPlaced&) {
                                            if (slow) return gate.pass();
                                            throw std::runtime_error("no");
                                          },
                                          {.retry = once()});
  auto other = bus.subscribe<OrderPlaced>("other", handler(), {.retry = once()});
  fail(bus, 1, 300);
  slow = true;
  bus.redrive({.handler = "stuck"});
  gate.await_arrival();
  bus.redrive({.handler = "other"});
  while (downstream_.handled().size() < 300) advance(1s);
  gate.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(unresolved(), IsEmpty());
}

}  // namespace
}  // namespace tidings::test
