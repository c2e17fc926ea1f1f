#include "erasure.hpp"

#include "audit.hpp"
#include "bulk_change.hpp"
#include "file_system.hpp"
#include "key_set.hpp"
#include "payload_value.hpp"
#include "query.hpp"
#include "schema.hpp"
#include "sqlite_error.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

namespace tidings::deadletter {
namespace {

using std::chrono::steady_clock;

/// What a letter was edited from, and what it was edited into.
class Versions {
 public:
  explicit Versions(Connection& connection)
      : read_(connection.database(),
              "SELECT event_id, coalesce(edited_from, ''), correlation_id FROM dead_letters WHERE id = ?"),
        // Corrected copies have the correlation id of their original: that has an index.
        versions_(connection.database(),
                  "SELECT id FROM dead_letters WHERE event_id = ?1 UNION SELECT id FROM dead_letters"
                  " INDEXED BY dead_letters_by_correlation WHERE correlation_id = ?2 AND edited_from = ?3") {}

  std::vector<std::int64_t> of(std::int64_t id) {
    const StatementUse use(read_);
    read_.bind(1, id);
    std::vector<std::int64_t> ids;
    if (!read_.executeStep()) return ids;
    const StatementUse search(versions_);
    versions_.bind(1, read_.getColumn(1).getString());
    versions_.bind(2, read_.getColumn(2).getString());
    versions_.bind(3, read_.getColumn(0).getString());
    while (versions_.executeStep()) ids.push_back(versions_.getColumn(0).getInt64());
    return ids;
  }

 private:
  SQLite::Statement read_;
  SQLite::Statement versions_;
};

/// Deletes a letter with its other versions.
class VersionEraser {
 public:
  explicit VersionEraser(Connection& connection)
      : versions_(connection),
        delete_(connection, std::string("DELETE FROM dead_letters WHERE id = :id AND NOT ") + kIsRunning) {}

  /// How many letters went; `running` when one that should have is being delivered.
  struct Result {
    std::int64_t erased = 0;
    bool running = false;
  };
  Result erase(std::int64_t id) {
    Result result;
    std::vector<std::int64_t> open = {id};
    while (!open.empty()) {
      const auto current = open.back();
      open.pop_back();
      const auto related = versions_.of(current);
      const auto outcome = delete_.apply(current);
      if (outcome == LetterChange::Outcome::Running) result.running = true;
      if (outcome != LetterChange::Outcome::Changed) continue;
      ++result.erased;
      open.insert(open.end(), related.begin(), related.end());
    }
    return result;
  }

 private:
  Versions versions_;
  GuardedStatement delete_;
};

/// Counts what a VersionEraser would delete.
class VersionCounter {
 public:
  explicit VersionCounter(Connection& connection)
      : versions_(connection),
        is_running_(connection.database(),
                    std::string("SELECT ") + kIsRunning + " FROM dead_letters WHERE id = :id") {}

  void add(std::int64_t id, Progress& progress) {
    std::vector<std::int64_t> open = {id};
    while (!open.empty()) {
      const auto current = open.back();
      open.pop_back();
      const std::string key = std::to_string(current);
      if (seen_.contains(key)) continue;
      const bool running = is_running(current);
      ++(running ? progress.running : progress.changed);
      const auto related = running ? std::vector<std::int64_t>{} : versions_.of(current);
      // Nothing leads to a letter without versions a second time.
      if (running || !related.empty()) seen_.insert(key);
      open.insert(open.end(), related.begin(), related.end());
    }
  }

 private:
  bool is_running(std::int64_t id) {
    const StatementUse use(is_running_);
    is_running_.bind(":id", id);
    bind_boot(is_running_);
    return is_running_.executeStep() && is_running_.getColumn(0).getInt() != 0;
  }

  Versions versions_;
  SQLite::Statement is_running_;
  KeySet seen_;
};

bool matches(const DeadLetter& letter, const Filter& filter) {
  const auto is = [](const auto& wanted, const auto& actual) { return !wanted || *wanted == actual; };
  return is(filter.correlation_id, letter.metadata.correlation_id.to_string()) &&
         is(filter.event_type, letter.event_type) && is(filter.handler, letter.handler) &&
         is(filter.service, letter.service) && is(filter.fingerprint, letter.error_fingerprint) &&
         is(filter.event_id, letter.metadata.event_id) && is(filter.reason, letter.reason) &&
         (!filter.since || letter.failed_at >= *filter.since) &&
         (!filter.until || letter.failed_at < *filter.until) &&
         std::all_of(filter.where.begin(), filter.where.end(), [&](const PayloadValue& each) {
           return payload_has(letter.data, each.pointer, each.value);
         });
}

/// A spill file under its lock. Lines keep their places, since the import counts bytes: an erased one becomes
/// empty lines, which the import passes over.
class LockedSpill {
 public:
  LockedSpill(const std::filesystem::path& path, steady_clock::time_point deadline)
      : path_(path), file_(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) {
    if (!file_ && errno != ENOENT) fail();
    if (file_) lock(deadline);
  }

  std::int64_t erase(const Filter& filter) {
    const auto erased = visit(filter, [this](off_t offset, std::size_t size) { blank(offset, size); });
    if (erased > 0 && ::fsync(file_.get()) != 0) fail();
    return erased;
  }
  [[nodiscard]] std::int64_t count(const Filter& filter) const {
    return visit(filter, [](off_t, std::size_t) {});
  }

 private:
  /// How many letters are meant; of each, where its line is.
  template <class Visitor>
  std::int64_t visit(const Filter& filter, Visitor visitor) const {
    if (!file_) return 0;
    std::int64_t meant = 0;
    for (off_t offset = 0;;) {
      const auto line = read_line(offset);
      if (line.empty()) return meant;
      const auto text = std::string_view(line).substr(0, line.size() - (line.back() == '\n' ? 1 : 0));
      if (is_meant(text, filter)) {
        visitor(offset, text.size());
        ++meant;
      }
      offset += static_cast<off_t>(line.size());
    }
  }

  [[noreturn]] void fail() const {
    throw unusable("cannot erase from the spill file", path_,
                   errno_text(errno) + "; run as the service's user");
  }

  void lock(steady_clock::time_point deadline) const {
    while (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) fail();
      if (steady_clock::now() >= deadline) {
        throw unusable("cannot erase from the spill file", path_, "a service has locked it; try again",
                       ErrorCode::DatabaseBusy);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  /// With its line feed; empty at the end.
  [[nodiscard]] std::string read_line(off_t offset) const {
    std::string line;
    for (;;) {
      char buffer[8192];
      const ssize_t count =
          ::pread(file_.get(), buffer, sizeof buffer, offset + static_cast<off_t>(line.size()));
      if (count < 0) fail();
      const std::string_view text(buffer, static_cast<std::size_t>(count));
      const auto feed = text.find('\n');
      line += text.substr(0, feed == std::string_view::npos ? feed : feed + 1);
      if (count == 0 || feed != std::string_view::npos) return line;
    }
  }

  static bool is_meant(std::string_view line, const Filter& filter) {
    try {
      return matches(parse_json_line(line), filter);
    } catch (const Error&) {
      return false;  // A line that a dying process left unfinished, or one that was erased before.
    }
  }

  void blank(off_t offset, std::size_t size) const {
    const std::string empty_lines(size, '\n');
    for (std::size_t written = 0; written < size;) {
      const ssize_t count = ::pwrite(file_.get(), empty_lines.data() + written, size - written,
                                     offset + static_cast<off_t>(written));
      if (count < 0 && errno != EINTR) fail();
      if (count > 0) written += static_cast<std::size_t>(count);
    }
  }

  const std::filesystem::path& path_;
  Descriptor file_;
};

std::int64_t count_in_journal(Connection& connection, const Filter& filter) {
  if (!filter.where.empty()) define_payload_condition(connection.database());
  std::string sql = "SELECT count(*) FROM tidings_journal WHERE true";
  std::vector<std::string> values;
  const auto add = [&](const char* condition, const std::optional<std::string>& value) {
    if (!value) return;
    sql += condition;
    values.push_back(*value);
  };
  add(" AND correlation_id = ?", filter.correlation_id);
  add(" AND event_type = ?", filter.event_type);
  add(" AND service = ?", filter.service);
  for (const PayloadValue& each : filter.where) {
    sql += " AND " + std::string(kPayloadCondition);
    values.push_back(each.pointer);
    values.push_back(each.value);
  }
  SQLite::Statement row(connection.database(), sql);
  for (std::size_t i = 0; i < values.size(); ++i) row.bind(static_cast<int>(i) + 1, values[i]);
  return row.executeStep() ? row.getColumn(0).getInt64() : 0;
}

}  // namespace

EraseResult erase_letters(Connection& connection, const Actor& actor, const Filter& filter,
                          std::chrono::milliseconds busy_timeout, const Watch& watch) {
  Audit audit(actor, "erase", describe_filter(filter));
  VersionEraser eraser(connection);
  EraseResult result;
  std::int64_t versions = 0;  // Beyond the letters that match themselves.
  std::int64_t in_batch = 0;
  const LetterChange change{.apply =
                                [&](std::int64_t id) {
                                  const auto erased = eraser.erase(id);
                                  in_batch += erased.erased;
                                  if (erased.running) return LetterChange::Outcome::Running;
                                  return erased.erased > 0 ? LetterChange::Outcome::Changed
                                                           : LetterChange::Outcome::Unfitting;
                                },
                            .finish_batch =
                                [&](std::int64_t changed) {
                                  audit.add(connection, in_batch);
                                  versions += in_batch - changed;
                                  in_batch = 0;
                                  return true;
                                }};
  result.progress = change_letters(connection, filter, busy_timeout, change, watch);
  result.progress.changed += versions;
  for (const auto& spill : known_spills(connection)) {
    result.spilled += LockedSpill(spill, steady_clock::now() + busy_timeout).erase(filter);
  }
  result.journal_events = count_in_journal(connection, filter);
  connection.wait_until(steady_clock::now() + busy_timeout);
  // The first column says whether somebody was in the way.
  result.wal_cleared = connection.integer("PRAGMA wal_checkpoint(TRUNCATE)") == 0;
  return result;
}

EraseResult count_erasable(Connection& connection, const Filter& filter,
                           std::chrono::milliseconds busy_timeout) {
  EraseResult result;
  VersionCounter counter(connection);
  auto row = Query(filter).prepare(connection.database(), "id", "");
  while (row.executeStep()) counter.add(row.getColumn(0).getInt64(), result.progress);
  for (const auto& spill : known_spills(connection)) {
    result.spilled += LockedSpill(spill, steady_clock::now() + busy_timeout).count(filter);
  }
  result.journal_events = count_in_journal(connection, filter);
  result.progress.complete = true;
  return result;
}

}  // namespace tidings::deadletter
