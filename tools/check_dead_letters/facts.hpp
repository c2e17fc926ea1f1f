#pragma once

#include <tidings/clock.hpp>
#include <tidings/deadletter/reader.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::check_dead_letters {

/// The parts of one letter that are shown: enough to find it again, and no payload.
struct LetterFacts {
  std::int64_t id = 0;
  std::string event_type;
  std::string handler;
  std::string service;
  std::string error_type;
  std::string event_id;
  std::string correlation_id;
  Timestamp failed_at{};

  friend bool operator==(const LetterFacts&, const LetterFacts&) = default;
};

/// The facts about one database. They are about the letters that the command line's filters select.
struct DatabaseFacts {
  std::int64_t unresolved_in_window = 0;
  /// Unresolved letters of any age.
  std::int64_t unresolved = 0;
  /// The unresolved letter that failed first, of any age.
  std::optional<LetterFacts> oldest;
  /// Unresolved in the window by cause, most letters first; secrets masked. Only with -v.
  std::vector<deadletter::Group> groups;
  /// There are more groups than those.
  bool more_groups = false;
  /// The newest unresolved in the window. Only with -vvv.
  std::vector<LetterFacts> newest;
  /// Names in the filters that no unresolved letter has, with similar names. Only with -vvv.
  struct UnknownName {
    std::string what;
    std::string name;
    std::vector<std::string> near;
  };
  std::vector<UnknownName> unknown_names = {};
  /// Bytes of the spill file that wait for import.
  std::uint64_t spill_bytes = 0;
  std::string spill_path;
  /// The paths of all spill files that the database was ever used with.
  std::vector<std::string> spill_paths;
  deadletter::FileSizes sizes;
  /// Durable events that are owed to handlers, whatever the filters.
  deadletter::JournalBacklog journal;
  /// Handlers among them that no bus serves, those with most events first, whatever the filters.
  std::vector<deadletter::UnservedHandler> unserved;
  /// There are more than those.
  bool more_unserved = false;
};

/// Why a database could not be checked.
struct Failure {
  /// A stable name: of an ErrorCode, or `timeout`, `crashed`, `internal`.
  std::string code;
  /// Names the database and says what was wrong and what to do.
  std::string message;
};

/// One database's answer: its facts, unless there is a failure.
struct Answer {
  std::string path;
  std::optional<Failure> failure;
  DatabaseFacts facts;
};

/// An answer that is a failure. A message that does not name the database gets its path in front.
[[nodiscard]] Answer failed_answer(const std::string& path, std::string_view code,
                                   const std::string& message);

/// One answer as text, to pass it between processes of the same program, and back. The inverse throws
/// Error(NotDecodable).
[[nodiscard]] std::string encode_answer(const Answer& answer);
[[nodiscard]] Answer decode_answer(std::string_view text);

}  // namespace tidings::check_dead_letters
