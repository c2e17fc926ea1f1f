#pragma once

#include <tidings/deadletter/operations.hpp>
#include <tidings/deadletter/reader.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tidings::dead_letters {

enum class Verb : std::uint8_t {
  List,
  Groups,
  Show,
  Trace,
  Stats,
  Retry,
  Discard,
  Edit,
  Undo,
  Export,
  Import,
  Purge,
  Erase,
  Doctor,
  Backup,
  Restore,
  Recover,
  NewKey,
  Rekey,
};

/// The command line, checked. Members that a verb does not take have their defaults.
struct CommandLine {
  Verb verb = Verb::List;
  std::string verb_name;
  std::string database;
  /// Whether --db named the database, so that the next command must name it too.
  bool database_was_given = false;
  bool json = false;
  bool quiet = false;
  bool no_color = false;
  bool reveal = false;
  bool dry_run = false;
  bool yes = false;

  /// Letters by number or by the beginning of their event id, as typed.
  std::vector<std::string> letters;
  /// Filters except the letters and --event-id.
  deadletter::Filter filter;
  /// As typed: may be a beginning.
  std::optional<std::string> event_id;
  /// Whether the command line selects letters: by a letter, a filter, or --all.
  bool chooses = false;
  /// The filters as typed, to be repeated in the command that is proposed next.
  std::vector<std::string> typed_filters;

  std::size_t limit = 0;
  std::optional<deadletter::Page::Cursor> after;
  deadletter::ListOrder list_order = deadletter::ListOrder::NewestFirst;
  /// The context field that groups are made by.
  std::optional<std::string> group_by;
  deadletter::GroupOrder group_order = deadletter::GroupOrder::ByCount;

  deadletter::RedriveOptions redrive;
  bool wait = false;
  /// How long --wait waits; nullopt: until the end.
  std::optional<std::chrono::seconds> wait_timeout;

  /// Why letters are discarded.
  std::string note;
  /// edit: pointers and JSON values.
  std::vector<std::pair<std::string, std::string>> changes;
  /// The file of edit, export, import, backup and restore, and the result of recover; empty: none, or a
  /// standard stream.
  std::string file;
  /// trace: a correlation id or a foreign id.
  std::string trace_id;
  bool purge_unresolved = false;
  std::optional<std::int64_t> confirm;
  bool thorough = false;
  /// For payloads that are stored encrypted.
  std::optional<std::string> key_file;
  /// new-key: to a file that has keys.
  bool add_key = false;
  /// rekey: event types.
  std::vector<std::string> encrypt;
};

/// --help or --version: print this, do nothing.
struct Information {
  std::string text;
};

/// The arguments after the program's name. `environment_database` is TIDINGS_DB's value, null when it is not
/// set; `now` is where times such as `2h` count back from. Throws Refusal(Usage) for every mistake, saying
/// which option is wrong and what to write instead.
[[nodiscard]] std::variant<CommandLine, Information> parse_command_line(
    const std::vector<std::string>& arguments, const char* environment_database, Timestamp now);

/// Names of all verbs, in the order of the help.
[[nodiscard]] const std::vector<std::string>& verb_names();

}  // namespace tidings::dead_letters
