#include "crash/shop.hpp"

#include "store/open_store.hpp"

#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/deadletter/transaction.hpp>
#include <tidings/detail/kill_point.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace tidings::crash {
namespace {

using namespace std::chrono_literals;

constexpr auto kLong = 60s;

/// The events that the journal has held longest, and what it knows of their deliveries.
constexpr const char* kFirstOwed =
    "SELECT id || ' owed to ' || handlers || ifnull((SELECT group_concat(' but ' || handler ||"
    " iif(done, ' done', ' failed ' || attempts_made || ' and crashed ' || crashes || ' times'), '')"
    " FROM tidings_journal_deliveries WHERE journal_id = id), '') FROM tidings_journal ORDER BY id LIMIT 5";

std::int64_t number_of(const std::string& data) { return Json::parse(data).at("number").get<std::int64_t>(); }

/// Lines of a log that may end in one that a dying process did not finish.
std::vector<std::string> whole_lines(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

void execute(sqlite3* connection, const std::string& sql) {
  if (sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return;
  throw std::runtime_error(sqlite3_errmsg(connection));
}

void write_effect(const EventContext& context, std::int64_t order) {
  execute(
      deadletter::transaction(context).connection(),
      "INSERT INTO effects VALUES ('" + std::string(context.handler()) + "', " + std::to_string(order) + ")");
}

/// Whether the handler of an order is to fail.
bool fails(const Order& order, const EventContext& context) {
  if (order.fate == Fate::FailsOnce) return context.attempt() == 1;
  if (order.fate == Fate::WorksLater) return context.attempt() <= RetryPolicy{}.max_attempts;
  return order.fate == Fate::NeverWorks;
}

/// The machine's, but for a wall clock that somebody has set.
class JumpedClock final : public Clock {
 public:
  explicit JumpedClock(std::chrono::hours jump) : jump_(jump) {}
  [[nodiscard]] Timestamp now() const noexcept override { return clock_->now() + jump_; }
  [[nodiscard]] Instant monotonic_now() const noexcept override { return clock_->monotonic_now(); }
  void wait_until(Signal& signal, Instant deadline) override { clock_->wait_until(signal, deadline); }

 private:
  const std::shared_ptr<Clock> clock_ = system_clock();
  const std::chrono::hours jump_;
};

}  // namespace

Shop::Shop(std::filesystem::path folder)
    : folder_(std::move(folder)), database_(folder_ / "shop.db"), log_(folder_ / "seen.log") {}

bool Shop::live(const Life& life) const {
  ++lives_;
  return is_killed(life.kill, [&] { run(life); });
}

std::size_t Shop::recover(std::size_t most) const {
  for (std::size_t killed = 0; killed < most; ++killed) {
    if (!live({})) return killed;
  }
  throw std::runtime_error("the shop was killed " + std::to_string(most) + " times in a row");
}

void Shop::note(std::string_view what, std::string_view handler, std::int64_t order) const {
  const std::string line =
      std::string(what) + ' ' + std::string(handler) + ' ' + std::to_string(order) + '\n';
  const int file = ::open(log_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(2);
  ::close(file);
}

void Shop::run(const Life& life) const {
  deadletter::StoreInternals internals;
  internals.boot_time = [this] { return deadletter::boot_time_now() + lives_ * std::int64_t{31'000'000}; };
  // Where this process hardly gets to run, its own threads keep each other waiting for long.
  const auto store =
      deadletter::open_store(database_, {.busy_timeout = kLong, .spill_reserve = 0}, std::move(internals));
  {
    SQLite::Database database(database_.native(), SQLite::OPEN_READWRITE);
    database.setBusyTimeout(60'000);
    database.exec(
        "CREATE TABLE IF NOT EXISTS effects (handler TEXT, number INTEGER);"
        "CREATE TABLE IF NOT EXISTS placed (number INTEGER)");
  }
  Bus bus({.service = "shop",
           .store = store,
           .durability = Durability::ProcessCrash,
           .max_crashes = life.max_crashes,
           .logger = logging::Logger({.level = logging::Level::Critical}),
           .clock = std::make_shared<JumpedClock>(life.clock_jump)});
  const auto handler = [&](std::string name) {
    return [this, name = std::move(name)](const Order& order, const EventContext& context) {
      if (order.fate == Fate::Poison && name == "ship") static_cast<void>(::kill(::getpid(), SIGKILL));
      if (fails(order, context)) throw std::runtime_error("not now");
      note("done", name, order.number);
    };
  };
  const auto key = [](const Order& order) { return std::to_string(order.number % 3); };
  auto book = bus.subscribe<Order>("book", handler("book"));
  auto ship = bus.subscribe<Order>("ship", handler("ship"),
                                   {.dispatch = Dispatch::Queued,
                                    .retry = {.backoff = constant(1ms)},
                                    .concurrency = 2,
                                    .ordering_key = key});
  auto mail =
      bus.subscribe<Order>("mail", handler("mail"), {.dispatch = Dispatch::Queued, .queue_capacity = 2});
  // Before those who publish for it: what they are owed comes as soon as they subscribe.
  auto file = bus.subscribe<Receipt>("file", [](const Receipt& receipt, const EventContext& context) {
    write_effect(context, receipt.number);
  });
  auto bank = bus.subscribe<Order>("bank",
                                   [&bus](const Order& order, const EventContext& context) {
                                     write_effect(context, order.number);
                                     bus.publish(Receipt{order.number});
                                     if (fails(order, context)) throw std::runtime_error("not now");
                                   },
                                   {.dispatch = Dispatch::Queued});
  if (life.redrives) bus.redrive({});
  publish(bus, life);
  if (life.stops) return static_cast<void>(bus.stop(0ms));
  if (!bus.wait_idle(kLong)) throw std::runtime_error("the bus did not become idle; " + still_owed(bus));
}

std::string Shop::still_owed(const Bus& bus) const {
  std::ostringstream text;
  text << "events in the journal: " << journalled();
  SQLite::Database database(database_.native(), SQLite::OPEN_READONLY);
  SQLite::Statement row(database, kFirstOwed);
  while (row.executeStep()) text << ", " << row.getColumn(0).getString();
  const Snapshot now = bus.snapshot();
  text << "; letters and completions not committed: " << now.letters_pending;
  for (const HandlerSnapshot& each : now.handlers) {
    text << "; " << each.handler << ": " << each.queued << " queued, " << each.waiting << " waiting, "
         << each.running << " running";
  }
  return text.str();
}

void Shop::publish(Bus& bus, const Life& life) const {
  const PublishOptions how{.durability = life.durability};
  if (life.publishing == Publishing::InTransactions) return publish_in_transactions(bus, life);
  if (life.publishing == Publishing::InOneBatch) bus.publish_batch(life.orders, how);
  for (const Order& order : life.orders) {
    if (life.publishing == Publishing::OneByOne) bus.publish(order, how);
    note("acknowledged", "-", order.number);
  }
}

void Shop::publish_in_transactions(Bus& bus, const Life& life) const {
  SQLite::Database database(database_.native(), SQLite::OPEN_READWRITE);
  database.setBusyTimeout(60'000);
  database.exec("PRAGMA synchronous = FULL");
  for (const Order& order : life.orders) {
    database.exec("BEGIN IMMEDIATE; INSERT INTO placed VALUES (" + std::to_string(order.number) + ")");
    deadletter::publish_in(database.getHandle(), bus, order, {.durability = life.durability});
    detail::kill_point("shop.published");
    database.exec(is_rolled_back(order.number) ? "ROLLBACK" : "COMMIT");
    detail::kill_point("shop.committed");
    bus.notify();
    if (!is_rolled_back(order.number)) note("acknowledged", "-", order.number);
  }
}

Shop::Seen Shop::seen() const {
  Seen seen;
  for (const std::string& line : whole_lines(log_)) {
    const auto first = line.find(' ');
    const auto second = line.rfind(' ');
    const std::string handler = line.substr(first + 1, second - first - 1);
    const std::int64_t order = std::atoll(line.c_str() + second);
    if (line.starts_with("acknowledged")) {
      seen.acknowledged.insert(order);
    } else if (++seen.handled[{handler, order}] == 1 && handler == "ship") {
      seen.shipped.push_back(order);
    }
  }
  return seen;
}

std::map<std::pair<std::string, std::int64_t>, std::string> Shop::letters() const {
  std::map<std::pair<std::string, std::int64_t>, std::string> letters;
  auto reader = deadletter::Reader::open(database_);
  deadletter::Filter unresolved;
  unresolved.resolved = false;
  for (const auto& stored : reader.list(unresolved, 10'000).letters) {
    letters[{stored.letter.handler, number_of(stored.letter.data.bytes)}] = to_string(stored.letter.reason);
  }
  return letters;
}

std::map<std::pair<std::string, std::int64_t>, int> Shop::effects() const {
  SQLite::Database database(database_.native(), SQLite::OPEN_READONLY);
  SQLite::Statement row(database, "SELECT handler, number, count(*) FROM effects GROUP BY handler, number");
  std::map<std::pair<std::string, std::int64_t>, int> effects;
  while (row.executeStep()) {
    effects[{row.getColumn(0).getString(), row.getColumn(1).getInt64()}] = row.getColumn(2).getInt();
  }
  return effects;
}

std::set<std::int64_t> Shop::placed() const {
  SQLite::Database database(database_.native(), SQLite::OPEN_READONLY);
  SQLite::Statement row(database, "SELECT number FROM placed");
  std::set<std::int64_t> orders;
  while (row.executeStep()) orders.insert(row.getColumn(0).getInt64());
  return orders;
}

std::int64_t Shop::journalled() const {
  SQLite::Database database(database_.native(), SQLite::OPEN_READONLY);
  return database.execAndGet("SELECT count(*) FROM tidings_journal").getInt64();
}

}  // namespace tidings::crash
