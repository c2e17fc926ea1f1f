#include "operations/salvage.hpp"

#include "file/sqlite_error.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <utility>

namespace tidings::deadletter {
namespace {

/// Bytes in one transaction: this limits the data that is written twice, once to the -wal file.
constexpr std::size_t kSalvageBatch = 8UL * 1024 * 1024;
constexpr std::size_t kBytesOfARow = 64;

std::string insert_into(const SalvagedTable& table) {
  std::string places = "?";
  for (std::size_t i = 1; i < table.columns.size(); ++i) places += ", ?";
  return "INSERT OR IGNORE INTO main." + std::string(table.name) + " (" +
         column_names(table, table.columns.size()) + ") VALUES (" + places + ")";
}

/// Binds any value.
struct Bind {
  Prepared& row;
  void operator()(std::monostate) const { row.null(); }
  void operator()(std::int64_t value) const { row.integer(value); }
  void operator()(double value) const { row.real(value); }
  void operator()(const std::string& value) const { row.text(value); }
  void operator()(const Blob& value) const { row.blob(value.bytes); }
};

std::size_t size_of_row(const std::vector<StoredValue>& values) {
  std::size_t size = kBytesOfARow;
  for (const auto& value : values) {
    if (const auto* const text = std::get_if<std::string>(&value)) size += text->size();
    if (const auto* const blob = std::get_if<Blob>(&value)) size += blob->bytes.size();
  }
  return size;
}

}  // namespace

Salvage::Salvage(Connection& target, std::function<void(std::int64_t)> progress)
    : target_(target),
      progress_(std::move(progress)),
      find_(target.database(),
            "SELECT 1 FROM main.dead_letters WHERE event_id = ? AND service = ? AND handler = ?") {
  for (const SalvagedTable& table : salvaged_tables()) {
    inserts_.push_back(std::make_unique<Prepared>(target.database(), insert_into(table)));
    rows_.push_back({.table = table.name});
  }
}

void Salvage::take(std::size_t table, std::vector<StoredValue> values, SalvageWay way) {
  SavedRows& counts = rows_[table];
  const RowState state = mend(salvaged_tables()[table], values);
  if (state == RowState::Unusable) return add_unusable(table);
  if (!target_.in_transaction()) target_.execute("BEGIN IMMEDIATE");
  if (!insert(table, values)) return;
  if (state == RowState::Mended) ++counts.mended;
  if (way == SalvageWay::InOrder) ++counts.in_order;
  if (way == SalvageWay::AroundDamage) ++counts.around_damage;
  if (way == SalvageWay::FromPages) ++counts.from_pages;
  ++saved_;
  bytes_ += size_of_row(values);
  if (bytes_ >= kSalvageBatch) commit();
}

bool Salvage::insert(std::size_t table, const std::vector<StoredValue>& values) {
  Prepared& row = *inserts_[table];
  const StatementUse use(row);
  for (const StoredValue& value : values) std::visit(Bind{row}, value);
  try {
    row.step();
  } catch (const SQLite::Exception& error) {
    if (failure_kind(error.getErrorCode()) != FailureKind::Letter) throw;
    add_unusable(table);
    return false;
  }
  return sqlite3_changes(target_.database().getHandle()) > 0;
}

bool Salvage::has_letter(const std::string& event_id, const std::string& service,
                         const std::string& handler) {
  const StatementUse use(find_);
  find_.text(event_id);
  find_.text(service);
  find_.text(handler);
  return find_.step();
}

void Salvage::commit() {
  bytes_ = 0;
  if (!target_.in_transaction()) return;
  target_.execute("COMMIT");
  if (progress_) progress_(saved_);
}

}  // namespace tidings::deadletter
