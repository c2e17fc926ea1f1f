#include "dead_letters/program.hpp"

#include "text/printable.hpp"

#include <algorithm>
#include <exception>
#include <new>
#include <ostream>

namespace tidings::dead_letters {
namespace {

using Run = ExitStatus (*)(Command&);

Run verb_of(Verb verb) {
  switch (verb) {
    case Verb::List:
      return &run_list;
    case Verb::Groups:
      return &run_groups;
    case Verb::Show:
      return &run_show;
    case Verb::Trace:
      return &run_trace;
    case Verb::Stats:
      return &run_stats;
    case Verb::Retry:
      return &run_retry;
    case Verb::Discard:
      return &run_discard;
    case Verb::Edit:
      return &run_edit;
    case Verb::Undo:
      return &run_undo;
    case Verb::Export:
      return &run_export;
    case Verb::Import:
      return &run_import;
    case Verb::Purge:
      return &run_purge;
    case Verb::Erase:
      return &run_erase;
    case Verb::Doctor:
      return &run_doctor;
    case Verb::Backup:
      return &run_backup;
    case Verb::Restore:
      return &run_restore;
    case Verb::Recover:
      return &run_recover;
    case Verb::NewKey:
      return &run_new_key;
    case Verb::Rekey:
      return &run_rekey;
  }
  return nullptr;
}

/// Messages for people go to the standard error; programs that asked for JSON get it where they read.
ExitStatus report(const Streams& streams, bool json, ExitStatus status, const std::string& message) {
  if (json) {
    const OrderedJson document = {
        {"version", 1}, {"error", {{"exit_status", static_cast<int>(status)}, {"message", message}}}};
    streams.out << document.dump(-1, ' ', true, OrderedJson::error_handler_t::replace) << "\n";
  } else {
    streams.out.flush();
    streams.err << "dead-letters: " << styled(streams.err_terminal, Style::Bad, message) << "\n";
  }
  return status;
}

/// With as few allocations as possible.
ExitStatus report_short_memory(const Streams& streams) noexcept {
  try {
    streams.err << "dead-letters: there is not enough memory; what was committed before stays, and the same"
                   " command goes on\n";
  } catch (...) {
    return ExitStatus::TryAgain;  // The exit status says it.
  }
  return ExitStatus::TryAgain;
}

/// Letters that --where would choose if it could read them: what a verb has found, or not found, need not be
/// all. Verbs that delete letters say so themselves, of those that are left.
void say_what_was_not_searched(Command& command) {
  const CommandLine& line = command.line();
  if (line.filter.where.empty() || line.verb == Verb::Erase || line.verb == Verb::Purge) return;
  if (line.quiet || line.json) return;
  auto filter = command.filter();
  filter.where.clear();
  filter.not_under_key = "";  // no key has this name
  const auto letters = command.reader().count(filter);
  if (letters == 0) return;
  command.advise(counted(letters, "letter") + (letters == 1 ? " has" : " have") +
                 " an encrypted payload, in which --where cannot search.");
}

ExitStatus run_command(const CommandLine& line, const Streams& streams, Timestamp now) {
  try {
    Command command(line, streams, now);
    const ExitStatus status = verb_of(line.verb)(command);
    say_what_was_not_searched(command);
    return status;
  } catch (const Refusal& refusal) {
    return report(streams, line.json, refusal.status(), refusal.what());
  } catch (const Error& error) {
    return report(streams, line.json, status_of(error, line.database), error.what());
  }
}

}  // namespace

ExitStatus run(const std::vector<std::string>& arguments, const char* environment_database,
               const Streams& streams, Timestamp now) {
  const bool json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
  try {
    const auto parsed = parse_command_line(arguments, environment_database, now);
    if (const auto* information = std::get_if<Information>(&parsed)) {
      streams.out << information->text;
      return ExitStatus::Ok;
    }
    return run_command(std::get<CommandLine>(parsed), streams, now);
  } catch (const Refusal& refusal) {
    return report(streams, json, refusal.status(), refusal.what());
  } catch (const std::bad_alloc&) {
    return report_short_memory(streams);
  } catch (const std::exception& error) {
    return report(streams, json, ExitStatus::InputOutput, tools::printable(error.what()));
  }
}

}  // namespace tidings::dead_letters
