#include "reading/rates.hpp"

#include "minutes/minute_table.hpp"
#include "sqlite/prepared.hpp"
#include "sqlite/stored_time.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace tidings::deadletter {
namespace {

constexpr std::int64_t kMicrosecondsOfAMinute = 60'000'000;

/// Binds a text, or null for any.
void bind_name(Prepared& row, const std::optional<std::string>& name) { name ? row.text(*name) : row.null(); }

void widen(DeliveryRates& rates, std::int64_t first, std::int64_t last) {
  const Timestamp begin = time_of(first);
  const Timestamp end = time_of(last + kMicrosecondsOfAMinute);
  rates.from = std::min(rates.from.value_or(begin), begin);
  rates.to = std::max(rates.to.value_or(end), end);
}

}  // namespace

DeliveryRates find_rates(SQLite::Database& database, const RateFilter& filter) {
  constexpr std::int64_t kEarliest = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max();
  Prepared row(database, "SELECT service, event_type, handler, min(minute), max(minute), " +
                             count_columns("sum(", ")") +
                             " FROM tidings_minutes WHERE minute >= ?1 AND minute < ?2"
                             " AND (?3 IS NULL OR service = ?3) AND (?4 IS NULL OR event_type = ?4)"
                             " AND (?5 IS NULL OR handler = ?5) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3");
  const auto minute_of = [](Timestamp time) {
    return microseconds(std::chrono::floor<std::chrono::minutes>(time));
  };
  row.integer(filter.since ? minute_of(*filter.since) : kEarliest);
  row.integer(filter.until ? microseconds(*filter.until) : kLatest);
  bind_name(row, filter.service);
  bind_name(row, filter.event_type);
  bind_name(row, filter.handler);
  DeliveryRates rates;
  while (row.step()) {
    constexpr int kFirstCount = 5;
    rates.rates.push_back({std::string(row.column_text(0)), std::string(row.column_text(1)),
                           std::string(row.column_text(2)), read_counts(row, kFirstCount)});
    widen(rates, row.column_integer(3), row.column_integer(4));
  }
  return rates;
}

}  // namespace tidings::deadletter
