#pragma once

#include "dead_letters/command_line.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tidings::dead_letters {

/// The command line as it was typed; only the names of options are checked.
struct RawCommandLine {
  Verb verb = Verb::List;
  std::optional<std::string> database;
  bool json = false;
  bool quiet = false;
  bool no_color = false;
  bool reveal = false;
  bool dry_run = false;
  bool yes = false;
  std::vector<std::string> letters;
  std::optional<std::string> event_type;
  std::optional<std::string> handler;
  std::optional<std::string> service;
  std::optional<std::string> reason;
  std::optional<std::string> fingerprint;
  std::optional<std::string> correlation_id;
  std::optional<std::string> foreign_id;
  std::optional<std::string> event_id;
  std::optional<std::string> since;
  std::optional<std::string> until;
  std::vector<std::string> where;
  std::vector<std::string> attributes;
  std::optional<std::string> by;
  bool unresolved = false;
  bool resolved = false;
  bool all = false;
  std::optional<std::string> sort;
  std::optional<std::string> limit;
  std::optional<std::string> after;
  std::optional<std::string> canary;
  std::optional<std::string> rate;
  std::optional<std::string> stop_after;
  std::optional<std::string> timeout;
  bool wait = false;
  std::optional<std::string> note;
  std::vector<std::string> set;
  std::optional<std::string> file;
  /// recover's own way to name the database.
  std::optional<std::string> damaged;
  std::optional<std::string> trace_id;
  std::optional<std::string> older_than;
  std::optional<std::string> confirm;
  bool thorough = false;
  std::optional<std::string> key_file;
  bool add_key = false;
  std::vector<std::string> encrypt;

  /// The filters that were given, each as a shell would take it.
  [[nodiscard]] std::vector<std::string> typed_filters() const;
};

/// Throws Refusal(Usage).
[[nodiscard]] std::variant<RawCommandLine, Information> parse_raw(const std::vector<std::string>& arguments);

}  // namespace tidings::dead_letters
