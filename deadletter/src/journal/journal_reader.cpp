#include "journal/journal_reader.hpp"

#include "file/sqlite_error.hpp"
#include "journal/crash_streak.hpp"
#include "journal/journal_backlog.hpp"
#include "journal/journal_row.hpp"
#include "journal/owner_number.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

namespace tidings::deadletter {
namespace {

// The name between its quotes, as the array has it (JSON escapes no character of a name), finds the few rows
// that are then looked at closely.
std::string scan() {
  return "SELECT " + std::string(kEventColumns) +
         " FROM tidings_journal WHERE id > ?1 AND id <= ?2 AND service = ?3"
         " AND (?4 = '' OR event_type = ?4) AND instr(handlers, ?5) > 0 ORDER BY id";
}
std::string deliveries() {
  return "SELECT " + std::string(kDeliveryColumns) + " FROM tidings_journal_deliveries WHERE journal_id = ?";
}
constexpr const char* kLetter =
    "SELECT 1 FROM dead_letters WHERE event_id = ? AND service = ? AND handler = ?";
constexpr const char* kWasSpilled =
    "SELECT EXISTS (SELECT 1 FROM tidings_spill_imports)"
    " OR EXISTS (SELECT 1 FROM tidings_meta WHERE key = 'letters_without_end')";
constexpr const char* kTotals =
    "SELECT id, service, event_type, handlers, published_at, EXISTS (SELECT 1 FROM"
    " tidings_journal_deliveries WHERE journal_id = tidings_journal.id AND done = 1) FROM tidings_journal "
    "ORDER BY id";
constexpr const char* kHandlers = "SELECT handlers FROM tidings_journal WHERE id = ?";

/// Larger than every id in either table: a number that was in use must not come again while anything under it
/// is left.
constexpr const char* kNextId =
    "SELECT 1 + max(ifnull((SELECT max(id) FROM tidings_journal), 0),"
    " ifnull((SELECT max(journal_id) FROM tidings_journal_deliveries), 0))";

/// Owed deliveries are large to move, and pages are about this long.
constexpr std::size_t kReserved = 1024;

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Totals under (service, event type, handler).
class Totals {
 public:
  void add(std::string_view service, std::string_view event_type, const std::string& handler,
           std::uint64_t deliveries, Timestamp oldest) {
    auto& total = totals_[{std::string(service), std::string(event_type), handler}];
    total.oldest_published_at = total.deliveries == 0 ? oldest : std::min(total.oldest_published_at, oldest);
    total.deliveries += deliveries;
  }

  [[nodiscard]] std::vector<OwedTotal> take() {
    std::vector<OwedTotal> result;
    for (auto& [key, total] : totals_) {
      std::tie(total.service, total.event_type, total.handler) = key;
      result.push_back(std::move(total));
    }
    return result;
  }

 private:
  std::map<std::tuple<std::string, std::string, std::string>, OwedTotal> totals_;
};

/// Events alike in all that a total is about, so that names are made and parsed once for all of them.
struct Alike {
  std::string service;
  std::string event_type;
  std::string handlers;
  std::uint64_t events = 0;
  Timestamp oldest{};
};

/// The event of a row of kTotals.
struct TotalsRow {
  explicit TotalsRow(const Prepared& row)
      : id(row.column_integer(0)),
        service(row.column_text(1)),
        event_type(row.column_text(2)),
        handlers(row.column_text(3)),
        published_at(std::chrono::microseconds(row.column_integer(4))),
        is_done_for_some(row.column_integer(5) != 0) {}

  /// Equal for events that are alike: no two of the three run into each other.
  void write_key(std::string& key) const {
    key.assign(service).append(1, '\0').append(event_type).append(1, '\0').append(handlers);
  }

  std::int64_t id;
  std::string_view service;
  std::string_view event_type;
  std::string_view handlers;
  Timestamp published_at;
  bool is_done_for_some;
};

/// A row whose handlers cannot be read counts for a handler without a name.
std::vector<std::string> names_or_none(std::string_view handlers) {
  return handlers_from_json(handlers).value_or(std::vector<std::string>{""});
}

}  // namespace

JournalReader::JournalReader(const std::filesystem::path& path, const std::string& vfs,
                             std::chrono::milliseconds busy_timeout)
    : busy_timeout_(busy_timeout),
      connection_(path, Access::ReadOnly, vfs, std::chrono::steady_clock::now() + busy_timeout),
      scan_(connection_.database(), scan()),
      deliveries_(connection_.database(), deliveries()),
      letter_(connection_.database(), kLetter),
      owner_number_(connection_.database(), kOwnerNumber) {}

std::int64_t JournalReader::owner_number() {
  wait_from_now();
  const StatementUse use(owner_number_);
  return owner_number_.step() ? owner_number_.column_integer(0) : 0;
}

void JournalReader::wait_from_now() {
  connection_.wait_until(std::chrono::steady_clock::now() + busy_timeout_);
}

std::vector<OwedDelivery> JournalReader::owed(const OwedQuery& query, std::string_view service) {
  wait_from_now();
  const std::string quoted = '"' + std::string(query.handler) + '"';
  const StatementUse use(scan_);
  scan_.integer(query.after);
  scan_.integer(query.up_to);
  scan_.text(service);
  scan_.text(query.event_type);
  scan_.text(quoted);
  std::vector<OwedDelivery> result;
  result.reserve(std::min(query.limit, kReserved));
  while (result.size() < query.limit && scan_.step()) {
    OwedDelivery owed;
    if (read_owed(service, query.handler, owed)) result.push_back(std::move(owed));
  }
  return result;
}

bool JournalReader::read_owed(std::string_view service, std::string_view handler, OwedDelivery& owed) {
  if (!contains(handlers_of_scan(), handler)) return false;
  owed = read_event(scan_);
  owed.handlers = handlers_;
  owed.delivery.journal_id = owed.journal_id;
  owed.delivery.handler = handler;
  add_deliveries(owed);
  if (owed.delivery.done) return false;
  owed.has_letter = has_letter(service, handler);
  if (!owed.problem.empty()) {
    owed.problem = "event " + std::to_string(owed.journal_id) + " of the journal " + owed.problem +
                   "; correct its row, or " + how_to_salvage(path_of(connection_.database()));
  }
  return true;
}

/// Empty for what cannot be read. Most events of a type have the same, and one parse does for many rows.
const std::vector<std::string>& JournalReader::handlers_of_scan() {
  const std::string_view text = scan_.column_text(kHandlersColumn);
  if (text != handlers_text_) {
    handlers_ = handlers_from_json(text).value_or(std::vector<std::string>());
    handlers_text_ = text;
  }
  return handlers_;
}

/// Letter and end of a delivery are one commit, so this can only be so for letters that were spilled, or
/// stored by themselves since that commit had failed.
bool JournalReader::has_letter(std::string_view service, std::string_view handler) {
  if (!was_spilled_) {
    Prepared question(connection_.database(), kWasSpilled);
    was_spilled_ = question.step() && question.column_integer(0) != 0;
  }
  if (!*was_spilled_) return false;
  const StatementUse use(letter_);
  letter_.text(scan_.column_text(kEventIdColumn));
  letter_.text(service);
  letter_.text(handler);
  return letter_.step();
}

void JournalReader::add_deliveries(OwedDelivery& owed) {
  const StatementUse use(deliveries_);
  deliveries_.integer(owed.journal_id);
  while (deliveries_.step()) {
    const std::string_view handler = deliveries_.column_text(kDeliveryHandlerColumn);
    if (deliveries_.column_integer(kDoneColumn) != 0) owed.done.emplace_back(handler);
    if (handler == owed.delivery.handler) {
      owed.delivery = read_delivery(deliveries_, owed.journal_id, owed.problem);
    }
  }
}

std::vector<OwedTotal> JournalReader::owed_totals(std::size_t at_most) {
  wait_from_now();
  Totals totals;
  std::unordered_map<std::string, Alike> alike;
  std::string key;
  Prepared row(connection_.database(), kTotals);
  for (std::size_t events = 0; events < at_most && row.step(); ++events) {
    const TotalsRow event(row);
    if (event.is_done_for_some) {
      for (const std::string& handler : names_or_none(event.handlers)) {
        if (is_done(event.id, handler)) continue;
        totals.add(event.service, event.event_type, handler, 1, event.published_at);
      }
      continue;
    }
    event.write_key(key);
    auto [found, is_new] = alike.try_emplace(key);
    Alike& like = found->second;
    if (is_new) {
      like = {std::string(event.service), std::string(event.event_type), std::string(event.handlers), 0,
              event.published_at};
    }
    ++like.events;
    like.oldest = std::min(like.oldest, event.published_at);
  }
  for (const auto& [ignored, like] : alike) {
    for (const std::string& handler : names_or_none(like.handlers)) {
      totals.add(like.service, like.event_type, handler, like.events, like.oldest);
    }
  }
  return totals.take();
}

JournalStart JournalReader::extent() {
  wait_from_now();
  was_spilled_.reset();  // a bus before this one may have stored letters without the ends of their deliveries
  JournalStart start;
  start.next_id = connection_.integer(kNextId);
  start.events = static_cast<std::uint64_t>(read_backlog(connection_.database()).events);
  return start;
}

std::vector<CrashSuspect> JournalReader::suspects(std::span<const SlotContent> slots) {
  wait_from_now();
  const bool alone = std::all_of(slots.begin(), slots.end(),
                                 [&](const SlotContent& slot) { return slot.thread == slots[0].thread; });
  std::vector<CrashSuspect> result;
  for (const SlotContent& slot : slots) {
    if (slot.journal_id <= 0) continue;
    for (const std::string& handler : handlers_of(slot.journal_id)) {
      if (crash_slot_hash(handler) != slot.handler || is_done(slot.journal_id, handler)) continue;
      const bool known = std::any_of(result.begin(), result.end(), [&](const CrashSuspect& suspect) {
        return suspect.journal_id == slot.journal_id && suspect.handler == handler;
      });
      if (!known) result.push_back({slot.journal_id, handler, alone});
    }
  }
  if (!result.empty()) count_sole_crashes(connection_.database(), slots, result);
  return result;
}

std::vector<std::string> JournalReader::handlers_of(std::int64_t journal_id) {
  Prepared row(connection_.database(), kHandlers);
  row.integer(journal_id);
  if (!row.step()) return {};
  return handlers_from_json(row.column_text(0)).value_or(std::vector<std::string>());
}

bool JournalReader::is_done(std::int64_t journal_id, const std::string& handler) {
  const StatementUse use(deliveries_);
  deliveries_.integer(journal_id);
  while (deliveries_.step()) {
    if (deliveries_.column_text(kDeliveryHandlerColumn) == handler) {
      return deliveries_.column_integer(kDoneColumn) != 0;
    }
  }
  return false;
}

}  // namespace tidings::deadletter
