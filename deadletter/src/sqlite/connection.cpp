#include "sqlite/connection.hpp"

#include "file/claim_life.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <thread>

namespace tidings::deadletter {
namespace {

/// Virtual machine instructions between two checks of the clock: about a millisecond.
constexpr int kInstructionsBetweenChecks = 20'000;

/// A path as a URI path, where only what URIs give a meaning needs escaping.
std::string uri_path(std::string_view path) {
  std::string uri;
  for (const char c : path) {
    if (c == '%') {
      uri += "%25";
    } else if (c == '?') {
      uri += "%3f";
    } else if (c == '#') {
      uri += "%23";
    } else {
      uri += c;
    }
  }
  return uri;
}

std::string name_of(const std::filesystem::path& path, Access access) {
  if (access != Access::Immutable) return path.native();
  return "file://" + uri_path(path.native()) + "?immutable=1";
}

int flags_of(Access access) noexcept {
  constexpr int kAlways = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  if (access == Access::ReadWrite) return kAlways | SQLITE_OPEN_READWRITE;
  return kAlways | SQLITE_OPEN_READONLY | (access == Access::Immutable ? SQLITE_OPEN_URI : 0);
}

}  // namespace

Connection::Connection(const std::filesystem::path& path, Access access, const std::string& vfs,
                       Deadline deadline)
    : deadline_(deadline), database_(name_of(path, access), flags_of(access), 0, vfs) {
  sqlite3_extended_result_codes(database_.getHandle(), 1);
  sqlite3_busy_handler(database_.getHandle(), &Connection::wait_for_lock, this);
  // Sorting must not use temporary files on disk: they would hold payloads outside of the files protected by
  // their modes.
  execute("PRAGMA temp_store = MEMORY");
  ClaimJudge::define_on(database_, ClaimJudge(path));
  if (access != Access::ReadWrite) return;
  execute("PRAGMA synchronous = FULL");
  execute("PRAGMA secure_delete = ON");
}

Connection::~Connection() {
  if (not_ours_ && not_ours_())
    sqlite3_db_config(database_.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void Connection::interrupt_at_deadline() {
  sqlite3_progress_handler(database_.getHandle(), kInstructionsBetweenChecks, &Connection::past_deadline,
                           this);
}

std::int64_t Connection::integer(const std::string& sql) {
  SQLite::Statement statement(database_, sql);
  return statement.executeStep() ? statement.getColumn(0).getInt64() : 0;
}

std::string Connection::text(const std::string& sql) {
  SQLite::Statement statement(database_, sql);
  return statement.executeStep() ? statement.getColumn(0).getString() : std::string();
}

bool Connection::has_table(const std::string& name) {
  SQLite::Statement statement(database_,
                              "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?");
  statement.bind(1, name);
  return statement.executeStep();
}

bool Connection::in_transaction() const noexcept {
  return sqlite3_get_autocommit(database_.getHandle()) == 0;
}

void Connection::rollback() noexcept {
  if (in_transaction()) static_cast<void>(database_.tryExec("ROLLBACK"));
}

bool Connection::file_moved() const noexcept {
  int moved = 0;
  const int result = sqlite3_file_control(database_.getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return result == SQLITE_OK && moved != 0;
}

bool Connection::has_wal() const noexcept {
  sqlite3_file* log = nullptr;
  const int result = sqlite3_file_control(database_.getHandle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  return result == SQLITE_OK && log != nullptr && log->pMethods != nullptr;
}

bool Connection::read_only() const noexcept {
  return sqlite3_db_readonly(database_.getHandle(), "main") == 1;
}

bool Connection::header_says_wal() const noexcept {
  // The file format's "read version", 2 in WAL mode: https://www.sqlite.org/fileformat2.html, section 1.3.
  constexpr int kOffset = 19;
  constexpr unsigned char kWal = 2;
  sqlite3_file* file = nullptr;
  unsigned char version = 0;
  const int result = sqlite3_file_control(database_.getHandle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  return result == SQLITE_OK && file != nullptr && file->pMethods != nullptr &&
         file->pMethods->xRead(file, &version, 1, kOffset) == SQLITE_OK && version == kWal;
}

std::filesystem::path path_of(SQLite::Database& database) {
  const char* name = sqlite3_db_filename(database.getHandle(), "main");
  return name == nullptr ? "" : name;
}

int Connection::wait_for_lock(void* self, int waits) noexcept {
  // Short at first, for writers that need a millisecond each; never so long that a freed lock stays unused.
  static constexpr std::array<int, 6> kMilliseconds = {1, 1, 2, 3, 5, 8};
  const auto step = std::min<std::size_t>(static_cast<std::size_t>(waits), kMilliseconds.size() - 1);
  const auto left = static_cast<Connection*>(self)->deadline_ - std::chrono::steady_clock::now();
  if (left <= std::chrono::steady_clock::duration::zero()) return 0;
  std::this_thread::sleep_for(
      std::min<std::chrono::steady_clock::duration>(left, std::chrono::milliseconds(kMilliseconds[step])));
  return 1;
}

int Connection::past_deadline(void* self) noexcept {
  return std::chrono::steady_clock::now() >= static_cast<Connection*>(self)->deadline_ ? 1 : 0;
}

}  // namespace tidings::deadletter
