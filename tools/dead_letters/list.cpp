#include "dead_letters/command.hpp"
#include "dead_letters/deliverable.hpp"
#include "dead_letters/letter_view.hpp"
#include "dead_letters/none_match.hpp"
#include "dead_letters/table.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"
#include "text/time.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tidings::dead_letters {
namespace {

std::string place_after(const deadletter::Page::Cursor& cursor) {
  return std::to_string(cursor.failed_at.time_since_epoch().count()) + "." + std::to_string(cursor.id);
}

/// `waiting 3m` for a letter that a service has not claimed yet.
std::string state_cell(const Command& command, const deadletter::StoredLetter& stored) {
  std::string state(state_of(stored));
  if (state == "waiting") state += " " + command.age(*stored.redrive_requested_at);
  return state;
}

Table table_of(const Command& command, const deadletter::Page& page) {
  const bool various_states = std::any_of(page.letters.begin(), page.letters.end(),
                                          [](const auto& each) { return state_of(each) != "unresolved"; });
  std::vector<Table::Column> columns = {{"LETTER", true}, {"FAILED", true}};
  if (various_states) columns.push_back({"STATE"});
  columns.insert(columns.end(), {{"EVENT"}, {"HANDLER"}, {"ERROR", false, 30}});
  Table table(columns);
  for (const auto& stored : page.letters) {
    const DeadLetter& letter = stored.letter;
    std::vector<std::string> cells = {std::to_string(stored.id), command.ago(letter.failed_at)};
    if (various_states) cells.push_back(state_cell(command, stored));
    cells.insert(cells.end(), {letter.event_type, handler_name(letter.handler),
                               cause_text(command, letter.error_type, letter.error_message)});
    table.add(std::move(cells));
  }
  return table;
}

/// Marked letters that no bus claims, whether they are listed or not.
void warn_of_waiting(Command& command) {
  constexpr std::chrono::seconds kUnclaimedFor(10);
  const auto services = command.reader().idle_services(command.now() - kUnclaimedFor);
  if (services.empty()) return;
  const deadletter::IdleService& first = services.front();
  std::string text = (first.exact ? "" : "More than ") + counted(first.letters, "letter") + " of service " +
                     tools::printable(first.service) + (first.letters == 1 ? " waits" : " wait") + " since " +
                     tools::readable_time(first.since) + " to be delivered again: is it running?";
  if (services.size() > 1)
    text += " So do letters of " + counted(std::ssize(services) - 1, "other service") + ".";
  command.advise(text + " See " + command.self() + " doctor");
}

void say_nothing_found(Command& command) {
  if (command.line().after) {
    command.advise("No more letters.");
  } else if (command.line().filter.since > command.now()) {
    command.advise("No letters match: --since is in the future.");
  } else if (command.line().filter.resolved == false) {
    command.advise("No unresolved letters" +
                   std::string(command.line().typed_filters.empty() ? "." : " match.") +
                   " With --all, resolved ones are shown too.");
  } else {
    command.advise("No letters match.");
  }
}

void say_what_next(Command& command, const deadletter::Page& page) {
  const std::string same = command.same_filters() + command.same_states();
  if (page.next) {
    const bool oldest_first = command.line().list_order == deadletter::ListOrder::OldestFirst;
    command.advise("More: " + command.self() + " list" + same + (oldest_first ? " --sort oldest" : "") +
                   " --limit " + std::to_string(command.line().limit) + " --after " +
                   place_after(*page.next));
  }
  command.advise("One of them: " + command.self() + " show " + std::to_string(page.letters.front().id));
  command.advise("By cause:    " + command.self() + " groups" + same);
}

/// The letters of a cause, among those that were asked for.
deadletter::Filter filter_of(Command& command, const deadletter::Group& group) {
  deadletter::Filter filter = command.filter();
  filter.fingerprint = group.fingerprint;
  return filter;
}

/// The same as options: the cause, the filters that were typed, and the service if others have the cause too.
std::string same_letters(Command& command, const deadletter::Group& group) {
  const auto& line = command.line();
  std::string text = " --fingerprint " + tools::printable(group.fingerprint);
  for (const auto& each : line.typed_filters) {
    if (!each.starts_with("--fingerprint ")) text += " " + tools::printable(each);
  }
  if (!line.filter.service && command.reader().groups(filter_of(command, group), 2).size() > 1)
    text += " --service " + tools::printable(tools::shell_word(group.service));
  return text;
}

/// For discard, whose own --reason is something else.
std::string for_discard(std::string options) {
  const auto at = options.find(" --reason ");
  return at == std::string::npos ? options : options.replace(at, 10, " --letter-reason ");
}

/// The newest that can be delivered; nullopt if all are resolved.
std::optional<deadletter::StoredLetter> newest_unresolved(Command& command, const deadletter::Group& group) {
  deadletter::Filter filter = filter_of(command, group);
  filter.handler = group.handler;
  filter.service = group.service;
  filter.resolved = false;
  auto page = command.reader().list(filter, 1, {}, deadletter::ListOrder::NewestFirst,
                                    deadletter::LetterParts::Summary);
  if (page.letters.empty()) return std::nullopt;
  return std::move(page.letters.front());
}

/// What to do about a cause, judged by its newest unresolved letter.
void say_how_to_end(Command& command, const deadletter::StoredLetter& newest, const std::string& cause) {
  const std::string id = std::to_string(newest.id);
  switch (obstacle_of(command, newest)) {
    case Obstacle::None:
      return command.advise("After the fix:     " + command.self() + " retry" + cause +
                            " --canary 10 --wait");
    case Obstacle::NoHandler:
      command.advise(
          "No handler was subscribed, so that nothing delivers them: subscribe one and publish the"
          " events again.");
      return command.advise("To give them up:   " + command.self() + " discard" + for_discard(cause) +
                            " --reason '...'");
    case Obstacle::NoPayload:
      return command.advise("To give " + id + " a payload: " + command.self() + " edit " + id +
                            " --file FILE");
    case Obstacle::Masked:
      return command.advise("To give them up:   " + command.self() + " discard" + for_discard(cause) +
                            " --reason '...'");
    case Obstacle::HeldBack:
      break;
  }
  if (const auto held_back = command.reader().find_held_back({.ids = {{newest.id}}})) {
    command.advise("They are parked, and wait for earlier letters of their ordering keys; letter " + id +
                   " for " + std::to_string(held_back->behind) + ".");
    command.advise("What goes first:   " + command_for_earlier(command, *held_back));
  }
}

/// Says what to do next about the first cause that a retry would deliver, if there is one.
void say_what_next(Command& command, const std::vector<deadletter::Group>& groups) {
  const deadletter::Group* chosen = nullptr;
  std::optional<deadletter::StoredLetter> newest;
  for (const auto& group : groups) {
    if (command.line().filter.resolved == true) break;
    auto letter = newest_unresolved(command, group);
    if (!letter) continue;
    const bool deliverable = obstacle_of(command, *letter) == Obstacle::None;
    if (chosen != nullptr && !deliverable) continue;
    chosen = &group;
    newest = std::move(letter);
    if (deliverable) break;
  }
  if (chosen == nullptr) chosen = &groups.front();
  const std::string cause = same_letters(command, *chosen);
  command.advise("");
  if (chosen != &groups.front()) {
    command.advise("Of cause " + tools::printable(chosen->fingerprint) + ":");
  } else if (groups.size() > 1) {
    command.advise("Of the first cause:");
  }
  command.advise("The newest letter: " + command.self() + " show " + std::to_string(chosen->newest_id));
  command.advise("All its letters:   " + command.self() + " list" + cause + command.same_states());
  if (newest) say_how_to_end(command, *newest, cause);
}

}  // namespace

ExitStatus run_list(Command& command) {
  const CommandLine& line = command.line();
  const auto page = command.reader().list(command.filter(), line.limit, line.after, line.list_order,
                                          deadletter::LetterParts::Summary);
  if (line.json) {
    OrderedJson letters = OrderedJson::array();
    for (const auto& stored : page.letters) letters.push_back(letter_to_json(command, stored));
    command.print_json({{"letters", std::move(letters)},
                        {"next", page.next ? OrderedJson(place_after(*page.next)) : OrderedJson(nullptr)}});
    return ExitStatus::Ok;
  }
  if (page.letters.empty()) {
    say_nothing_found(command);
    if (!line.after) say_why_none_match(command);
    warn_of_waiting(command);
    return ExitStatus::Ok;
  }
  command.print(table_of(command, page).render(command.streams().out_terminal));
  warn_of_waiting(command);
  say_what_next(command, page);
  return ExitStatus::Ok;
}

namespace {

/// The value as it may be shown; nullopt if there is none.
std::optional<std::string> shown_value(const Command& command, const deadletter::FieldGroup& group) {
  if (!group.value) return std::nullopt;
  const bool hidden = !command.line().reveal && command.redactor().denies(*command.line().group_by);
  return hidden ? "[redacted]" : command.masked(*group.value);
}

void print_field_groups(Command& command, const std::vector<deadletter::FieldGroup>& groups, bool more) {
  const std::string& name = *command.line().group_by;
  Table table({{"LETTERS", true}, {"FIRST", true}, {"LAST", true}, {"VALUE OF " + name}});
  for (const auto& group : groups) {
    table.add({grouped(group.count), command.age(group.first_failed_at), command.age(group.last_failed_at),
               shown_value(command, group).value_or("(none)")});
  }
  command.print(table.render(command.streams().out_terminal));
  if (more) command.advise("There are more values: --limit shows them.");
  const auto first = std::find_if(groups.begin(), groups.end(), [](const auto& each) { return each.value; });
  if (first == groups.end()) {
    return command.advise("None of these letters has a context field " + tools::printable(name) +
                          ". What a handler binds to its attempt is none.");
  }
  if (shown_value(command, *first) != first->value) return;
  command.advise("");
  command.advise("Letters of one value: " + command.self() + " list --attribute " +
                 tools::shell_word(name + "=" + *first->value) + command.same_filters() +
                 command.same_states());
}

ExitStatus run_field_groups(Command& command) {
  const CommandLine& line = command.line();
  const std::size_t asked = line.limit + (line.limit < 10'000 ? 1 : 0);
  auto groups = command.reader().groups_by_field(command.filter(), *line.group_by, asked, line.group_order);
  const bool more = groups.size() > line.limit;
  if (more) groups.pop_back();
  if (line.json) {
    OrderedJson values = OrderedJson::array();
    for (const auto& group : groups) {
      const auto shown = shown_value(command, group);
      values.push_back({{"value", shown ? OrderedJson(*shown) : OrderedJson(nullptr)},
                        {"letters", group.count},
                        {"first_failed_at", to_rfc3339(group.first_failed_at)},
                        {"last_failed_at", to_rfc3339(group.last_failed_at)}});
    }
    command.print_json({{"field", *line.group_by}, {"values", std::move(values)}, {"more", more}});
    return ExitStatus::Ok;
  }
  if (groups.empty()) {
    say_nothing_found(command);
    say_why_none_match(command);
    return ExitStatus::Ok;
  }
  print_field_groups(command, groups, more);
  return ExitStatus::Ok;
}

}  // namespace

ExitStatus run_groups(Command& command) {
  const CommandLine& line = command.line();
  if (line.group_by) return run_field_groups(command);
  auto groups =
      command.reader().groups(command.filter(), line.limit + (line.limit < 10'000 ? 1 : 0), line.group_order);
  const bool more = groups.size() > line.limit;
  if (more) groups.pop_back();
  if (line.json) {
    OrderedJson list = OrderedJson::array();
    for (const auto& group : groups) list.push_back(group_to_json(command, group));
    command.print_json({{"groups", std::move(list)}, {"more", more}});
    return ExitStatus::Ok;
  }
  if (groups.empty()) {
    say_nothing_found(command);
    say_why_none_match(command);
    return ExitStatus::Ok;
  }
  Table table({{"LETTERS", true},
               {"CAUSE"},
               {"FIRST", true},
               {"LAST", true},
               {"EVENT"},
               {"HANDLER"},
               {"ERROR", false, 40}});
  for (const auto& group : groups) {
    table.add({grouped(group.count), group.fingerprint, command.age(group.first_failed_at),
               command.age(group.last_failed_at), types_of(group), handler_name(group.handler),
               cause_text(command, group.error_type, group.sample_error)});
  }
  command.print(table.render(command.streams().out_terminal));
  if (more) command.advise("There are more causes: --limit shows them.");
  say_what_next(command, groups);
  return ExitStatus::Ok;
}

}  // namespace tidings::dead_letters
