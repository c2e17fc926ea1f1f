#include <tidings/deadletter/recovery.hpp>

#include "copies/database_image.hpp"
#include "copies/integrity.hpp"
#include "copies/private_copy.hpp"
#include "copies/vfs_file.hpp"
#include "file/companions.hpp"
#include "file/sqlite_error.hpp"
#include "letters/letter_versions.hpp"
#include "operations/salvage.hpp"
#include "schema/database_file.hpp"
#include "schema/schema.hpp"
#include "store/opening.hpp"

#include <SQLiteCpp/Exception.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <optional>
#include <system_error>

namespace tidings::deadletter {
namespace {

using std::chrono::steady_clock;

constexpr const char* kCannotRecover = "cannot recover the dead-letter database";
constexpr const char* kCannotMake = "cannot make the recovered database";
constexpr std::size_t kMostLost = 100;
constexpr std::size_t kMostDamage = 10;
constexpr std::chrono::hours kAsLongAsItTakes(24);

std::filesystem::path usual_spill(const std::filesystem::path& database) {
  return database.native() + ".spill.jsonl";
}

std::size_t index_of_table(std::string_view name) {
  const auto tables = salvaged_tables();
  const auto found =
      std::find_if(tables.begin(), tables.end(), [&](const auto& table) { return table.name == name; });
  return static_cast<std::size_t>(found - tables.begin());
}

/// One recovery: the private copy of the damaged file on one side, the new database on the other.
class Recovery {
 public:
  Recovery(const std::filesystem::path& copy, const CopyFacts& facts, Connection& target,
           const std::function<void(std::int64_t)>& progress)
      : file_(copy),
        page_size_(facts.page_size),
        image_(file_.bytes(), facts.page_size),
        damaged_(copy, Access::Immutable, "", steady_clock::now() + kAsLongAsItTakes),
        target_(target),
        salvage_(target, progress) {
    report_.pages_from_wal = facts.pages_from_wal;
    report_.header_was_damaged = facts.header_was_damaged;
    is_unread_.resize(std::size_t{image_.pages()} + 1);
  }

  RecoveryReport run() {
    ask();
    if (image_.is_utf8()) read_pages();
    salvage_.commit();
    if (image_.is_utf8()) find_lost_letters();
    count_lost_deliveries();
    count_unread_pages();
    report_.adopted |= !report_.foreign_tables.empty() || report_.foreign_rows > 0;
    report_.tables = std::move(salvage_.rows());
    return std::move(report_);
  }

 private:
  /// Nothing that SQLite says of the damaged file ends the recovery.
  void ask() {
    try {
      // As much of the schema as can be read is used; code in a hostile schema is not run.
      damaged_.execute("PRAGMA writable_schema = ON");
      damaged_.execute("PRAGMA trusted_schema = OFF");
      damaged_.execute("PRAGMA cell_size_check = ON");
    } catch (const SQLite::Exception& error) {
      report_.damage.emplace_back(error.what());
      return;
    }
    look_at_damage();
    salvage_by_queries(damaged_, salvage_);
  }

  void look_at_damage() {
    try {
      SQLite::Statement check(damaged_.database(), "PRAGMA quick_check(10)");
      while (report_.damage.size() < kMostDamage && check.executeStep()) {
        std::string finding = check.getColumn(0).getString();
        if (finding != "ok") report_.damage.push_back(std::move(finding));
      }
    } catch (const SQLite::Exception& error) {
      report_.damage.emplace_back(error.what());
    }
    static_cast<void>(can([&] { report_.adopted = read_meta(damaged_, meta::kOwner) == "application"; }));
    static_cast<void>(can([&] { look_at_mark(); }));
    has_schema_ = can([&] { look_at_schema(); });
  }

  template <class Question>
  static bool can(Question question) {
    try {
      question();
      return true;
    } catch (const SQLite::Exception&) {
      return false;
    }
  }

  /// tidings marks the files that it makes; an application's has another mark or none.
  void look_at_mark() {
    const bool is_ours =
        report_.header_was_damaged || damaged_.integer("PRAGMA application_id") == kApplicationId;
    report_.adopted = report_.adopted || !is_ours;
  }

  /// Where the b-trees begin, of the tables whose rows are saved and of all others.
  void look_at_schema() {
    report_.foreign_tables = foreign_tables(damaged_);
    SQLite::Statement each(damaged_.database(),
                           "SELECT name, type, rootpage FROM sqlite_schema WHERE rootpage > 0");
    while (each.executeStep()) {
      const std::string name = each.getColumn(0).getString();
      const bool is_saved =
          each.getColumn(1).getString() == "table" && index_of_table(name) < salvaged_tables().size();
      (is_saved ? table_roots_ : other_roots_).push_back(each.getColumn(2).getInt64());
    }
    if (table_roots_.empty())
      throw SQLite::Exception("the schema does not name tidings' tables", SQLITE_CORRUPT);
  }

  template <class Take>
  void for_each_page(Take take) {
    const auto free = image_.free_pages();
    for (std::uint32_t page = 1; page <= image_.pages(); ++page) {
      // What was deleted, and perhaps erased on somebody's demand, stays so.
      if (!free[page]) take(page);
    }
  }

  void read_pages() {
    for_each_page([&](std::uint32_t page) {
      const auto unreadable =
          image_.read_page(page, [&](Record record) { take_from_page(std::move(record)); });
      report_.unreadable_entries += static_cast<std::int64_t>(unreadable);
      // The first page is the schema's.
      is_unread_[page] = page > 1 && (unreadable > 0 || !image_.children(page));
    });
  }

  void take_from_page(Record record) {
    const auto tables = salvaged_tables();
    for (std::size_t i = 0; i < tables.size(); ++i) {
      if (take_for_row(tables[i], record))
        return salvage_.take(i, std::move(record.values), SalvageWay::FromPages);
    }
    if (!has_schema_ && record.rowid) take_from_others(record);
  }

  void take_from_others(const Record& record) {
    const auto table = foreign_table_of(record);
    if (!table && !is_of_sqlite(record)) ++report_.foreign_rows;
    auto& names = report_.foreign_tables;
    const bool is_new =
        table && !table->empty() && std::find(names.begin(), names.end(), *table) == names.end();
    if (is_new) names.push_back(*table);
  }

  /// Damage in an index, or in another's table, costs no row of tidings.
  void count_unread_pages() {
    const auto tables = pages_below(table_roots_);
    const auto others = pages_below(other_roots_);
    for (std::uint32_t page = 1; page <= image_.pages(); ++page) {
      if (!is_unread_[page] || image_.is_beside_btrees(page) || (others[page] && !tables[page])) continue;
      ++report_.unread_pages;
    }
    for (const std::int64_t root : table_roots_)
      if (root > image_.pages()) ++report_.unread_pages;
    if (!image_.is_utf8() && !report_.damage.empty()) ++report_.unread_pages;
  }

  [[nodiscard]] std::vector<bool> pages_below(std::vector<std::int64_t> roots) const {
    std::vector<bool> found(std::size_t{image_.pages()} + 1);
    while (!roots.empty()) {
      const std::int64_t root = roots.back();
      roots.pop_back();
      if (root < 2 || root > image_.pages() || found[static_cast<std::size_t>(root)]) continue;
      found[static_cast<std::size_t>(root)] = true;
      const auto below = image_.children(static_cast<std::uint32_t>(root));
      if (below) roots.insert(roots.end(), below->begin(), below->end());
    }
    return found;
  }

  /// The index dead_letters_once has each letter's event, service, handler and number.
  void find_lost_letters() {
    DatabaseImage again(file_.bytes(), page_size_);
    for_each_page([&](std::uint32_t page) {
      again.read_page(page, [&](const Record& record) { look_for_letter(record); });
    });
  }

  void look_for_letter(const Record& record) {
    const auto& values = record.values;
    if (record.rowid || values.size() != 4 || !std::holds_alternative<std::int64_t>(values[3])) return;
    const auto* const event = std::get_if<std::string>(values.data());
    const auto* const service = std::get_if<std::string>(&values[1]);
    const auto* const handler = std::get_if<std::string>(&values[2]);
    if (event == nullptr || service == nullptr || handler == nullptr || !EventId::parse(*event)) return;
    if (salvage_.has_letter(*event, *service, *handler)) return;
    ++report_.lost_letters;
    if (report_.lost.size() >= kMostLost) return;
    report_.lost.push_back({std::get<std::int64_t>(values[3]), *event, *service, *handler});
  }

  /// Without its event nobody can make such a delivery.
  void count_lost_deliveries() {
    const std::string orphaned = "journal_id NOT IN (SELECT id FROM tidings_journal)";
    report_.lost_deliveries =
        target_.integer("SELECT count(*) FROM tidings_journal_deliveries WHERE done = 0 AND " + orphaned);
    report_.lost_events = target_.integer(
        "SELECT count(DISTINCT journal_id) FROM tidings_journal_deliveries WHERE " + orphaned);
    target_.execute("DELETE FROM tidings_journal_deliveries WHERE " + orphaned);
  }

  MappedFile file_;
  std::uint32_t page_size_;
  DatabaseImage image_;
  Connection damaged_;
  Connection& target_;
  Salvage salvage_;
  RecoveryReport report_;
  bool has_schema_ = false;
  std::vector<std::int64_t> table_roots_;
  std::vector<std::int64_t> other_roots_;
  std::vector<bool> is_unread_;  // by page
};

/// Its version, owner and id are its own; the other rows of tidings_meta are to come from the damaged one.
void make_database(const std::filesystem::path& database, const std::filesystem::path& target) {
  make_current({.path = target, .options = {}, .internals = {}}, usual_spill(database));
  Connection connection(target, Access::ReadWrite, "", steady_clock::now() + kAsLongAsItTakes);
  connection.execute("DELETE FROM tidings_meta WHERE key NOT IN ('schema_version', 'owner', 'database_id')");
}

void complete_meta(Connection& target, const std::filesystem::path& database) {
  target.execute(
      "INSERT OR IGNORE INTO tidings_meta VALUES ('created_at', CAST(strftime('%s') AS INTEGER) * 1000000)");
  if (read_meta(target, meta::kSpillPath)) return;
  write_meta(target, meta::kSpillPath, usual_spill(database).native());
}

void require_sound_result(Connection& target, const std::filesystem::path& path) {
  const std::string found = target.text("PRAGMA integrity_check(1)");
  if (found == "ok") return;
  throw unusable(kCannotMake, path,
                 "what was written is not sound (" + printable(found) + "); check the disk");
}

void require_unused(VfsFile& file, const std::filesystem::path& path) {
  const bool in_use = !file.lock() || is_locked_by_anyone(path.native() + "-shm");
  if (!in_use) return;
  throw unusable(kCannotRecover, path,
                 "some process has it open; stop the services that use it, and run this again",
                 ErrorCode::DatabaseBusy);
}

void require_free_target(const std::filesystem::path& database, const std::filesystem::path& target) {
  require_output(kCannotMake, target, {database});
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const std::filesystem::path taken = target.native() + suffix;
    if (!file_exists(taken)) continue;
    throw unusable(kCannotMake, taken, "there is such a file already; give another path",
                   ErrorCode::InvalidArgument);
  }
}

/// Fills the new database, and closes it.
RecoveryReport fill(const std::filesystem::path& database, const ScratchFile& copy, const CopyFacts& facts,
                    const ScratchFile& target, const std::function<void(std::int64_t)>& progress) {
  make_database(database, target.path());
  Connection connection(target.path(), Access::ReadWrite, "", steady_clock::now() + kAsLongAsItTakes);
  target.require_same(connection);
  // Nobody reads it before it is whole, and what makes it so is synced.
  connection.execute("PRAGMA synchronous = OFF");
  RecoveryReport report = Recovery(copy.path(), facts, connection, progress).run();
  complete_meta(connection, database);
  // Of rows of a version that had no numbers.
  connection.execute("BEGIN IMMEDIATE");
  number_letters(connection.database(), std::numeric_limits<std::size_t>::max());
  connection.execute("COMMIT");
  require_sound_result(connection, target.path());
  connection.execute("PRAGMA synchronous = FULL");
  connection.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  return report;
}

void require_something(const RecoveryReport& report, const std::filesystem::path& database) {
  const bool nothing = std::all_of(report.tables.begin(), report.tables.end(),
                                   [](const auto& table) { return table.saved() + table.unusable == 0; });
  if (!nothing || report.lost_letters > 0) return;
  throw unusable(kCannotRecover, database,
                 "nothing in it is tidings'; check the path, or restore a backup with dead-letters restore",
                 ErrorCode::ForeignDatabase);
}

/// The finished file gets its name, if nobody has taken that meanwhile.
void name_result(const std::filesystem::path& finished, const std::filesystem::path& target) {
  if (::link(finished.c_str(), target.c_str()) != 0) {
    throw unusable(kCannotMake, target, errno_text(errno) + "; give another path",
                   errno == EEXIST ? ErrorCode::InvalidArgument : ErrorCode::DatabaseUnusable);
  }
  sync_folder(target.parent_path());
}

void require_file(const std::filesystem::path& path) {
  if (!file_exists(path)) throw unusable(kCannotRecover, path, "there is no such file; check the path");
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(path, unknown))
    throw unusable(kCannotRecover, path, "it is not a regular file; give the path of the database");
}

}  // namespace

const SavedRows& RecoveryReport::of(const std::string& table) const {
  return tables.at(index_of_table(table));
}

bool RecoveryReport::is_whole() const noexcept {
  return lost_letters == 0 && lost_deliveries == 0 && lost_events == 0 && unread_pages == 0 &&
         foreign_tables.empty() && foreign_rows == 0 &&
         std::all_of(tables.begin(), tables.end(),
                     [](const auto& table) { return table.unusable == 0 && table.mended == 0; });
}

std::filesystem::path recovery_target(const std::filesystem::path& path) {
  return path.native() + ".recovered";
}

RecoveryReport recover(const std::filesystem::path& path, const std::filesystem::path& target,
                       const std::function<void(std::int64_t)>& progress) {
  const auto database = resolve_path(path, "dead-letter database");
  const auto result = resolve_path(target, "recovered database");
  require_file(database);
  require_free_target(database, result);
  try {
    VfsFile original(database, "");
    require_unused(original, database);
    const ScratchFile copy(result.native() + ".damaged-copy");
    const CopyFacts facts = copy_damaged(original, wal_path(database), copy);
    ScratchFile finished(result.native() + ".unfinished");
    finished.close();
    RecoveryReport report = fill(database, copy, facts, finished, progress);
    require_something(report, database);
    name_result(finished.path(), result);
    return report;
  } catch (const SQLite::Exception& error) {
    throw unusable(kCannotRecover, database, explain(error.getErrorCode(), error.what()));
  } catch (const std::system_error& error) {
    throw unusable(kCannotMake, result, error.code().message() + "; check its folder and the disk");
  }
}

}  // namespace tidings::deadletter
