#pragma once

#include "sqlite/prepared.hpp"

#include <tidings/journal.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// The columns that `read_event` reads, in its order, for a SELECT from tidings_journal.
inline constexpr std::string_view kEventColumns =
    "id, handlers, event_id, event_type, schema_version, event_data, data_encoding, attributes, source,"
    " correlation_id, causation_id, causation_depth, traceparent, tracestate, published_at,"
    " foreign_id, max_attempts";
inline constexpr int kHandlersColumn = 1;
inline constexpr int kEventIdColumn = 2;

/// The column `handlers`: nullopt if it is not a JSON array of strings.
[[nodiscard]] std::optional<std::vector<std::string>> handlers_from_json(std::string_view text);

/// The event of the current row, without its handlers. A value that cannot be read is left out and named in
/// `problem`.
[[nodiscard]] OwedDelivery read_event(const Prepared& row);

/// The columns that `read_delivery` reads, in its order, for a SELECT from tidings_journal_deliveries.
inline constexpr std::string_view kDeliveryColumns =
    "handler, done, attempts_made, attempts, failed_at, next_attempt_at, crashes";
inline constexpr int kDeliveryHandlerColumn = 0;
inline constexpr int kDoneColumn = 1;

/// The delivery of the current row. A value that cannot be read is left out and named in `problem`.
[[nodiscard]] JournalDelivery read_delivery(const Prepared& row, std::int64_t journal_id,
                                            std::string& problem);

}  // namespace tidings::deadletter
