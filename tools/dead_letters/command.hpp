#pragma once

#include "dead_letters/command_line.hpp"
#include "dead_letters/exit_status.hpp"
#include "dead_letters/terminal.hpp"

#include <tidings/clock.hpp>
#include <tidings/deadletter/operations.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/logging/redactor.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::dead_letters {

/// Keeps keys in the order of docs/cli-json.md.
using OrderedJson = nlohmann::ordered_json;

/// Where a command reads and writes: data to `out`, messages, progress and advice to `err`.
struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool in_is_terminal = false;
  Terminal out_terminal = {};
  Terminal err_terminal = {};
};

/// One run of one verb: the request, the database, and ways to answer.
class Command {
 public:
  Command(CommandLine line, Streams streams, Timestamp now);

  [[nodiscard]] const CommandLine& line() const noexcept { return line_; }
  [[nodiscard]] Streams& streams() noexcept { return streams_; }
  [[nodiscard]] Timestamp now() const noexcept { return now_; }
  /// Opened at first use. Throws Refusal.
  [[nodiscard]] deadletter::Reader& reader();
  [[nodiscard]] deadletter::Operations& operations();
  /// The keys of --key-file, or else of TIDINGS_KEY_FILE; null if neither names a file. Opened at first use.
  /// Throws Refusal if it cannot be used.
  [[nodiscard]] std::shared_ptr<const PayloadCipher> cipher();

  /// The selected letters, by number if letters or an event were named: they are looked up here. Throws
  /// Refusal(NoInput) for a letter that does not exist, Refusal(Usage) for a beginning that fits several.
  [[nodiscard]] deadletter::Filter filter();
  /// The letter that was named.
  [[nodiscard]] deadletter::StoredLetter letter(const std::string& name);

  /// Data: one line, or several, as they are.
  void print(std::string_view text);
  void print_json(OrderedJson document);
  /// A message for people: what happened, or what to do next. Not with --quiet, nor with --json.
  void advise(std::string_view text);
  /// A message for people, also with --quiet.
  void warn(std::string_view text);

  /// How this program is called for the same database: `dead-letters --db orders.db`.
  [[nodiscard]] std::string self() const;
  /// --all or --resolved, for a next command that shows unresolved letters by default; begins with a space.
  [[nodiscard]] std::string same_states() const;
  /// The filters that were typed, for the next command; begins with a space if there are any.
  [[nodiscard]] std::string same_filters() const;

  /// Untrusted text for one line: secrets masked unless --reveal. Not yet printable.
  [[nodiscard]] std::string masked(std::string_view text) const;
  [[nodiscard]] Json masked_json(Json payload) const;
  [[nodiscard]] const logging::Redactor& redactor() const noexcept { return *redactor_; }

  /// `3m ago`, `2d4h ago`; `just now`.
  [[nodiscard]] std::string ago(Timestamp time) const;
  [[nodiscard]] std::string age(Timestamp time) const;

 private:
  [[nodiscard]] std::int64_t unique_letter(const std::string& name);

  CommandLine line_;
  Streams streams_;
  Timestamp now_;
  std::shared_ptr<const logging::Redactor> redactor_ = logging::default_redactor();
  std::optional<deadletter::Reader> reader_;
  std::optional<deadletter::Operations> operations_;
  std::optional<std::shared_ptr<const PayloadCipher>> cipher_;
};

/// `1 letter`, `12,345 letters`.
[[nodiscard]] std::string counted(std::int64_t count, std::string_view noun);
/// `12,345`.
[[nodiscard]] std::string grouped(std::int64_t number);
/// `1.5 MiB`.
[[nodiscard]] std::string readable_size(std::uint64_t bytes);

/// What kind of failure an Error of the library is, by its code and the database it is about.
[[nodiscard]] ExitStatus status_of(const Error& error, const std::string& database);

/// Each verb: carries out the request and returns the exit status. Throws Refusal and Error.
[[nodiscard]] ExitStatus run_list(Command& command);
[[nodiscard]] ExitStatus run_groups(Command& command);
[[nodiscard]] ExitStatus run_show(Command& command);
[[nodiscard]] ExitStatus run_trace(Command& command);
[[nodiscard]] ExitStatus run_stats(Command& command);
[[nodiscard]] ExitStatus run_retry(Command& command);
[[nodiscard]] ExitStatus run_discard(Command& command);
[[nodiscard]] ExitStatus run_edit(Command& command);
[[nodiscard]] ExitStatus run_undo(Command& command);
[[nodiscard]] ExitStatus run_export(Command& command);
[[nodiscard]] ExitStatus run_import(Command& command);
[[nodiscard]] ExitStatus run_purge(Command& command);
[[nodiscard]] ExitStatus run_erase(Command& command);
[[nodiscard]] ExitStatus run_doctor(Command& command);
[[nodiscard]] ExitStatus run_backup(Command& command);
[[nodiscard]] ExitStatus run_restore(Command& command);
[[nodiscard]] ExitStatus run_recover(Command& command);
[[nodiscard]] ExitStatus run_new_key(Command& command);
[[nodiscard]] ExitStatus run_rekey(Command& command);

}  // namespace tidings::dead_letters
