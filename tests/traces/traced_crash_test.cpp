#include "deadletter/store_fixture.hpp"
#include "telemetry/receiver.hpp"
#include "tools/tool_process.hpp"

#include <tidings/bus.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/telemetry/exporter.hpp>
#include <tidings/telemetry/tracer.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// Traces through the death of the process: each life of a shop is a child that exports to a receiver of its
// parent's.

namespace tidings::telemetry {
namespace {

using namespace std::chrono_literals;
using check_dead_letters::run_tool;
using deadletter::run_in_child;
using deadletter::succeeded;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct OrderPaid {
  static constexpr std::string_view event_type = "shop.order_paid";
  std::int64_t order{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPaid, order)
};

constexpr auto kLong = 30s;

/// The machine's, but for hours that have passed since the last life.
class LaterClock final : public Clock {
 public:
  explicit LaterClock(std::chrono::hours later) : later_(later) {}
  [[nodiscard]] Timestamp now() const noexcept override { return clock_->now() + later_; }
  [[nodiscard]] Instant monotonic_now() const noexcept override { return clock_->monotonic_now(); }
  void wait_until(Signal& signal, Instant deadline) override { clock_->wait_until(signal, deadline); }

 private:
  const std::shared_ptr<Clock> clock_ = system_clock();
  const std::chrono::hours later_;
};

/// What the receiver got of one span.
struct SeenSpan {
  std::string trace_id;
  std::string span_id;
  std::string attempt;  // empty: it is no attempt's
  bool recovered = false;
  /// `TRACE SPAN`.
  std::vector<std::string> links = {};

  [[nodiscard]] std::string id() const { return trace_id + " " + span_id; }
};

class TracedCrashTest : public deadletter::StoreTest {
 protected:
  using Handler = std::function<void(const OrderPaid&, const EventContext&)>;

  /// A bus whose one handler is `charge`, what it is traced by, and the process that may die.
  struct Shop {
    Shop(const TracedCrashTest& test, std::chrono::hours later)
        : exporter(std::make_shared<Exporter>(options_to(test.receiver_.url("/v1/traces")))),
          bus({.service = "shop",
               .store = test.open(),
               .durability = Durability::ProcessCrash,
               .logger = logging::Logger({.level = logging::Level::Off}),
               .telemetry = {.observer = std::make_shared<Tracer>(exporter)},
               .clock = std::make_shared<LaterClock>(later)}) {}

    static ExporterOptions options_to(const std::string& url) {
      ExporterOptions options;
      options.traces = {.url = url, .protocol = Protocol::HttpJson};
      return options;
    }
    void subscribe(Handler handler) {
      bus.subscribe<OrderPaid>(
             "charge", std::move(handler),
             {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 5, .backoff = constant(1ms)}})
          .keep();
    }
    /// Nothing that is in memory only is left when the process dies.
    [[noreturn]] void die() const {
      static_cast<void>(exporter->flush(kLong));
      static_cast<void>(::kill(::getpid(), SIGKILL));
      std::abort();
    }

    std::shared_ptr<Exporter> exporter;
    Bus bus;
  };

  /// A life that fails once, and again with an hour to wait; with both in the journal it is killed.
  [[nodiscard]] int live_and_die_after_two_attempts() const {
    return run_in_child([&]() -> bool {
      Shop shop(*this, 0h);
      shop.subscribe([](const OrderPaid&, const EventContext& context) {
        if (context.attempt() == 1) throw std::runtime_error("the first");
        throw RetryAfter(1h, "the second");
      });
      shop.bus.publish(OrderPaid{7});
      while (query("SELECT ifnull(max(attempts_made), 0) FROM tidings_journal_deliveries") != "2")
        std::this_thread::yield();
      shop.die();
    });
  }
  /// A life that goes on until nothing is left to do.
  [[nodiscard]] int live_on(std::chrono::hours later, const Handler& handler) const {
    return run_in_child([&] {
      Shop shop(*this, later);
      shop.subscribe(handler);
      return shop.bus.wait_idle(kLong) && shop.exporter->flush(kLong);
    });
  }

  static std::string attribute(const Json& span, const std::string& name, const char* type) {
    for (const Json& each : span.at("attributes")) {
      if (each.at("key") == name) return each.at("value").at(type).get<std::string>();
    }
    return {};
  }
  static bool is_marked(const Json& span, const std::string& name) {
    const Json& all = span.at("attributes");
    return std::any_of(all.begin(), all.end(), [&](const Json& each) { return each.at("key") == name; });
  }
  [[nodiscard]] std::vector<SeenSpan> seen(const std::string& name) const {
    std::vector<SeenSpan> found;
    for (const ReceivedRequest& request : receiver_.requests()) {
      const Json body = Json::parse(request.body);
      for (const Json& span : body.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans")) {
        if (span.at("name") != name) continue;
        SeenSpan& one = found.emplace_back(SeenSpan{span.at("traceId"), span.at("spanId"),
                                                    attribute(span, "tidings.attempt.number", "intValue"),
                                                    is_marked(span, "tidings.recovered")});
        if (!span.contains("links")) continue;
        for (const Json& link : span.at("links"))
          one.links.push_back(link.at("traceId").get<std::string>() + " " +
                              link.at("spanId").get<std::string>());
      }
    }
    return found;
  }
  /// What `dead-letters show` says of the attempts of the one letter: `TRACE SPAN` each.
  [[nodiscard]] std::vector<std::string> shown_attempts() const {
    const auto run = run_tool({"show", "1", "--json"},
                              {.tidings_db = database().native(), .program = TIDINGS_DEAD_LETTERS});
    EXPECT_EQ(run.exit_status, 0) << run.err;
    const Json letter = Json::parse(run.out).at("letter");
    std::vector<std::string> attempts;
    for (const Json& attempt : letter.at("attempts"))
      attempts.push_back(attempt.at("trace_id").get<std::string>() + " " +
                         attempt.at("span_id").get<std::string>());
    return attempts;
  }

  Receiver receiver_;
};

bool killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }

TEST_F(TracedCrashTest, TheThirdAttemptLinksToTheSecondOfAProcessThatWasKilled) {
  ASSERT_TRUE(killed(live_and_die_after_two_attempts()));
  ASSERT_TRUE(succeeded(
      live_on(2h, [](const OrderPaid&, const EventContext&) { throw Permanent("the third is the last"); })));
  const auto publishes = seen("publish shop.order_paid");
  const auto attempts = seen("process shop.order_paid");
  ASSERT_EQ(publishes.size(), 1U);
  ASSERT_EQ(attempts.size(), 3U);
  for (std::size_t index = 0; index < attempts.size(); ++index) {
    EXPECT_EQ(attempts[index].attempt, std::to_string(index + 1));
    EXPECT_EQ(attempts[index].recovered, index == 2);
  }
  EXPECT_THAT(attempts[0].links, ElementsAre(publishes[0].id()));
  EXPECT_THAT(attempts[1].links, ElementsAre(publishes[0].id(), attempts[0].id()));
  EXPECT_THAT(attempts[2].links, ElementsAre(publishes[0].id(), attempts[1].id()));
  EXPECT_EQ(attempts[1].trace_id, publishes[0].trace_id);
  EXPECT_NE(attempts[2].trace_id, publishes[0].trace_id);
  // The letter has them all, also those of the process that is dead.
  EXPECT_THAT(shown_attempts(), ElementsAre(attempts[0].id(), attempts[1].id(), attempts[2].id()));
  const auto deaths = seen("give up shop.order_paid");
  ASSERT_EQ(deaths.size(), 1U);
  EXPECT_EQ(deaths[0].trace_id, attempts[2].trace_id);
  EXPECT_EQ(seen("recover").size(), 1U);
}

TEST_F(TracedCrashTest, AnAttemptThatTheProcessDiedInIsMadeAgainAndLinksToTheOneBefore) {
  ASSERT_TRUE(killed(run_in_child([&]() -> bool {
    Shop shop(*this, 0h);
    shop.subscribe([&](const OrderPaid&, const EventContext& context) {
      if (context.attempt() == 1) throw std::runtime_error("the first");
      shop.die();
    });
    shop.bus.publish(OrderPaid{7});
    return !shop.bus.wait_idle(kLong);
  })));
  ASSERT_TRUE(succeeded(live_on(0h, [](const OrderPaid&, const EventContext&) {})));
  const auto publishes = seen("publish shop.order_paid");
  const auto attempts = seen("process shop.order_paid");
  ASSERT_EQ(publishes.size(), 1U);
  ASSERT_EQ(attempts.size(), 2U) << "the one that died has not ended";
  EXPECT_EQ(attempts[1].attempt, "2");
  EXPECT_TRUE(attempts[1].recovered);
  EXPECT_THAT(attempts[1].links, ElementsAre(publishes[0].id(), attempts[0].id()));
  EXPECT_THAT(seen("give up shop.order_paid"), IsEmpty());
}

}  // namespace
}  // namespace tidings::telemetry
