#include "file/sqlite_error.hpp"

#include <sqlite3.h>

#include <array>
#include <new>

namespace tidings::deadletter {
namespace {

int primary(int sqlite_code) noexcept { return sqlite_code < 0 ? SQLITE_ERROR : sqlite_code & 0xff; }

ErrorCode error_code(int sqlite_code) noexcept {
  switch (primary(sqlite_code)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
      return ErrorCode::DatabaseBusy;
    case SQLITE_NOTADB:
      return ErrorCode::ForeignDatabase;
    default:
      return ErrorCode::DatabaseUnusable;
  }
}

/// Nothing for codes about which there is no more to say than SQLite does.
std::string_view advice(int sqlite_code) noexcept {
  switch (primary(sqlite_code)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process holds the database, or another connection of this one; try again, or end the "
             "long transaction there";
    case SQLITE_INTERRUPT:
      return "the query took longer than its timeout; narrow it, or allow more time";
    case SQLITE_FULL:
      return "the disk is full; free some space";
    case SQLITE_READONLY:
      return "the database cannot be written; check its mode, its folder's mode and how the disk is mounted";
    case SQLITE_IOERR:
      return "the disk reports an error; check the disk and the system's log";
    case SQLITE_CORRUPT:
      return "the database is damaged";
    case SQLITE_NOTADB:
      return "this is not an SQLite database; give another path";
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return "the database or its -wal and -shm files cannot be opened; whoever reads a database that is in "
             "use must be able to write beside it: run as the service's user or group";
    case SQLITE_NOMEM:
      return "there is not enough memory";
    case SQLITE_TOOBIG:
      return "the letter is larger than the database takes in one row";
    case SQLITE_PROTOCOL:
      return "the locks of the database do not work; do not keep it on a network file system";
    default:
      return {};
  }
}

std::string quoted(int sqlite_code, std::string_view sqlite_message) {
  return "(SQLite: " + printable(sqlite_message) + ", code " + std::to_string(sqlite_code) + ")";
}

/// The extended code, where there is one.
int code_of(const SQLite::Exception& error) noexcept {
  return error.getExtendedErrorCode() > 0 ? error.getExtendedErrorCode() : error.getErrorCode();
}

std::string quoted_for_shell(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

}  // namespace

bool is_damage(int sqlite_code) noexcept {
  return primary(sqlite_code) == SQLITE_CORRUPT || primary(sqlite_code) == SQLITE_NOTADB;
}

bool is_short_of_memory(const SQLite::Exception& error) noexcept {
  return primary(error.getErrorCode()) == SQLITE_NOMEM;
}

FailureKind failure_kind(int sqlite_code) noexcept {
  switch (primary(sqlite_code)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return FailureKind::Busy;
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return FailureKind::Letter;
    default:
      return FailureKind::Database;
  }
}

bool makes_suspect(const SQLite::Exception& error) noexcept {
  return dynamic_cast<const CommitInDoubt*>(&error) != nullptr ||
         failure_kind(error.getErrorCode()) == FailureKind::Database;
}

std::string explain(int sqlite_code, std::string_view sqlite_message) {
  std::string text(advice(sqlite_code));
  if (!text.empty()) text += ' ';
  return text + quoted(sqlite_code, sqlite_message);
}

std::string printable(std::string_view text) {
  static constexpr std::array kHex = {'0', '1', '2', '3', '4', '5', '6', '7',
                                      '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      result += c;
    } else {
      result += "\\x";
      result += kHex[byte >> 4U];
      result += kHex[byte & 0x0fU];
    }
  }
  return result;
}

std::string how_to_salvage(const std::filesystem::path& database) {
  const std::string path = quoted_for_shell(printable(database.native()));
  return "stop the services that use it, then put a backup in its place: dead-letters --db " + path +
         " restore BACKUP; or save what can be read: dead-letters recover " + path;
}

Error unusable(std::string_view what_failed, const std::filesystem::path& path, std::string_view why,
               ErrorCode code, int sqlite_code) {
  return {code, std::string(what_failed) + " " + printable(path.native()) + ": " + std::string(why),
          sqlite_code};
}

Error unusable(std::string_view what_failed, const std::filesystem::path& path,
               const SQLite::Exception& cause) {
  const int code = code_of(cause);
  if (const auto* const doubt = dynamic_cast<const CommitInDoubt*>(&cause)) {
    return unusable("in doubt: an error during the commit" + doubt->of() + " in", path,
                    "this process goes on as if it had not happened, but it may be found after a restart" +
                        doubt->found() + ": " + explain(code, cause.what()),
                    ErrorCode::InDoubt, code);
  }
  if (is_short_of_memory(cause)) throw std::bad_alloc();
  std::string why = explain(code, cause.what());
  if (primary(code) == SQLITE_CORRUPT) why += "; " + how_to_salvage(path);
  if (primary(code) == SQLITE_NOTADB) why += "; if it was one, " + how_to_salvage(path);
  if (primary(code) == SQLITE_IOERR) why += "; if it stays so, " + how_to_salvage(path);
  return unusable(what_failed, path, why, error_code(code), code);
}

Error no_temporary_file(const SQLite::Exception& cause) {
  return {ErrorCode::DatabaseUnusable,
          "cannot keep a list of letters in a temporary file; free some space where it is (SQLITE_TMPDIR, "
          "TMPDIR, or else /var/tmp), or name another folder: SQLITE_TMPDIR=/folder " +
              quoted(code_of(cause), cause.what()),
          code_of(cause)};
}

}  // namespace tidings::deadletter
