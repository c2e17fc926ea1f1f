#include "dead_letters/command.hpp"
#include "dead_letters/deliverable.hpp"
#include "dead_letters/table.hpp"
#include "dead_letters/unknown_names.hpp"

#include <algorithm>
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

OrderedJson counts_to_json(const std::vector<Statistics::Count>& counts) {
  OrderedJson list = OrderedJson::array();
  for (const auto& count : counts) {
    list.push_back({{"name", count.name}, {"letters", count.letters}, {"unresolved", count.unresolved}});
  }
  return list;
}

void print_as_json(Command& command, const Statistics& statistics) {
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
                      {"by_day", std::move(days)}});
}

}  // namespace

ExitStatus run_stats(Command& command) {
  const auto statistics = command.reader().statistics(command.filter());
  if (command.line().json) {
    print_as_json(command, statistics);
    return ExitStatus::Ok;
  }
  command.print(counted(statistics.letters, "letter") + ", " + grouped(statistics.unresolved) +
                " unresolved\n");
  if (statistics.letters == 0) {
    say_unknown_names(command);
    return ExitStatus::Ok;
  }
  command.print("\n");
  print_counts(command, "EVENT", statistics.by_type);
  print_counts(command, "HANDLER", statistics.by_handler);
  if (statistics.by_service.size() > 1) print_counts(command, "SERVICE", statistics.by_service);
  print_counts(command, "REASON", statistics.by_reason);
  print_days(command, statistics.by_day);
  command.advise("");
  command.advise("By cause: " + command.self() + " groups" + command.same_filters() + command.same_states());
  return ExitStatus::Ok;
}

}  // namespace tidings::dead_letters
