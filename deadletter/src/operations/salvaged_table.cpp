#include "operations/salvaged_table.hpp"

#include "letters/letter_row.hpp"
#include "schema/schema.hpp"

#include <tidings/dead_letter.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/detail/context_json.hpp>
#include <tidings/detail/parse_json.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace tidings::deadletter {
// A namespace for short names in one long list.
namespace salvaging {
namespace {

using enum Mending;

const std::string* text_in(const StoredValue& value) noexcept { return std::get_if<std::string>(&value); }
bool is_null(const StoredValue& value) noexcept { return std::holds_alternative<std::monostate>(value); }

bool integer(const StoredValue& value) { return std::holds_alternative<std::int64_t>(value); }
bool small(const StoredValue& value) {
  const auto* const number = std::get_if<std::int64_t>(&value);
  return number != nullptr && *number >= 0 && *number <= std::numeric_limits<int>::max();
}
bool count(const StoredValue& value) {
  const auto* const number = std::get_if<std::int64_t>(&value);
  return number != nullptr && *number >= 0;
}
bool limit_or_null(const StoredValue& value) {
  const auto* const number = std::get_if<std::int64_t>(&value);
  return is_null(value) || (number != nullptr && *number >= 1 && std::in_range<std::uint32_t>(*number));
}
bool minute(const StoredValue& value) {
  constexpr std::int64_t kMicroseconds = 60'000'000;
  return count(value) && std::get<std::int64_t>(value) % kMicroseconds == 0;
}
bool text(const StoredValue& value) { return text_in(value) != nullptr; }
bool any(const StoredValue&) { return true; }
/// SQLite stores whole numbers of a REAL column as integers.
bool rate(const StoredValue& value) {
  return is_null(value) || integer(value) || std::holds_alternative<double>(value);
}
bool time_or_null(const StoredValue& value) { return is_null(value) || integer(value); }
bool text_or_null(const StoredValue& value) { return is_null(value) || text(value); }

/// A text that `parse` knows.
template <auto Parse>
bool known(const StoredValue& value) {
  return text(value) && static_cast<bool>(Parse(*text_in(value)));
}
template <auto Parse>
bool known_or_null(const StoredValue& value) {
  return is_null(value) || known<Parse>(value);
}

/// A text that `read` accepts.
template <auto Read>
bool readable(const StoredValue& value) {
  if (!text(value)) return false;
  try {
    static_cast<void>(Read(*text_in(value)));
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  } catch (const Error&) {
    return false;
  }
}

std::vector<std::string> names_from_json(std::string_view json) {
  return tidings::detail::parse_json(json).get<std::vector<std::string>>();
}
bool names(const StoredValue& value) { return readable<&names_from_json>(value); }
bool object(const StoredValue& value) { return text(value) && text_in(value)->starts_with('{'); }
bool fingerprint(const StoredValue& value) {
  return text(value) && text_in(value)->size() == 16 &&
         text_in(value)->find_first_not_of("0123456789abcdef") == std::string::npos;
}
bool state(const StoredValue& value) {
  constexpr std::array<std::string_view, 3> kStates = {"open", "stopped", "finished"};
  return text(value) && std::find(kStates.begin(), kStates.end(), *text_in(value)) != kStates.end();
}

constexpr auto* event_id = &known<&EventId::parse>;
constexpr auto* event_id_or_null = &known_or_null<&EventId::parse>;
constexpr auto* name = &known<&is_valid_name>;

constexpr std::array kLetters = {
    SalvagedColumn{"id", &integer},
    SalvagedColumn{"event_id", event_id},
    SalvagedColumn{"event_type", name},
    SalvagedColumn{"schema_version", &small},
    SalvagedColumn{"event_data", &any},
    SalvagedColumn{"data_encoding", &known<&parse_data_encoding>},
    SalvagedColumn{"data_note", &text_or_null, Null},
    SalvagedColumn{"attributes", &readable<&tidings::detail::context_from_json>, EmptyObject},
    SalvagedColumn{"source", &text, EmptyText},
    SalvagedColumn{"handler", &text},
    SalvagedColumn{"service", &text},
    SalvagedColumn{"reason", &known<&parse_reason>},
    SalvagedColumn{"error_type", &text, EmptyText},
    SalvagedColumn{"error_message", &text, EmptyText},
    SalvagedColumn{"error_fingerprint", &fingerprint},
    SalvagedColumn{"correlation_id", &known<&CorrelationId::parse>, OwnEventId},
    SalvagedColumn{"causation_id", event_id_or_null, Null},
    SalvagedColumn{"causation_depth", &small, Zero},
    SalvagedColumn{"traceparent", &known_or_null<&TraceParent::parse>, Null},
    SalvagedColumn{"tracestate", &text_or_null, Null},
    SalvagedColumn{"ordering_key", &text_or_null, Null},
    SalvagedColumn{"published_at", &integer},
    SalvagedColumn{"failed_at", &integer},
    SalvagedColumn{"retry_count", &small, Zero},
    SalvagedColumn{"attempts", &readable<&attempts_from_json>, EmptyList},
    SalvagedColumn{"redrive_requested_at", &time_or_null, Null},
    SalvagedColumn{"claimed_by", &text_or_null, Null},
    SalvagedColumn{"claimed_until", &time_or_null, Null},
    SalvagedColumn{"reprocessed_at", &time_or_null, Null},
    SalvagedColumn{"resolution", &known_or_null<&parse_resolution>, Null},
    SalvagedColumn{"edited_from", event_id_or_null, Null},
    SalvagedColumn{"redrive_id", &time_or_null, Null},
    SalvagedColumn{"redrive_started_at", &time_or_null, Null},
    SalvagedColumn{"resolution_note", &text_or_null, Null},
    SalvagedColumn{"host", &text_or_null, Null},
    SalvagedColumn{"pid", &time_or_null, Null},
    SalvagedColumn{"release", &text_or_null, Null},
    SalvagedColumn{"span_id", &known_or_null<&SpanId::parse>, Null},
    SalvagedColumn{"version", &time_or_null, Null},
    SalvagedColumn{"foreign_id", &text_or_null, Null},
};
constexpr std::size_t kReprocessedAt = 28;
constexpr std::size_t kResolution = 29;
constexpr std::size_t kEventData = 4;
constexpr std::size_t kDataEncoding = 5;
constexpr std::size_t kDataNote = 6;
constexpr std::size_t kVersion = 38;

constexpr std::array kJournal = {
    SalvagedColumn{"id", &integer},
    SalvagedColumn{"event_id", event_id},
    SalvagedColumn{"event_type", name},
    SalvagedColumn{"schema_version", &small},
    SalvagedColumn{"event_data", &any},
    SalvagedColumn{"data_encoding", &known<&parse_data_encoding>},
    SalvagedColumn{"attributes", &readable<&tidings::detail::context_from_json>, EmptyObject},
    SalvagedColumn{"source", &text, EmptyText},
    SalvagedColumn{"service", &text},
    SalvagedColumn{"correlation_id", &known<&CorrelationId::parse>, OwnEventId},
    SalvagedColumn{"causation_id", event_id_or_null, Null},
    SalvagedColumn{"causation_depth", &small, Zero},
    SalvagedColumn{"traceparent", &known_or_null<&TraceParent::parse>, Null},
    SalvagedColumn{"tracestate", &text_or_null, Null},
    SalvagedColumn{"published_at", &integer},
    SalvagedColumn{"handlers", &names},
    SalvagedColumn{"foreign_id", &text_or_null, Null},
    SalvagedColumn{"max_attempts", &limit_or_null, Null},
};

constexpr std::array kDeliveries = {
    SalvagedColumn{"journal_id", &integer},
    SalvagedColumn{"handler", name},
    SalvagedColumn{"done", &small},
    SalvagedColumn{"attempts_made", &small, Zero},
    SalvagedColumn{"attempts", &readable<&attempts_from_json>, EmptyList},
    SalvagedColumn{"failed_at", &time_or_null, Null},
    SalvagedColumn{"next_attempt_at", &time_or_null, Null},
    SalvagedColumn{"crashes", &small, Zero},
};

constexpr std::array kKeys = {
    SalvagedColumn{"source", &text},
    SalvagedColumn{"idempotency_key", &text},
    SalvagedColumn{"event_id", event_id},
    SalvagedColumn{"published_at", &integer},
};

constexpr std::array kSpillImports = {
    SalvagedColumn{"token", event_id},
    SalvagedColumn{"imported_bytes", &integer},
    SalvagedColumn{"letters", &integer},
    SalvagedColumn{"imported_at", &integer},
};

constexpr std::array kUnserved = {
    SalvagedColumn{"service", name},  SalvagedColumn{"event_type", name}, SalvagedColumn{"handler", name},
    SalvagedColumn{"owed", &integer}, SalvagedColumn{"since", &integer},
};

constexpr std::array kRedrives = {
    SalvagedColumn{"id", &integer},
    SalvagedColumn{"requested_at", &integer},
    SalvagedColumn{"requested_by", &text},
    SalvagedColumn{"canary", &time_or_null, Null},
    SalvagedColumn{"rate", &rate, Null},
    SalvagedColumn{"stop_after", &time_or_null, Null},
    SalvagedColumn{"letters", &integer},
    SalvagedColumn{"succeeded", &integer},
    SalvagedColumn{"failed", &integer},
    SalvagedColumn{"state", &state},
    SalvagedColumn{"finished_at", &time_or_null, Null},
};

constexpr std::array kAudit = {
    SalvagedColumn{"id", &integer},
    SalvagedColumn{"at", &integer},
    SalvagedColumn{"user", &text},
    SalvagedColumn{"host", &text},
    SalvagedColumn{"verb", name},
    SalvagedColumn{"filter", &object},
    SalvagedColumn{"letters", &integer},
    SalvagedColumn{"note", &text_or_null, Null},
    SalvagedColumn{"changes", &text_or_null, Null},
};

constexpr std::array kMinutes = {
    SalvagedColumn{"minute", &minute},          SalvagedColumn{"service", name},
    SalvagedColumn{"event_type", name},         SalvagedColumn{"handler", &text},
    SalvagedColumn{"published", &count, Zero},  SalvagedColumn{"handled", &count, Zero},
    SalvagedColumn{"failed", &count, Zero},     SalvagedColumn{"dead", &count, Zero},
    SalvagedColumn{"slow", &count, Zero},       SalvagedColumn{"took_10us", &count, Zero},
    SalvagedColumn{"took_20us", &count, Zero},  SalvagedColumn{"took_50us", &count, Zero},
    SalvagedColumn{"took_100us", &count, Zero}, SalvagedColumn{"took_200us", &count, Zero},
    SalvagedColumn{"took_500us", &count, Zero}, SalvagedColumn{"took_1ms", &count, Zero},
    SalvagedColumn{"took_2ms", &count, Zero},   SalvagedColumn{"took_5ms", &count, Zero},
    SalvagedColumn{"took_10ms", &count, Zero},  SalvagedColumn{"took_20ms", &count, Zero},
    SalvagedColumn{"took_50ms", &count, Zero},  SalvagedColumn{"took_100ms", &count, Zero},
    SalvagedColumn{"took_200ms", &count, Zero}, SalvagedColumn{"took_500ms", &count, Zero},
    SalvagedColumn{"took_1s", &count, Zero},    SalvagedColumn{"took_2s", &count, Zero},
    SalvagedColumn{"took_5s", &count, Zero},    SalvagedColumn{"took_10s", &count, Zero},
    SalvagedColumn{"took_20s", &count, Zero},   SalvagedColumn{"took_50s", &count, Zero},
    SalvagedColumn{"took_100s", &count, Zero},  SalvagedColumn{"took_longer", &count, Zero},
};

constexpr std::array kMeta = {SalvagedColumn{"key", name}, SalvagedColumn{"value", &text}};

/// An index of letters has rows of the same types; none has an event id and a time there.
bool is_idempotency_key(const std::vector<StoredValue>& row) {
  constexpr std::int64_t kYear1973 = 100'000'000'000'000;
  return std::get<std::int64_t>(row[3]) > kYear1973;
}

/// Two texts are a row of many tables.
bool is_meta(const std::vector<StoredValue>& row) {
  const std::string& key = std::get<std::string>(row[0]);
  return key == "schema_version" || key == "created_at" || key.starts_with("spill_") ||
         key.starts_with("owner") || key.starts_with("journal_");
}

constexpr std::array kTables = {
    SalvagedTable{"dead_letters", kLetters, 31, 1, true},
    SalvagedTable{"tidings_journal", kJournal, kJournal.size() - 1, 1, true},
    SalvagedTable{"tidings_journal_deliveries", kDeliveries, kDeliveries.size(), 2, false},
    SalvagedTable{"tidings_idempotency_keys", kKeys, kKeys.size(), 2, false, &is_idempotency_key},
    SalvagedTable{"tidings_spill_imports", kSpillImports, kSpillImports.size(), 1, false},
    SalvagedTable{"tidings_unserved_handlers", kUnserved, kUnserved.size(), 3, false},
    SalvagedTable{"tidings_redrives", kRedrives, kRedrives.size(), 1, true},
    SalvagedTable{"tidings_audit", kAudit, kAudit.size(), 1, true},
    SalvagedTable{"tidings_minutes", kMinutes, kMinutes.size(), 4, false},
    SalvagedTable{"tidings_meta", kMeta, kMeta.size(), 1, false, &is_meta},
};

StoredValue replacement(Mending mending, const std::vector<StoredValue>& values) {
  switch (mending) {
    case None:
    case Null:
      return std::monostate();
    case EmptyText:
      return std::string();
    case EmptyList:
      return std::string("[]");
    case EmptyObject:
      return std::string("{}");
    case Zero:
      return std::int64_t{0};
    case OwnEventId:
      return values[1];
  }
  return std::monostate();
}

/// Conditions that involve several columns of a letter.
bool mend_letter(std::vector<StoredValue>& values) {
  bool mended = false;
  if (is_null(values[kReprocessedAt]) != is_null(values[kResolution])) {
    values[kReprocessedAt] = values[kResolution] = std::monostate();
    mended = true;
  }
  // Rows of older versions have none, and get one when they are inserted.
  if (is_null(values[kVersion])) values[kVersion] = std::int64_t{0};
  const bool says_none = *text_in(values[kDataEncoding]) == to_string(DataEncoding::None);
  if (is_null(values[kEventData]) && !says_none) {
    values[kDataEncoding] = std::string(to_string(DataEncoding::None));
    values[kDataNote] = std::string("the payload was lost when the database was damaged");
    mended = true;
  }
  return mended;
}

}  // namespace
}  // namespace salvaging

std::span<const SalvagedTable> salvaged_tables() noexcept { return salvaging::kTables; }

RowState mend(const SalvagedTable& table, std::vector<StoredValue>& values) {
  values.resize(table.columns.size());
  bool mended = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const SalvagedColumn& column = table.columns[i];
    if (column.fits(values[i])) continue;
    if (column.mending == Mending::None) return RowState::Unusable;
    values[i] = salvaging::replacement(column.mending, values);
    mended = true;
  }
  if (&table == salvaging::kTables.data()) mended |= salvaging::mend_letter(values);
  return mended ? RowState::Mended : RowState::Whole;
}

bool take_for_row(const SalvagedTable& table, Record& record) {
  auto& values = record.values;
  if (record.rowid.has_value() != table.has_rowid || values.size() < table.oldest_columns ||
      values.size() > table.columns.size()) {
    return false;
  }
  // The column that is the row's number is stored as null.
  if (table.has_rowid) {
    if (!salvaging::is_null(values[0])) return false;
    values[0] = *record.rowid;
  }
  values.resize(table.columns.size());
  const auto certain = [&](std::size_t i) {
    return table.columns[i].mending != Mending::None || table.columns[i].fits(values[i]);
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (certain(i)) continue;
    if (table.has_rowid) values[0] = std::monostate();
    return false;
  }
  return table.is_certain == nullptr || table.is_certain(values);
}

std::optional<std::string> foreign_table_of(const Record& record) {
  constexpr std::array<std::string_view, 4> kKinds = {"table", "view", "index", "trigger"};
  const auto& values = record.values;
  if (!record.rowid || values.size() != 5) return std::nullopt;
  const std::string* const kind = salvaging::text_in(values[0]);
  const std::string* const name = salvaging::text_in(values[1]);
  const bool is_schema = kind != nullptr && name != nullptr && salvaging::text(values[2]) &&
                         salvaging::integer(values[3]) &&
                         std::find(kKinds.begin(), kKinds.end(), *kind) != kKinds.end();
  if (!is_schema) return std::nullopt;
  const bool is_foreign = (*kind == "table" || *kind == "view") && !is_own_name(*name);
  return is_foreign ? *name : std::string();
}

/// sqlite_sequence has a table's name and a number; sqlite_stat1 and sqlite_stat4 begin with two names.
bool is_of_sqlite(const Record& record) {
  const auto& values = record.values;
  if (values.size() < 2 || values.size() > 6) return false;
  const std::string* const name = salvaging::text_in(values[0]);
  return name != nullptr && is_own_name(*name) &&
         (values.size() == 2 ? salvaging::integer(values[1]) : salvaging::text_or_null(values[1]));
}

std::string column_names(const SalvagedTable& table, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ", ") + std::string(table.columns[i].name);
  return text;
}

}  // namespace tidings::deadletter
