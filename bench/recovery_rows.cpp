#include "check.hpp"
#include "durable_event.hpp"
#include "quiet_bus.hpp"
#include "rows.hpp"
#include "scratch_folder.hpp"
#include "statistics.hpp"

#include <tidings/deadletter/store.hpp>
#include <tidings/ids.hpp>

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <semaphore>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A service that starts and finds deliveries that it owes.

namespace tidings::bench {

namespace {

const std::string kRow = "owed deliveries handled after a restart";
constexpr std::string_view kHandler = "count";

BusOptions durable_bus(const std::filesystem::path& database) {
  BusOptions options = quiet_bus(2, deadletter::Store::open(database));
  options.durability = Durability::ProcessCrash;
  return options;
}

/// Leaves a database that owes `deliveries` to the handler.
void leave_owed(const std::filesystem::path& database, std::size_t deliveries) {
  std::binary_semaphore leave(0);
  BusOptions options = durable_bus(database);
  options.logger =
      logging::Logger(logging::LoggerOptions{.service = "bench", .level = logging::Level::Critical});
  Bus bus(options);
  // The delivery that runs while the bus stops is handled, and is one more than is owed.
  auto stuck = bus.subscribe<DurableEvent>(
      std::string(kHandler), [&](const DurableEvent&) { leave.acquire(); }, {.dispatch = Dispatch::Queued});
  const std::vector<DurableEvent> batch(1000);
  for (std::size_t left = deliveries + 1; left > 0;) {
    const std::size_t now = std::min(left, batch.size());
    bus.publish_batch(std::span(batch).first(now));
    left -= now;
  }
  while (bus.snapshot().handlers.front().running == 0) std::this_thread::yield();
  bus.stop(std::chrono::milliseconds(0));
  leave.release();
}

double each_second(std::size_t deliveries, std::chrono::steady_clock::time_point begin) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(deliveries) / took.count();
}

double recover(const std::filesystem::path& database, std::size_t deliveries) {
  std::atomic<std::uint64_t> handled{0};
  const auto begin = std::chrono::steady_clock::now();
  double rate = 0;
  {
    Bus bus(durable_bus(database));
    auto handler = bus.subscribe<DurableEvent>(
        std::string(kHandler),
        [&](const DurableEvent& event) { handled.fetch_add(event.note.size() == 240 ? 1 : 0); },
        {.dispatch = Dispatch::Queued});
    static_cast<void>(bus.wait_idle(std::chrono::minutes(5)));
    rate = each_second(deliveries, begin);
  }
  require_equal(handled.load(), deliveries, "count of handled deliveries");
  return rate;
}

/// The least that any recovery has to do: SQLite's C API reads the rows, and their ids and data are decoded.
double read_and_decode(const std::filesystem::path& database, std::size_t deliveries) {
  const auto begin = std::chrono::steady_clock::now();
  sqlite3* connection = nullptr;
  sqlite3_stmt* rows = nullptr;
  std::size_t read = 0;
  int result = sqlite3_open_v2(database.c_str(), &connection, SQLITE_OPEN_READONLY, nullptr);
  if (result == SQLITE_OK) {
    result =
        sqlite3_prepare_v2(connection,
                           "SELECT id, event_id, event_type, event_data, attributes, source, correlation_id,"
                           " published_at, handlers FROM tidings_journal ORDER BY id",
                           -1, &rows, nullptr);
  }
  const auto text = [&](int column) {
    return std::string_view(reinterpret_cast<const char*>(sqlite3_column_text(rows, column)),
                            static_cast<std::size_t>(sqlite3_column_bytes(rows, column)));
  };
  while (result == SQLITE_OK && sqlite3_step(rows) == SQLITE_ROW) {
    const auto event = nlohmann::json::parse(text(3)).get<DurableEvent>();
    read += EventId::parse(text(1)) && event.note.size() == 240 ? 1 : 0;
  }
  sqlite3_finalize(rows);
  sqlite3_close(connection);
  const double rate = each_second(deliveries, begin);
  require_equal(read, deliveries, "count of rows");
  return rate;
}

std::vector<Row> measure(const Settings& settings) {
  const std::size_t deliveries = settings.quick ? 20'000 : 100'000;
  const ScratchFolder folder;
  const auto owed = folder.path() / "owed.db";
  leave_owed(owed, deliveries);
  std::size_t copies = 0;
  const auto recover_copy = [&] {
    const auto copy = folder.path() / ("copy-" + std::to_string(++copies) + ".db");
    std::filesystem::copy_file(owed, copy);
    const double rate = recover(copy, deliveries);
    std::filesystem::remove(copy);
    return rate;
  };
  const auto series =
      take_turns(settings.long_rounds(), {recover_copy, [&] { return read_and_decode(owed, deliveries); }});
  return {compare(kRow, "/s", series[0], "reading the rows and decoding them", series[1], at_least(0.5))};
}

}  // namespace

void add_recovery_rows(std::vector<Measurement>& measurements) { measurements.push_back({{kRow}, measure}); }

}  // namespace tidings::bench
