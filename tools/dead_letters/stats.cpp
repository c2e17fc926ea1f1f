#include "dead_letters/command.hpp"
#include "dead_letters/deliverable.hpp"
#include "dead_letters/none_match.hpp"
#include "dead_letters/table.hpp"
#include "text/time.hpp"

#include <tidings/minutes.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidings::dead_letters {
namespace {

using deadletter::Statistics;

constexpr std::size_t kShownNames = 10;
constexpr std::size_t kShownDays = 31;
constexpr std::size_t kBar = 30;

std::string day_name(Timestamp day) { return to_rfc3339(day).substr(0, 10); }

void print_counts(Command& command, const char* title, const std::vector<Statistics::Count>& counts) {
  Table table({{"LETTERS", true}, {"UNRESOLVED", true}, {title}});
  for (std::size_t i = 0; i < std::min(counts.size(), kShownNames); ++i) {
    table.add({grouped(counts[i].letters), grouped(counts[i].unresolved), handler_name(counts[i].name)});
  }
  std::string text = table.render(command.streams().out_terminal);
  if (counts.size() > kShownNames) {
    text += "and " + counted(static_cast<std::int64_t>(counts.size() - kShownNames), "other") +
            ", which --json has\n";
  }
  command.print(text + "\n");
}

void print_days(Command& command, const std::vector<Statistics::Day>& days) {
  const std::size_t first = days.size() - std::min(days.size(), kShownDays);
  std::int64_t most = 1;
  for (std::size_t i = first; i < days.size(); ++i) most = std::max(most, days[i].letters);
  Table table({{"LETTERS", true}, {"UNRESOLVED", true}, {"DAY"}, {""}});
  for (std::size_t i = first; i < days.size(); ++i) {
    const auto length = static_cast<std::size_t>(days[i].letters * static_cast<std::int64_t>(kBar) / most);
    table.add({grouped(days[i].letters), grouped(days[i].unresolved), day_name(days[i].begin),
               std::string(std::max<std::size_t>(length, 1), '#')});
  }
  command.print(table.render(command.streams().out_terminal));
}

/// Counters know neither causes nor what became of letters. Nullopt: a filter asks for what they do not know.
std::optional<deadletter::RateFilter> rate_filter(const deadletter::Filter& filter) {
  const deadletter::RateFilter known{.service = filter.service,
                                     .event_type = filter.event_type,
                                     .handler = filter.handler,
                                     .since = filter.since,
                                     .until = filter.until};
  const bool more = filter.fingerprint || filter.correlation_id || filter.event_id || filter.foreign_id ||
                    filter.reason || filter.resolved || filter.ids || !filter.where.empty() ||
                    !filter.fields.empty() || filter.marked || filter.running;
  return more ? std::nullopt : std::optional(known);
}

std::string duration_text(std::optional<std::chrono::microseconds> duration) {
  if (!duration) return "-";
  if (*duration >= std::chrono::seconds(1)) return grouped(duration->count() / 1'000'000) + " s";
  if (*duration >= std::chrono::milliseconds(1)) return grouped(duration->count() / 1'000) + " ms";
  return grouped(duration->count()) + " us";
}

std::string count_text(std::uint64_t count) { return grouped(static_cast<std::int64_t>(count)); }

void print_rates(Command& command, const deadletter::DeliveryRates& rates) {
  Table table({{"PUBLISHED", true},
               {"HANDLED", true},
               {"FAILED", true},
               {"DEAD", true},
               {"SLOW", true},
               {"P50", true},
               {"P99", true},
               {"EVENT"},
               {"HANDLER"}});
  for (const auto& [service, event_type, handler, counts] : rates.rates) {
    const bool of_type = handler.empty();
    table.add({of_type ? count_text(counts.published) : "", of_type ? "" : count_text(counts.handled),
               of_type ? "" : count_text(counts.failed), count_text(counts.dead),
               of_type ? "" : count_text(counts.slow),
               of_type ? "" : duration_text(duration_quantile(counts.durations, 0.5)),
               of_type ? "" : duration_text(duration_quantile(counts.durations, 0.99)), event_type, handler});
  }
  command.print("\nCounted from " + tools::readable_time(*rates.from) + " to " +
                tools::readable_time(*rates.to) + "\n\n" + table.render(command.streams().out_terminal));
}

/// What the counters say, unless they cannot say it.
void print_counted(Command& command, const std::optional<deadletter::RateFilter>& filter) {
  if (!filter) return;
  const auto rates = command.reader().rates(*filter);
  if (!rates) {
    command.advise("");
    command.advise("No counters: the database is of an older version; start the service, which migrates it");
  } else if (!rates->rates.empty()) {
    print_rates(command, *rates);
  }
}

OrderedJson quantile_to_json(const DurationCounts& durations, double quantile) {
  constexpr double kMicroseconds = 1000;
  const auto duration = duration_quantile(durations, quantile);
  return duration ? OrderedJson(static_cast<double>(duration->count()) / kMicroseconds) : OrderedJson();
}

/// Null where there are no counters.
OrderedJson rates_to_json(Command& command, const std::optional<deadletter::RateFilter>& filter) {
  const auto rates = filter ? command.reader().rates(*filter) : std::nullopt;
  if (!rates) return nullptr;
  OrderedJson list = OrderedJson::array();
  for (const auto& [service, event_type, handler, counts] : rates->rates) {
    list.push_back({{"service", service},
                    {"event_type", event_type},
                    {"handler", handler},
                    {"published", counts.published},
                    {"handled", counts.handled},
                    {"failed", counts.failed},
                    {"dead", counts.dead},
                    {"slow", counts.slow},
                    {"p50_ms", quantile_to_json(counts.durations, 0.5)},
                    {"p99_ms", quantile_to_json(counts.durations, 0.99)}});
  }
  return {{"from", rates->from ? OrderedJson(to_rfc3339(*rates->from)) : OrderedJson()},
          {"to", rates->to ? OrderedJson(to_rfc3339(*rates->to)) : OrderedJson()},
          {"rates", std::move(list)}};
}

OrderedJson counts_to_json(const std::vector<Statistics::Count>& counts) {
  OrderedJson list = OrderedJson::array();
  for (const auto& count : counts) {
    list.push_back({{"name", count.name}, {"letters", count.letters}, {"unresolved", count.unresolved}});
  }
  return list;
}

void print_as_json(Command& command, const Statistics& statistics,
                   const std::optional<deadletter::RateFilter>& counted) {
  OrderedJson days = OrderedJson::array();
  for (const auto& day : statistics.by_day) {
    days.push_back({{"day", day_name(day.begin)}, {"letters", day.letters}, {"unresolved", day.unresolved}});
  }
  command.print_json({{"letters", statistics.letters},
                      {"unresolved", statistics.unresolved},
                      {"by_type", counts_to_json(statistics.by_type)},
                      {"by_handler", counts_to_json(statistics.by_handler)},
                      {"by_service", counts_to_json(statistics.by_service)},
                      {"by_reason", counts_to_json(statistics.by_reason)},
                      {"by_day", std::move(days)},
                      {"counted", rates_to_json(command, counted)}});
}

}  // namespace

ExitStatus run_stats(Command& command) {
  const auto filter = command.filter();
  const auto statistics = command.reader().statistics(filter);
  if (command.line().json) {
    print_as_json(command, statistics, rate_filter(filter));
    return ExitStatus::Ok;
  }
  command.print(counted(statistics.letters, "letter") + ", " + grouped(statistics.unresolved) +
                " unresolved\n");
  if (statistics.letters == 0) {
    print_counted(command, rate_filter(filter));
    say_why_none_match(command);
    return ExitStatus::Ok;
  }
  command.print("\n");
  print_counts(command, "EVENT", statistics.by_type);
  print_counts(command, "HANDLER", statistics.by_handler);
  if (statistics.by_service.size() > 1) print_counts(command, "SERVICE", statistics.by_service);
  print_counts(command, "REASON", statistics.by_reason);
  print_days(command, statistics.by_day);
  print_counted(command, rate_filter(filter));
  command.advise("");
  command.advise("By cause: " + command.self() + " groups" + command.same_filters() + command.same_states());
  return ExitStatus::Ok;
}

}  // namespace tidings::dead_letters
