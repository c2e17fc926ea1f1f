#include "dead_letters/command.hpp"
#include "dead_letters/long_change.hpp"

#include <string>

namespace tidings::dead_letters {
namespace {

/// The same letters, for the next command.
std::string same_letters(const Command& command) {
  std::string text = command.same_filters();
  for (const auto& name : command.line().letters) text += " " + name;
  return text.empty() ? " --all" : text;
}

/// For list, which takes no letters by number.
std::string named_or_same(const Command& command) {
  return command.line().letters.empty() ? command.same_filters() : "";
}

/// Whether one of the letters to be undone could be delivered by a bus on request.
bool would_be_delivered(Command& command, deadletter::Filter filter) {
  filter.has_handler = true;
  filter.has_payload = true;
  filter.held_back = false;
  const auto page = command.reader().list(filter, 1, {}, deadletter::ListOrder::NewestFirst,
                                          deadletter::LetterParts::Summary);
  return !page.letters.empty();
}

/// It stays, so that its number is not given to another letter.
void explain_newest(Command& command, deadletter::Filter filter) {
  const auto newest = *filter.up_to_id + 1;
  filter.up_to_id.reset();
  filter.ids = {{newest}};
  if (count_of(command, filter) == 0) return;
  command.warn("letter " + std::to_string(newest) +
               " is the newest of the database, and would stay, so that its number is not given again");
}

ExitStatus plan_purge(Command& command, const deadletter::Filter& filter) {
  const Plan plan = plan_of(command, filter);
  if (command.line().json) {
    command.print_json(to_json(command, plan));
    return ExitStatus::Ok;
  }
  print_plan(command, plan, "deleted");
  explain_newest(command, filter);
  if (command.line().purge_unresolved && plan.letters > 0)
    command.advise("To do it: the same with --confirm=" + std::to_string(plan.letters));
  return ExitStatus::Ok;
}

/// Guards against deleting unresolved letters by accident.
void require_right_count(Command& command, deadletter::Filter filter) {
  const CommandLine& line = command.line();
  filter.running = false;
  const auto letters = count_of(command, filter);
  if (line.confirm == letters) return;
  throw Refusal(ExitStatus::Usage,
                "purge --unresolved deletes " + counted(letters, "letter") +
                    " that nobody has resolved; if that is right, say --confirm=" + std::to_string(letters));
}

}  // namespace

ExitStatus run_discard(Command& command) {
  const auto filter = command.filter();
  if (command.line().dry_run) return say_what_would_happen(command, filter, "discarded");
  const LongChange change{.done = "discarded",
                          .nothing = "No unresolved letters match",
                          .run = [&](const deadletter::Filter& chosen, const deadletter::Watch& watch) {
                            return command.operations().discard(chosen, command.line().note, watch);
                          }};
  std::string undo = same_letters(command);
  if (const auto at = undo.find("--letter-reason"); at != std::string::npos) undo.replace(at, 15, "--reason");
  const std::string take_back =
      command.line().letters.empty() ? "Take it back, with earlier discards that match: " : "Take it back: ";
  return run_long_change(command, filter, change, take_back + command.self() + " undo" + undo);
}

ExitStatus run_undo(Command& command) {
  const auto filter = command.filter();
  if (command.line().dry_run) return say_what_would_happen(command, filter, "made unresolved again");
  const LongChange change{.done = "made unresolved again",
                          .nothing = "No discarded letters match",
                          .run = [&](const deadletter::Filter& chosen, const deadletter::Watch& watch) {
                            return command.operations().undo(chosen, watch);
                          }};
  // Unresolved are more than those that were taken back, if no filter says which.
  const std::string letters = same_letters(command);
  const bool all = letters == " --all";
  std::string next =
      "What is unresolved: " + command.self() + (all ? " groups" : " list" + named_or_same(command));
  if (!all && would_be_delivered(command, filter))
    next = "Deliver them again: " + command.self() + " retry" + letters + " --wait";
  return run_long_change(command, filter, change, next);
}

ExitStatus run_purge(Command& command) {
  const CommandLine& line = command.line();
  const auto filter = command.operations().purgeable(command.filter());
  if (line.dry_run) return plan_purge(command, filter);
  if (line.purge_unresolved) require_right_count(command, filter);
  const LongChange change{.done = "deleted",
                          .nothing = line.purge_unresolved ? "No unresolved letters match"
                                                           : "No letters were resolved that long ago",
                          .run = [&](const deadletter::Filter& chosen, const deadletter::Watch& watch) {
                            return command.operations().purge(chosen, watch);
                          }};
  return run_long_change(
      command, filter, change,
      "The newest letter of the database always stays, so that its number is not given again.");
}

}  // namespace tidings::dead_letters
