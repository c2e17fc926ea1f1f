#include "minutes/minute_table.hpp"

#include <array>

namespace tidings::deadletter {
namespace {

constexpr std::array kCounts = {&DeliveryCounts::published, &DeliveryCounts::handled, &DeliveryCounts::failed,
                                &DeliveryCounts::dead, &DeliveryCounts::slow};
constexpr std::array kCountColumns = {"published", "handled", "failed", "dead", "slow"};
/// In the order of kDurationBounds, and one more.
constexpr std::array kDurationColumns = {
    "took_10us", "took_20us", "took_50us", "took_100us", "took_200us", "took_500us", "took_1ms",   "took_2ms",
    "took_5ms",  "took_10ms", "took_20ms", "took_50ms",  "took_100ms", "took_200ms", "took_500ms", "took_1s",
    "took_2s",   "took_5s",   "took_10s",  "took_20s",   "took_50s",   "took_100s",  "took_longer"};
static_assert(kCountColumns.size() == kCounts.size());
static_assert(kDurationColumns.size() == kDurationBounds.size() + 1);

}  // namespace

std::string count_columns(std::string_view before, std::string_view after) {
  std::string list;
  const auto add = [&](std::string_view column) {
    if (!list.empty()) list += ", ";
    ((list += before) += column) += after;
  };
  for (const char* column : kCountColumns) add(column);
  for (const char* column : kDurationColumns) add(column);
  return list;
}

void bind_counts(Prepared& row, const DeliveryCounts& counts) {
  for (const auto member : kCounts) row.integer(static_cast<std::int64_t>(counts.*member));
  for (const std::uint64_t count : counts.durations) row.integer(static_cast<std::int64_t>(count));
}

DeliveryCounts read_counts(const Prepared& row, int first) {
  DeliveryCounts counts;
  for (const auto member : kCounts) counts.*member = static_cast<std::uint64_t>(row.column_integer(first++));
  for (std::uint64_t& count : counts.durations)
    count = static_cast<std::uint64_t>(row.column_integer(first++));
  return counts;
}

}  // namespace tidings::deadletter
