#include "dead_letters/command.hpp"
#include "dead_letters/deliverable.hpp"
#include "dead_letters/input_file.hpp"
#include "dead_letters/long_change.hpp"
#include "dead_letters/table.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"

#include <tidings/deadletter/recovery.hpp>
#include <tidings/error.hpp>

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace tidings::dead_letters {
namespace {

using deadletter::RecoveryReport;
using deadletter::RestoreReport;

constexpr std::size_t kNamedLost = 20;

std::string word(const std::string& text) { return tools::printable(tools::shell_word(text)); }

/// A file that is to be made and cannot, rather than one that is wrong.
[[noreturn]] void refuse_target(const Error& error, const std::string& target) {
  const bool is_about_target = std::string_view(error.what()).find(target) != std::string_view::npos;
  if (error.code() == ErrorCode::InvalidArgument && is_about_target)
    throw Refusal(ExitStatus::CannotCreate, error.what());
  throw;
}

OrderedJson names_of(const std::vector<std::filesystem::path>& paths) {
  OrderedJson names = OrderedJson::array();
  for (const auto& path : paths) names.push_back(path.native());
  return names;
}

void tell(Command& command, const RestoreReport& report) {
  const CommandLine& line = command.line();
  command.print((line.dry_run ? "Would put " : "Put ") + tools::printable(line.file) + " in the place of " +
                tools::printable(line.database) + ": " + counted(report.letters, "letter") + ", " +
                grouped(report.unresolved) + " unresolved; " + counted(report.journal_events, "event") +
                " owed in the journal.\n");
  for (const auto& path : report.kept) {
    command.print("The old file " + std::string(line.dry_run ? "would be" : "is") + " kept as " +
                  tools::printable(path.native()) + ".\n");
  }
  for (const auto& path : report.spills) {
    if (::access(path.c_str(), F_OK) == 0)
      command.print("The spill file " + tools::printable(path.native()) +
                    " is left: the service imports what it holds.\n");
  }
  if (line.dry_run) return;
  command.advise("Events that were handled since the backup are delivered again when the service starts.");
  command.advise("See what it holds: " + command.self() + " doctor");
}

OrderedJson tables_to_json(const RecoveryReport& report) {
  OrderedJson tables = OrderedJson::array();
  for (const auto& each : report.tables) {
    tables.push_back({{"table", each.table},
                      {"in_order", each.in_order},
                      {"around_damage", each.around_damage},
                      {"from_pages", each.from_pages},
                      {"mended", each.mended},
                      {"unusable", each.unusable}});
  }
  return tables;
}

OrderedJson lost_to_json(const RecoveryReport& report) {
  OrderedJson lost = OrderedJson::array();
  for (const auto& each : report.lost) {
    lost.push_back(
        {{"id", each.id}, {"event_id", each.event_id}, {"service", each.service}, {"handler", each.handler}});
  }
  return lost;
}

void print_json(Command& command, const RecoveryReport& report, const std::string& target) {
  command.print_json({{"database", command.line().database},
                      {"file", target},
                      {"whole", report.is_whole()},
                      {"adopted", report.adopted},
                      {"foreign_tables", report.foreign_tables},
                      {"foreign_rows", report.foreign_rows},
                      {"header_was_damaged", report.header_was_damaged},
                      {"pages_from_wal", report.pages_from_wal},
                      {"damage", report.damage},
                      {"tables", tables_to_json(report)},
                      {"lost_letters", report.lost_letters},
                      {"lost", lost_to_json(report)},
                      {"lost_deliveries", report.lost_deliveries},
                      {"lost_events", report.lost_events},
                      {"unread_pages", report.unread_pages},
                      {"unreadable_entries", report.unreadable_entries}});
}

void print_table(Command& command, const RecoveryReport& report) {
  Table table({{"TABLE"},
               {"IN ORDER", true},
               {"AROUND DAMAGE", true},
               {"FROM PAGES", true},
               {"MENDED", true},
               {"UNUSABLE", true}});
  for (const auto& each : report.tables) {
    table.add({each.table, grouped(each.in_order), grouped(each.around_damage), grouped(each.from_pages),
               grouped(each.mended), grouped(each.unusable)});
  }
  command.print(table.render(command.streams().out_terminal));
}

void tell_lost(Command& command, const RecoveryReport& report) {
  if (report.lost_letters > 0)
    command.warn(counted(report.lost_letters, "letter") +
                 " could not be saved, of which an index still knows:");
  for (std::size_t i = 0; i < report.lost.size() && i < kNamedLost; ++i) {
    const auto& each = report.lost[i];
    command.warn("  letter " + std::to_string(each.id) + ": event " + tools::printable(each.event_id, 40) +
                 ", handler " + tools::printable(handler_name(each.handler), 200) + " of service " +
                 tools::printable(each.service, 200));
  }
  if (report.lost_letters > static_cast<std::int64_t>(kNamedLost))
    command.warn("  and more: --json names the first 100");
  if (report.unread_pages > 0) {
    command.warn(counted(report.unread_pages, "page") +
                 " could not be read that may have held rows: more may be missing than is counted here");
  }
  if (report.lost_events > 0) {
    command.warn(counted(report.lost_events, "event") +
                 " of the journal could not be saved, of which only the record of a delivery was found");
  }
  if (report.lost_deliveries > 0) {
    command.warn("of " + counted(report.lost_deliveries, "owed event") +
                 " only the history of a delivery was found: it cannot be made");
  }
}

void tell(Command& command, const RecoveryReport& report, const std::string& target) {
  for (const auto& damage : report.damage) command.warn("damage: " + tools::printable(damage, 300));
  if (report.header_was_damaged) command.warn("damage: the file's header is not one");
  print_table(command, report);
  tell_lost(command, report);
  if (report.adopted)
    command.warn("it is an application's database: only tidings' own tables were saved, no other");
  for (const auto& table : report.foreign_tables)
    command.warn("  not saved: " + tools::printable(table, 200));
  if (report.foreign_rows > 0)
    command.warn("  not saved: " + counted(report.foreign_rows, "row") + " of tables that cannot be named");
  command.print("Saved " + counted(report.of("dead_letters").saved(), "letter") + " and " +
                counted(report.of("tidings_journal").saved(), "owed event") + " to " +
                tools::printable(target) + ".\n");
  command.advise("The damaged files are as they were. Look at what was saved: dead-letters --db " +
                 word(target) + " groups");
  if (report.adopted) {
    command.advise(
        "restore does not put it in the place of the old. Mend the old database, or put a backup of "
        "it in its place; then take the letters over: dead-letters --db " +
        word(target) + " export -o letters.jsonl; dead-letters --db " + word(command.line().database) +
        " import letters.jsonl");
    return;
  }
  command.advise("Then put it in the place of the old: dead-letters --db " + word(command.line().database) +
                 " restore " + word(target));
}

}  // namespace

ExitStatus run_restore(Command& command) {
  const CommandLine& line = command.line();
  require_regular(line.file);
  const auto report =
      deadletter::restore(line.file, line.database, {.dry_run = line.dry_run, .now = command.now()});
  if (!line.json) {
    tell(command, report);
    return ExitStatus::Ok;
  }
  command.print_json({{"dry_run", line.dry_run},
                      {"file", line.file},
                      {"database", line.database},
                      {"kept", names_of(report.kept)},
                      {"schema_version", report.schema_version},
                      {"bytes", report.bytes},
                      {"letters", report.letters},
                      {"unresolved", report.unresolved},
                      {"journal_events", report.journal_events},
                      {"spills", names_of(report.spills)}});
  return ExitStatus::Ok;
}

ExitStatus run_recover(Command& command) {
  const CommandLine& line = command.line();
  require_regular(line.database);
  const std::string target =
      line.file.empty() ? deadletter::recovery_target(line.database).native() : line.file;
  ProgressLine progress(command);
  RecoveryReport report;
  try {
    report = deadletter::recover(line.database, target,
                                 [&](std::int64_t rows) { progress.show("rows saved", rows, 0); });
  } catch (const Error& error) {
    progress.clear();
    refuse_target(error, std::filesystem::path(target).filename().native());
  }
  progress.clear();
  line.json ? print_json(command, report, target) : tell(command, report, target);
  return report.is_whole() ? ExitStatus::Ok : ExitStatus::Data;
}

}  // namespace tidings::dead_letters
