#include "operations/salvage.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <deque>
#include <limits>
#include <numeric>
#include <optional>

namespace tidings::deadletter {
namespace {

/// Between damaged pages every number may be queried; after this many queries the remaining rows are left to
/// the reading of pages.
constexpr int kMostQuestions = 4'000;
constexpr std::int64_t kFirstNumber = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kLastNumber = std::numeric_limits<std::int64_t>::max();

StoredValue value_in(sqlite3_stmt* row, int column) {
  const auto size = [&] { return static_cast<std::size_t>(sqlite3_column_bytes(row, column)); };
  switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER:
      return static_cast<std::int64_t>(sqlite3_column_int64(row, column));
    case SQLITE_FLOAT:
      return sqlite3_column_double(row, column);
    case SQLITE_TEXT: {
      const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
      return text == nullptr ? std::string() : std::string(text, size());
    }
    case SQLITE_BLOB: {
      const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(row, column));
      return Blob{bytes == nullptr ? std::string() : std::string(bytes, size())};
    }
    default:
      return std::monostate();
  }
}

/// Statements on one table of the damaged database. Any failure of them is damage.
class DamagedTable {
 public:
  DamagedTable(Connection& damaged, std::size_t index, Salvage& salvage)
      : database_(damaged.database().getHandle()), index_(index), salvage_(salvage) {}

  /// False: queries do not find the table.
  [[nodiscard]] bool prepare() {
    // Not a view of that name, which a hostile file might have.
    if (!is_table()) return false;
    for (std::size_t columns = table().columns.size(); columns >= table().oldest_columns; --columns)
      if (prepare(columns)) return true;
    return false;
  }

  void save_in_order() {
    if (table().has_rowid) return save_numbers();
    if (run(up_, SalvageWay::InOrder)) return;
    static_cast<void>(run(down_, SalvageWay::InOrder));
  }

  ~DamagedTable() {
    sqlite3_finalize(up_);
    sqlite3_finalize(down_);
  }
  DamagedTable(const DamagedTable&) = delete;
  DamagedTable& operator=(const DamagedTable&) = delete;

 private:
  struct Range {
    std::int64_t first;
    std::int64_t last;
  };

  [[nodiscard]] const SalvagedTable& table() const noexcept { return salvaged_tables()[index_]; }

  [[nodiscard]] bool is_table() const {
    sqlite3_stmt* statement = nullptr;
    const std::string sql =
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '" + std::string(table().name) + "'";
    const bool found = sqlite3_prepare_v2(database_, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK &&
                       sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_finalize(statement);
    return found;
  }

  [[nodiscard]] bool prepare(std::size_t columns) {
    const std::string key = column_names(table(), table().key_columns);
    const std::string from = "SELECT " + column_names(table(), columns) + " FROM main." + table().name;
    const std::string range = table().has_rowid ? " WHERE " + key + " BETWEEN ?1 AND ?2" : "";
    std::string backwards;
    for (std::size_t i = 0; i < table().key_columns; ++i)
      backwards += (i == 0 ? "" : ", ") + std::string(table().columns[i].name) + " DESC";
    const std::string up = from + range + " ORDER BY " + key;
    const std::string down = from + range + " ORDER BY " + backwards;
    return sqlite3_prepare_v2(database_, up.c_str(), -1, &up_, nullptr) == SQLITE_OK &&
           sqlite3_prepare_v2(database_, down.c_str(), -1, &down_, nullptr) == SQLITE_OK;
  }

  /// Takes rows until the statement ends (true) or meets damage. Keeps the number of the last.
  bool run(sqlite3_stmt* statement, SalvageWay way) {
    last_.reset();
    int result = SQLITE_OK;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
      std::vector<StoredValue> values;
      values.reserve(static_cast<std::size_t>(sqlite3_column_count(statement)));
      for (int i = 0; i < sqlite3_column_count(statement); ++i) values.push_back(value_in(statement, i));
      // Pages that point to each other might yield rows without end, but not in order.
      if (table().has_rowid && !goes_on(statement == up_, std::get<std::int64_t>(values[0]))) break;
      salvage_.take(index_, std::move(values), way);
    }
    sqlite3_reset(statement);
    return result == SQLITE_DONE;
  }

  bool goes_on(bool up, std::int64_t number) {
    if (last_ && (up ? number <= *last_ : number >= *last_)) return false;
    last_ = number;
    return true;
  }

  bool run(sqlite3_stmt* statement, const Range& range, SalvageWay way) {
    sqlite3_bind_int64(statement, 1, range.first);
    sqlite3_bind_int64(statement, 2, range.last);
    return run(statement, way);
  }

  /// The rest of the range when its rows from both ends are saved; nullopt if all are.
  std::optional<Range> save_ends(Range range, SalvageWay way) {
    if (run(up_, range, way)) return std::nullopt;
    if (last_) range.first = *last_ == kLastNumber ? kLastNumber : *last_ + 1;
    if (run(down_, range, way)) return std::nullopt;
    if (last_) range.last = *last_ == kFirstNumber ? kFirstNumber : *last_ - 1;
    if (range.first >= range.last) return std::nullopt;
    return range;
  }

  void save_numbers() {
    std::deque<Range> open;
    if (auto rest = save_ends({kFirstNumber, kLastNumber}, SalvageWay::InOrder)) {
      // tidings numbers from 1.
      if (rest->first == kFirstNumber) rest->first = 1;
      open.push_back(*rest);
    }
    for (int questions = 0; !open.empty() && questions < kMostQuestions; ++questions) {
      const Range range = open.front();
      open.pop_front();
      const std::int64_t middle = std::midpoint(range.first, range.last);
      for (const Range& half : {Range{range.first, middle}, Range{middle + 1, range.last}}) {
        if (half.first > half.last) continue;
        if (const auto rest = save_ends(half, SalvageWay::AroundDamage)) open.push_back(*rest);
      }
    }
  }

  sqlite3* database_;
  std::size_t index_;
  Salvage& salvage_;
  sqlite3_stmt* up_ = nullptr;
  sqlite3_stmt* down_ = nullptr;
  std::optional<std::int64_t> last_;
};

}  // namespace

void salvage_by_queries(Connection& damaged, Salvage& salvage) {
  for (std::size_t i = 0; i < salvaged_tables().size(); ++i) {
    DamagedTable table(damaged, i, salvage);
    if (table.prepare()) table.save_in_order();
  }
}

}  // namespace tidings::deadletter
