#pragma once

#include <tidings/deadletter/reader.hpp>
#include <tidings/event.hpp>

#include <SQLiteCpp/Database.h>

#include <string_view>

namespace tidings::deadletter {

/// The SQL condition "the payload of this row has this value at this pointer": its two values are bound.
inline constexpr std::string_view kPayloadCondition = "tidings_payload_has(event_data, data_encoding, ?, ?)";

/// The SQL condition "the payload of this row is encrypted, and not with the key whose envelopes begin so":
/// the beginning is bound twice.
inline constexpr std::string_view kNotUnderKey =
    "data_encoding = 'encrypted' AND substr(CAST(event_data AS BLOB), 1, length(?)) <> CAST(? AS BLOB)";

/// Defines the function of kPayloadCondition in this connection. A payload that cannot be decoded has no
/// value. Throws SQLite::Exception.
void define_payload_condition(SQLite::Database& database);

[[nodiscard]] bool payload_has(const EncodedData& data, std::string_view pointer, std::string_view value);

}  // namespace tidings::deadletter
