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

std::int64_t count_purgeable(Command& command, deadletter::Filter filter) {
  filter.running = false;
  return command.operations().count_purgeable(filter);
}

ExitStatus plan_purge(Command& command, deadletter::Filter filter, std::int64_t letters) {
  const CommandLine& line = command.line();
  filter.running = true;
  const Plan plan{.letters = letters, .running = count_of(command, filter)};
  if (line.json) {
    command.print_json(to_json(command, plan));
    return ExitStatus::Ok;
  }
  print_plan(command, plan, "deleted");
  if (line.purge_unresolved && letters > 0)
    command.advise("To do it: the same with --confirm=" + std::to_string(letters));
  return ExitStatus::Ok;
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
  return run_long_change(command, filter, change, "Take it back: " + command.self() + " undo" + undo);
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
  const std::string next = letters == " --all"
                               ? "What is unresolved: " + command.self() + " groups"
                               : "Deliver them again: " + command.self() + " retry" + letters + " --wait";
  return run_long_change(command, filter, change, next);
}

ExitStatus run_purge(Command& command) {
  const CommandLine& line = command.line();
  const auto filter = command.filter();
  const bool counts = line.dry_run || line.purge_unresolved;
  const auto letters = counts ? count_purgeable(command, filter) : 0;
  if (line.dry_run) return plan_purge(command, filter, letters);
  if (line.purge_unresolved && line.confirm != letters) {
    throw Refusal(ExitStatus::Usage, "purge --unresolved deletes " + counted(letters, "letter") +
                                         " that nobody has resolved; if that is right, say --confirm=" +
                                         std::to_string(letters));
  }
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
