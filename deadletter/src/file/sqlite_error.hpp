#pragma once

#include <tidings/error.hpp>

#include <SQLiteCpp/Exception.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace tidings::deadletter {

/// What a result code of SQLite means for letters that were to be stored.
enum class FailureKind : std::uint8_t {
  Busy,      ///< Another connection holds the database: the same call may work later.
  Letter,    ///< This one letter does not fit; others do.
  Database,  ///< The database takes nothing now.
};
[[nodiscard]] FailureKind failure_kind(int sqlite_code) noexcept;

/// A commit failed while it ran: whether it happened will show.
class CommitInDoubt : public SQLite::Exception {
 public:
  /// `of`: what was committed, for the message; `found`: what may be found after a restart, and what to do.
  CommitInDoubt(const SQLite::Exception& cause, std::string of, std::string found)
      : SQLite::Exception(cause), of_(std::move(of)), found_(std::move(found)) {}

  [[nodiscard]] const std::string& of() const noexcept { return of_; }
  [[nodiscard]] const std::string& found() const noexcept { return found_; }

 private:
  std::string of_;
  std::string found_;
};

/// Whether the connection that it came through is to be replaced.
[[nodiscard]] bool makes_suspect(const SQLite::Exception& error) noexcept;

/// Whether a result code says that the file is not a sound database.
[[nodiscard]] bool is_damage(int sqlite_code) noexcept;

/// Whether SQLite had no memory, whatever for.
[[nodiscard]] bool is_short_of_memory(const SQLite::Exception& error) noexcept;

/// What a result code means and what to do about it, in one sentence without a full stop.
[[nodiscard]] std::string explain(int sqlite_code, std::string_view sqlite_message);

/// `text` with control characters as \xNN, so that a path or message can stand on one line of a terminal or
/// log.
[[nodiscard]] std::string printable(std::string_view text);

/// What to do about a damaged database, with the commands for it.
[[nodiscard]] std::string how_to_salvage(const std::filesystem::path& database);

/// What failed, when a database could not even be opened.
inline constexpr const char* kCannotOpen = "cannot open the dead-letter database";

/// An Error about `path`: "<what failed> <path>: <why and what to do>".
[[nodiscard]] Error unusable(std::string_view what_failed, const std::filesystem::path& path,
                             std::string_view why, ErrorCode code = ErrorCode::DatabaseUnusable,
                             int sqlite_code = 0);
/// The same, from SQLite's exception: its code decides ours. Throws std::bad_alloc instead when it says that
/// memory is short, which is no fault of the database's, and no reason to give it up. InDoubt for a
/// CommitInDoubt.
[[nodiscard]] Error unusable(std::string_view what_failed, const std::filesystem::path& path,
                             const SQLite::Exception& cause);

/// For the temporary file of a list of letters.
[[nodiscard]] Error no_temporary_file(const SQLite::Exception& cause);

/// What `work` gives, with SQLite's exceptions as ours.
template <class Work>
std::invoke_result_t<Work> translated(std::string_view what_failed, const std::filesystem::path& path,
                                      Work work) {
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    throw unusable(what_failed, path, error);
  }
}

}  // namespace tidings::deadletter
