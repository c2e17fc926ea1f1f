#include "dead_letters/command.hpp"
#include "dead_letters/long_change.hpp"
#include "text/printable.hpp"

#include <istream>
#include <ostream>
#include <string>

namespace tidings::dead_letters {
namespace {

/// Takes a while for many letters, of which each may have versions.
deadletter::EraseResult count_erasable(Command& command, const deadletter::Filter& filter) {
  const Interruption interruption;
  ProgressLine line(command);
  auto erasable = command.operations().count_erasable(
      filter, {.progress = [&](const auto& progress) { line.show("counted", progress.changed, 0); },
               .stop = [] { return Interruption::requested(); }});
  if (!erasable.progress.complete)
    throw Refusal(ExitStatus::TryAgain, "stopped while counting; nothing was erased");
  return erasable;
}

void require_consent(Command& command, const deadletter::Filter& filter) {
  const CommandLine& line = command.line();
  if (line.yes) return;
  auto& streams = command.streams();
  if (!streams.in_is_terminal || !streams.err_terminal.is_terminal) {
    throw Refusal(ExitStatus::Usage,
                  "erase cannot be undone, and there is no terminal to ask on; say --yes, or look"
                  " first with --dry-run");
  }
  const auto letters = count_erasable(command, filter).progress.changed;
  streams.err << counted(letters, "letter")
              << ", edited versions included, will be deleted for good, from all files. Do it? [y/N] "
              << std::flush;
  std::string answer;
  if (!std::getline(streams.in, answer)) streams.err << "\n";
  if (answer != "y" && answer != "Y" && answer != "yes")
    throw Refusal(ExitStatus::Usage, "nothing was erased");
}

/// Data that is erased besides letters of the database.
std::string and_elsewhere(const deadletter::EraseResult& result) {
  const std::string spilled = grouped(result.spilled) + " in spill files";
  if (result.cleared_reasons == 0) return ", and " + spilled;
  return ", " + spilled + ", and " + counted(result.cleared_reasons, "reason") + " of discards in the audit";
}

/// --where says nothing about them.
void say_what_is_encrypted(Command& command, deadletter::Filter encrypted) {
  if (encrypted.where.empty()) return;
  encrypted.where.clear();
  encrypted.not_under_key = "";  // no key has this name
  const auto letters = command.reader().count(encrypted);
  if (letters == 0) return;
  command.warn(counted(letters, "letter") +
               " with an encrypted payload may hold it too: --where cannot search there; erase those of a "
               "person by --correlation-id, --event-id or number");
}

/// What is out of reach.
void say_what_is_elsewhere(Command& command, const deadletter::Filter& filter,
                           const deadletter::EraseResult& result, const std::vector<std::string>& backups) {
  say_what_is_encrypted(command, filter);
  if (result.journal_events > 0) {
    command.warn(counted(result.journal_events, "event") +
                 " in the journal still to be handled hold it too; erase again when they are done");
  }
  for (const auto& backup : backups) {
    command.warn("a backup may still hold it, and is out of reach: " + tools::printable(backup));
  }
}

/// Everything that still contains erased data, and what to do about it.
void say_what_is_left(Command& command, const deadletter::Filter& filter,
                      const deadletter::EraseResult& result, const std::vector<std::string>& backups) {
  explain_rest(command, result.progress, "erased");
  if (!result.wal_cleared) {
    command.warn(
        "another program reads the database, so that old pages stay in its -wal file; erase again when it"
        " has ended, with the same command");
  }
  say_what_is_elsewhere(command, filter, result, backups);
}

ExitStatus plan_erase(Command& command, const deadletter::Filter& filter) {
  const auto erasable = count_erasable(command, filter);
  const auto backups = command.reader().known_backups();
  Plan plan = plan_of(command, filter);
  plan.letters = erasable.progress.changed;
  plan.running = erasable.progress.running;
  if (command.line().json) {
    OrderedJson json = to_json(command, plan);
    json["spilled"] = erasable.spilled;
    json["cleared_reasons"] = erasable.cleared_reasons;
    json["journal_events"] = erasable.journal_events;
    json["backups"] = backups;
    command.print_json(std::move(json));
    return ExitStatus::Ok;
  }
  print_plan(command, plan, "erased, edited versions included" + and_elsewhere(erasable));
  say_what_is_elsewhere(command, filter, erasable, backups);
  return ExitStatus::Ok;
}

}  // namespace

ExitStatus run_erase(Command& command) {
  const auto filter = command.filter();
  if (command.line().dry_run) return plan_erase(command, filter);
  require_consent(command, filter);
  const Interruption interruption;
  ProgressLine line(command);
  const auto result = run_watched(command, line, "erased", 0, [&](const deadletter::Watch& watch) {
    return command.operations().erase(filter, watch);
  });
  const auto backups = command.reader().known_backups();
  if (command.line().json) {
    command.print_json({{"dry_run", false},
                        {"letters", result.progress.changed},
                        {"spilled", result.spilled},
                        {"cleared_reasons", result.cleared_reasons},
                        {"running", result.progress.running},
                        {"complete", result.progress.complete},
                        {"journal_events", result.journal_events},
                        {"wal_cleared", result.wal_cleared},
                        {"backups", backups}});
  } else {
    command.print(counted(result.progress.changed, "letter") + " erased" + and_elsewhere(result) + ".\n");
  }
  say_what_is_left(command, filter, result, backups);
  const bool left = result.journal_events > 0 || !result.wal_cleared;
  return left ? ExitStatus::TryAgain : status_of(result.progress);
}

}  // namespace tidings::dead_letters
