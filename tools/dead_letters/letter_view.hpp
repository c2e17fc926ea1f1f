#pragma once

#include "dead_letters/command.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tidings::dead_letters {

/// The state of a letter, in one word: `unresolved`, `waiting` (marked for redrive), `running`,
/// `reprocessed`, `discarded`, `superseded`.
[[nodiscard]] std::string_view state_of(const deadletter::StoredLetter& stored) noexcept;

/// A letter as list and show have it in JSON, without attempts and payload; secrets masked.
[[nodiscard]] OrderedJson letter_to_json(const Command& command, const deadletter::StoredLetter& stored);
/// A letter's payload, decrypted if it has to be; nullopt if there are no keys. Throws Refusal if the key
/// file cannot be used, and Error(NotDecodable).
[[nodiscard]] std::optional<EncodedData> readable_data(Command& command, const DeadLetter& letter);
/// Its event as CloudEvents 1.0; secrets masked; without data if that is encrypted and there are no keys.
/// Null when it breaks the specification, or cannot be decrypted.
[[nodiscard]] OrderedJson event_to_json(Command& command, const deadletter::StoredLetter& stored);
/// Context fields, or what was bound to an attempt; secrets masked.
[[nodiscard]] OrderedJson fields_to_json(const Command& command, const ContextFields& fields);
/// The trace of the span that traced an attempt of the letter; nothing if none did.
[[nodiscard]] std::optional<TraceId> trace_of(const DeadLetter& letter, const Attempt& attempt);
/// Where a tracing tool shows the trace of the last attempt, else that of the event: TIDINGS_TRACE_URL with
/// its
/// `{trace_id}` and `{span_id}` filled in. Nothing if that is not set, is no http address, or has no
/// `{trace_id}`, or if there is no trace.
[[nodiscard]] std::optional<std::string> trace_link(const DeadLetter& letter);
/// Its attempts.
[[nodiscard]] OrderedJson attempts_to_json(const Command& command, const deadletter::StoredLetter& stored);

/// A letter's event as a complete envelope. Throws Error(NotEncodable).
[[nodiscard]] Json envelope_of(const DeadLetter& letter);

[[nodiscard]] OrderedJson group_to_json(const Command& command, const deadletter::Group& group);
/// The event type, or `3 types`.
[[nodiscard]] std::string types_of(const deadletter::Group& group);
/// The error of a group or letter: type and message.
[[nodiscard]] std::string error_text(const Command& command, std::string_view type, std::string_view message);

/// The same in short: only the last name of the type (`type_error`), and no type at all if it is one of the
/// standard library or of tidings, which adds nothing to its message.
[[nodiscard]] std::string cause_text(const Command& command, std::string_view type, std::string_view message);

}  // namespace tidings::dead_letters
