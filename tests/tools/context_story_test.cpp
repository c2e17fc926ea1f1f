#include "tools/dead_letters_fixture.hpp"

#include <tidings/bus.hpp>
#include <tidings/context.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/logging/sink.hpp>

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace tidings::dead_letters {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr const char* kTraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr auto kLong = 30s;

struct OrderPlaced {
  static constexpr std::string_view event_type = "story.order_placed";
  int order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id)
};
struct StockReserved {
  static constexpr std::string_view event_type = "story.stock_reserved";
  int order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(StockReserved, order_id)
};

/// One more event for the journal.
struct Committed {
  static constexpr std::string_view event_type = "story.committed";
  bool done = true;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Committed, done)
};

/// The machine's, two hours later: whatever was to be retried is due.
class LaterClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const noexcept override { return clock_->now() + 2h; }
  [[nodiscard]] Instant monotonic_now() const noexcept override { return clock_->monotonic_now(); }
  void wait_until(Signal& signal, Instant deadline) override { clock_->wait_until(signal, deadline); }

 private:
  const std::shared_ptr<Clock> clock_ = system_clock();
};

/// What the event of the failing handler says of its request and of what caused it, wherever it is.
void expect_the_request(const Metadata& metadata, const EventId& cause) {
  EXPECT_EQ(metadata.correlation_id.to_string(), "request-17");
  EXPECT_EQ(metadata.fields, (ContextFields{{"tenant", "acme"}, {"user_id", 42}}));
  ASSERT_TRUE(metadata.traceparent);
  EXPECT_EQ(metadata.traceparent->to_string(), kTraceParent);
  EXPECT_EQ(metadata.tracestate.view(), "a=1");
  EXPECT_EQ(metadata.causation_depth, 1U);
  EXPECT_EQ(metadata.causation_id, cause);
}

void expect_the_request(const Json& record, const EventId& cause) {
  EXPECT_EQ(record.at("correlation_id"), "request-17") << record;
  EXPECT_EQ(record.at("tenant"), "acme") << record;
  EXPECT_EQ(record.at("user_id"), 42) << record;
  EXPECT_EQ(record.at("trace_id"), "0af7651916cd43dd8448eb211c80319c") << record;
  EXPECT_EQ(record.at("event_type"), "story.stock_reserved") << record;
  EXPECT_EQ(record.at("handler"), "reserve") << record;
  EXPECT_EQ(record.at("causation_id"), cause.to_string()) << record;
}

/// One request: it comes in by HTTP, its order is published, whose handler publishes that stock is reserved;
/// the handler of that fails, and the process is killed while it waits to be retried.
class ContextStoryTest : public DatabaseTest {
 public:
  [[nodiscard]] static SubscribeOptions<StockReserved> retried() {
    return {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 2, .backoff = constant(1h)}};
  }

 protected:
  void SetUp() override { database_ = path("story.db"); }

  BusOptions options(logging::Logger logger) const {
    return {.service = "story",
            .store = deadletter::Store::open(database_),
            .durability = Durability::ProcessCrash,
            .logger = std::move(logger)};
  }
  [[nodiscard]] std::string log() const { return path("story.log"); }
  /// The first record of that name that the killed process has left.
  [[nodiscard]] Json logged(std::string_view name, std::string_view event_type) const {
    std::ifstream file(log());
    for (std::string line; std::getline(file, line);) {
      Json record = Json::parse(line);
      if (record.at("event") == name && record.value("event_type", "") == event_type) return record;
    }
    ADD_FAILURE() << "no record " << name << " of " << event_type;
    return {};
  }
  /// Ends in SIGKILL.
  void live_until_killed() const {
    Bus bus(
        options(logging::Logger({.level = logging::Level::Debug,
                                 .sinks = {{logging::file_sink({.path = log()}), logging::Format::Json}}})));
    auto reserve = bus.subscribe<StockReserved>(
        "reserve",
        [](const StockReserved& stock, const EventContext& context) {
          context.bind("order_id", stock.order_id);
          throw std::runtime_error("no stock");
        },
        retried());
    auto chain = bus.subscribe<OrderPlaced>(
        "chain", [&bus](const OrderPlaced& order) { bus.publish(StockReserved{order.order_id}); });
    auto commit = bus.subscribe<Committed>("commit", [](const Committed&) {});
    const ContextScope request(
        Context::from_headers(
            {{"X-Request-ID", "request-17"}, {"traceparent", kTraceParent}, {"tracestate", "a=1"}})
            .with({{"tenant", "acme"}, {"user_id", 42}}));
    bus.publish(OrderPlaced{7});
    while (bus.snapshot().handlers.at(0).waiting == 0) std::this_thread::yield();
    bus.publish(Committed{});  // and with it that the attempt has failed
    ::kill(::getpid(), SIGKILL);
  }
  void expect_killed() const {
    const pid_t child = ::fork();
    if (child == 0) {
      live_until_killed();
      ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }
  Answer call(std::vector<std::string> arguments, const std::string& input = {}) const {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    const ExitStatus status = run(arguments, database_.c_str(), {in, out, err, false, {}, {}}, wall_now());
    EXPECT_EQ(status, ExitStatus::Ok) << err.str();
    return {static_cast<int>(status), out.str(), err.str()};
  }

  /// The id of the event that the request has published.
  [[nodiscard]] EventId published() const {
    const Json record = logged("event_published", OrderPlaced::event_type);
    EXPECT_EQ(record.at("correlation_id"), "request-17");
    EXPECT_EQ(record.at("tenant"), "acme");
    EXPECT_EQ(record.at("user_id"), 42);
    EXPECT_FALSE(record.contains("causation_id")) << "nothing has caused it";
    return EventId::parse(record.at("event_id").get<std::string>()).value();
  }
  void expect_logged_before_the_kill(const EventId& cause) const {
    for (const char* name : {"event_published", "handler_failed"}) {
      Json record = logged(name, StockReserved::event_type);
      if (!record.contains("handler")) record["handler"] = "reserve";
      expect_the_request(record, cause);
    }
    EXPECT_EQ(logged("handler_failed", StockReserved::event_type).at("order_id"), 7);
  }
  void expect_shown(const Metadata& metadata) const {
    const std::string text = call({"show", "1"}).out;
    for (const std::string& each :
         {metadata.event_id.to_string(), metadata.causation_id->to_string(), std::string("request-17"),
          std::string("  tenant    acme"), std::string("  user_id   42"), std::string("order_id=7")})
      EXPECT_THAT(text, HasSubstr(each));
  }
  void expect_found_by_tools(const Metadata& metadata) const {
    const auto listed =
        call({"list", "--attribute", "tenant=acme", "--attribute", "user_id=42", "--json"}).json();
    EXPECT_EQ(listed.at("letters").size(), 1U);
    const auto letter = call({"show", "1", "--json"}).json().at("letter");
    EXPECT_EQ(letter.at("correlation_id"), "request-17");
    EXPECT_EQ(letter.at("fields"), OrderedJson::parse(R"({"tenant":"acme","user_id":42})"));
    EXPECT_EQ(letter.at("causation_id"), metadata.causation_id->to_string());
    ASSERT_EQ(letter.at("attempts").size(), 2U);
    EXPECT_EQ(letter.at("attempts").at(0).at("fields").at("order_id"), 7) << "bound before the kill";
  }
  void expect_in_another_database(const std::string& exported, const Metadata& recovered) {
    database_ = path("other.db");
    static_cast<void>(deadletter::Store::open(database_));
    call({"import", "-"}, exported);
    const auto imported = deadletter::Reader::open(database_).find(1);
    ASSERT_TRUE(imported);
    Metadata metadata = imported->letter.metadata;
    metadata.causation_depth = recovered.causation_depth;  // no letter keeps it
    EXPECT_EQ(metadata, recovered);
    EXPECT_EQ(imported->letter.attempts.at(1).fields, (ContextFields{{"order_id", 7}}));
  }

  std::string database_;
};

/// The process after the one that was killed.
class SecondLife {
 public:
  explicit SecondLife(BusOptions options) : bus_(std::move(options)) {
    reserve_ = bus_.subscribe<StockReserved>(
        "reserve",
        [this](const StockReserved& stock, const EventContext& context) {
          seen_.push_back(context.metadata());
          context.bind("order_id", stock.order_id);
          ++runs_;
          if (!works_) throw std::runtime_error("no stock");
        },
        ContextStoryTest::retried());
    EXPECT_TRUE(bus_.wait_idle(kLong));
  }
  /// The metadata that the handler saw in its run of that number, from 1.
  [[nodiscard]] Metadata seen(int run) {
    while (runs_ < run) std::this_thread::yield();
    EXPECT_TRUE(bus_.wait_idle(kLong));
    return seen_.at(static_cast<std::size_t>(run) - 1);
  }
  void mend() { works_ = true; }

 private:
  std::atomic<bool> works_ = false;
  std::atomic<int> runs_ = 0;
  std::vector<Metadata> seen_;  // read while no handler runs
  Bus bus_;
  std::optional<Subscription> reserve_;
};

TEST_F(ContextStoryTest, OneRequestIsFoundInAllThatItHasCaused) {
  expect_killed();
  const EventId cause = published();
  expect_logged_before_the_kill(cause);
  const logging::Capture capture;
  auto later = options(capture.logger());
  later.clock = std::make_shared<LaterClock>();
  SecondLife life(std::move(later));
  const Metadata recovered = life.seen(1);
  expect_the_request(recovered, cause);
  EXPECT_EQ(logged("handler_failed", StockReserved::event_type).at("event_id"),
            recovered.event_id.to_string());
  for (const char* name : {"handler_failed", "handler_exhausted_retries", "dead_letter_stored"}) {
    expect_the_request(capture.only(name), cause);
    EXPECT_EQ(capture.only(name).at("order_id"), 7) << name;
  }
  expect_found_by_tools(recovered);
  expect_shown(recovered);
  life.mend();
  call({"retry", "1"});
  Metadata redriven = life.seen(2);
  EXPECT_EQ(std::exchange(redriven.causation_depth, 1U), 0U) << "it begins again";
  EXPECT_EQ(redriven, recovered);
  expect_in_another_database(call({"export"}).out, recovered);
}

}  // namespace
}  // namespace tidings::dead_letters
