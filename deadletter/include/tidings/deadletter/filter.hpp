#pragma once

#include <tidings/dead_letter.hpp>
#include <tidings/redrive.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// How a letter was resolved. `reprocessed`, `discarded`, `superseded`.
enum class Resolution : std::uint8_t { Reprocessed, Discarded, Superseded };
[[nodiscard]] std::string_view to_string(Resolution resolution) noexcept;
[[nodiscard]] std::optional<Resolution> parse_resolution(std::string_view text) noexcept;

/// A value inside the payload: what the JSON pointer (RFC 6901; empty: the whole) points at is the text
/// `value`, or is the JSON that `value` spells (`42`, `true`, `"42"`).
struct PayloadValue {
  std::string pointer;
  std::string value;
};

using tidings::FieldValue;

/// Selects the letters of a query; a member that is not set does not restrict. Values are bound as
/// parameters, never put into SQL text. Bus::redrive takes a tidings::LetterFilter instead: the members that
/// every store a bus may have can answer, of the unresolved letters of the bus's own service.
struct Filter {
  std::optional<std::string> event_type = {};
  std::optional<std::string> handler = {};
  std::optional<std::string> service = {};
  std::optional<std::string> fingerprint = {};
  std::optional<std::string> correlation_id = {};
  std::optional<EventId> event_id = {};
  /// The id that another system gave to the event, whatever its source. No letter of a database of version 2
  /// has one.
  std::optional<std::string> foreign_id = {};
  std::optional<Reason> reason = {};
  /// Resolved (true) or unresolved (false).
  std::optional<bool> resolved = {};
  /// failed_at: from, inclusive, and up to, exclusive.
  std::optional<Timestamp> since = {};
  std::optional<Timestamp> until = {};
  /// These letters, by number.
  std::optional<std::vector<std::int64_t>> ids = {};
  /// All of them must hold. Decodes the payload of every letter that the rest chooses.
  std::vector<PayloadValue> where = {};
  /// All of them must hold. Reads the context fields of every letter that the rest chooses.
  std::vector<FieldValue> fields = {};
  std::optional<Resolution> resolution = {};
  /// Resolved before this.
  std::optional<Timestamp> resolved_before = {};
  /// Whether they are marked to be delivered again.
  std::optional<bool> marked = {};
  /// Whether their handler is running now, so that they must not be changed.
  std::optional<bool> running = {};
  /// Whether the payload was kept, and kept whole (not masked), without which a letter cannot be delivered
  /// again.
  std::optional<bool> has_payload = {};
  /// Encrypted, and not with the key of this name.
  std::optional<std::string> not_under_key = {};
  /// Whether the letter has a handler. A letter without one (reason `unhandled`) is never claimed by a bus.
  std::optional<bool> has_handler = {};
  /// Whether a parked letter is held back by an earlier letter of its ordering key that is not marked.
  /// Letters that match `asked_for` count as marked.
  std::optional<bool> held_back = {};
  std::shared_ptr<const Filter> asked_for = {};
  /// Delivered last by this request, a row of tidings_redrives, and failed.
  std::optional<std::int64_t> failed_in_redrive = {};
  /// Numbers up to this one, which leaves out letters that arrive during a long change.
  std::optional<std::int64_t> up_to_id = {};
};

}  // namespace tidings::deadletter
