#include "tools/dead_letters_fixture.hpp"

#include <tidings/bus.hpp>

#include <atomic>
#include <stdexcept>

// `retry --wait` beside a service that delivers.

namespace tidings::dead_letters {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class RetryWaitTest : public DatabaseTest {
 protected:
  void add_letters(int count, const std::string& handler, const std::optional<std::string>& key = {}) {
    std::vector<DeadLetter> letters;
    for (int i = 0; i < count; ++i) {
      letters.push_back(letter_that_failed(std::chrono::hours(1), handler));
      letters.back().ordering_key = key;
    }
    store_letters(*store_, letters);
  }
  void serve(const std::string& handler, SubscribeOptions<Json> options = {}) {
    options.dispatch = Dispatch::Queued;
    bus_.subscribe(
            "orders.order_placed", handler,
            [this](const Json&) {
              if (failing_) throw std::runtime_error("still down");
            },
            std::move(options))
        .keep();
  }
  Answer retry(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "retry");
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    const ExitStatus status = run(arguments, database_.c_str(), Streams{in, out, err}, wall_now());
    return {static_cast<int>(status), out.str(), err.str()};
  }
  [[nodiscard]] std::int64_t marked() const {
    return deadletter::Reader::open(database_).count({.resolved = false, .marked = true});
  }

  const std::string database_ = path("orders.db");
  std::shared_ptr<deadletter::Store> store_ = deadletter::Store::open(database_, {.spill_reserve = 0});
  std::atomic<bool> failing_{true};
  Bus bus_{{.service = "orders", .store = store_, .logger = logging::Logger({.level = logging::Level::Off})}};
};

TEST_F(RetryWaitTest, WhatAStoppedRequestLeavesIsUnmarkedWhenItIsReported) {
  add_letters(50, "send_receipt");
  serve("send_receipt");
  const auto answer = retry({"--all", "--stop-after", "5", "--wait"});
  EXPECT_EQ(answer.status, 69);
  EXPECT_EQ(marked(), 0);
  EXPECT_THAT(answer.out, AllOf(HasSubstr("0 succeeded, 5 failed again."),
                                HasSubstr("too many failed. 45 letters were not delivered, and are not")));
  failing_ = false;
  const auto next = retry({"--all", "--wait"});
  EXPECT_EQ(next.status, 0);
  EXPECT_THAT(next.out, HasSubstr("50 succeeded, 0 failed again."));
}

TEST_F(RetryWaitTest, SoIsWhatAFailedCanaryLeaves) {
  add_letters(700, "send_receipt");  // more than are unmarked at once
  serve("send_receipt");
  const auto answer = retry({"--all", "--canary", "3", "--wait"});
  EXPECT_EQ(answer.status, 69);
  EXPECT_EQ(marked(), 0);
  const auto request = *deadletter::Reader::open(database_).redrive(1);
  EXPECT_GE(request.failed, 1);
  EXPECT_THAT(answer.out,  // its canary may fail before all letters are marked
              HasSubstr(std::to_string(request.letters - request.failed) + " letters were not delivered"));
}

TEST_F(RetryWaitTest, CountsNoFailuresButThoseOfTheRequest) {
  add_letters(2, "send_receipt");
  add_letters(3, "charge_card");
  serve("send_receipt");
  serve("charge_card");
  const auto others = bus_.redrive({.handler = "charge_card"});
  ASSERT_EQ(others.letters, 3U);
  const auto answer = retry({"1", "2", "--wait", "--json"});
  EXPECT_EQ(answer.json().at("failed"), 2);
  ASSERT_EQ(answer.json().at("failed_groups").size(), 1U);
  EXPECT_EQ(answer.json().at("failed_groups").at(0).at("letters"), 2);
  EXPECT_EQ(answer.json().at("failed_groups").at(0).at("handler"), "send_receipt");
}

TEST_F(RetryWaitTest, NorThoseOfTheSameHandlerThatCameMeanwhile) {
  add_letters(1, "send_receipt");
  serve("send_receipt", {.retry = {.max_attempts = 1}});
  bus_.publish("orders.order_placed", Json{{"order_id", 7}});
  ASSERT_TRUE(bus_.wait_idle(std::chrono::seconds(30)));
  ASSERT_EQ(bus_.redrive({.ids = {{2}}}).letters, 1U);
  ASSERT_TRUE(bus_.wait_idle(std::chrono::seconds(30)));
  const auto answer = retry({"1", "--wait", "--json"});
  ASSERT_EQ(answer.json().at("failed_groups").size(), 1U);
  EXPECT_EQ(answer.json().at("failed_groups").at(0).at("letters"), 1);
}

TEST_F(RetryWaitTest, FindsThemWhereverTheClockIs) {
  add_letters(1, "send_receipt");
  serve("send_receipt");
  SqliteConnection(database_).execute(
      "CREATE TRIGGER ahead AFTER INSERT ON tidings_redrives BEGIN UPDATE tidings_redrives SET"
      " requested_at = requested_at + 3600000000; END");
  const auto answer = retry({"1", "--wait", "--json"});
  EXPECT_EQ(answer.json().at("failed_groups").size(), 1U);
}

TEST_F(RetryWaitTest, WaitsForWhatWasMarkedBefore) {
  add_letters(2, "send_receipt");
  EXPECT_EQ(retry({"1", "--timeout", "0s"}).status, 75);
  // As a service does that ends the request while somebody waits for it.
  SqliteConnection(database_).execute("UPDATE tidings_redrives SET state = 'finished', succeeded = 1");
  const auto answer = retry({"1", "--wait"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.out, AllOf(HasSubstr("Waiting for request 1, which marked them before"),
                                HasSubstr("1 succeeded, 0 failed again.")));
  EXPECT_THAT(answer.err, Not(HasSubstr("left as it is")));
}

TEST_F(RetryWaitTest, SaysThatSomeWereMarkedBeforeAndStillWait) {
  add_letters(1, "send_receipt");
  EXPECT_EQ(retry({"1", "--timeout", "0s"}).status, 75);
  add_letters(1, "charge_card");
  failing_ = false;
  serve("charge_card");
  const auto answer = retry({"1", "2", "--wait"});
  EXPECT_EQ(answer.status, 75);
  EXPECT_THAT(answer.out, HasSubstr("1 succeeded, 0 failed again."));
  EXPECT_THAT(answer.err, HasSubstr("marked before, and still wait"));
}

TEST_F(RetryWaitTest, ParkedLettersAreDeliveredOnceTheEarlierOneIs) {
  add_letters(3, "send_receipt", "account");
  SqliteConnection(database_).execute("UPDATE dead_letters SET reason = 'parked' WHERE id > 1");
  failing_ = false;
  serve("send_receipt", {.ordering_key = [](const Json&) { return std::string("account"); },
                         .after_death = AfterDeath::Park});
  EXPECT_EQ(retry({"--reason", "parked", "--wait"}).status, 0);
  EXPECT_EQ(marked(), 0);
  EXPECT_THAT(retry({"1", "--wait"}).out, HasSubstr("1 succeeded"));
  EXPECT_THAT(retry({"--reason", "parked", "--wait"}).out, HasSubstr("2 succeeded, 0 failed again."));
}

TEST_F(RetryWaitTest, SaysThatTheRestStaysMarkedWhateverBecomesOfTheService) {
  add_letters(2, "send_receipt");
  const auto answer = retry({"--all", "--timeout", "0s"});
  EXPECT_EQ(answer.status, 75);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("They stay marked"), Not(HasSubstr("goes on with the rest"))));
}

TEST_F(RetryWaitTest, SaysWhatWasNotDeliveredBehindAFailure) {
  add_letters(3, "send_receipt", "Ada");
  serve("send_receipt",
        {.ordering_key = [](const Json&) { return std::string("Ada"); }, .after_death = AfterDeath::Park});
  const auto answer = retry({"--all", "--wait"});
  EXPECT_EQ(answer.status, 69);
  EXPECT_EQ(marked(), 0);
  EXPECT_THAT(answer.out, AllOf(HasSubstr("0 succeeded, 1 failed again."),
                                HasSubstr("2 letters were not delivered, and are not marked any more: an"),
                                Not(HasSubstr("stopped"))));
}

}  // namespace
}  // namespace tidings::dead_letters
