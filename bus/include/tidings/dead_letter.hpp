#pragma once

#include <tidings/event.hpp>
#include <tidings/metadata.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings {

/// Why a delivery gave up. `to_string` gives the stable name kept in the database.
enum class Reason : std::uint8_t {
  Exhausted,      ///< `exhausted`: every attempt of the policy failed, or its give_up_after passed.
  Permanent,      ///< `permanent`: the handler or its policy said that retrying is useless.
  CausationLoop,  ///< `causation_loop`: events caused events past the bus's depth limit.
  Unhandled,    ///< `unhandled`: nobody subscribes to the type, and the bus keeps such events. The handler is
                ///< empty.
  Shutdown,     ///< `shutdown`: the bus or subscription stopped before the delivery was done.
  Parked,       ///< `parked`: an earlier delivery with the same ordering key is dead.
  Undecodable,  ///< `undecodable`: stored data, or JSON published by type name, does not fit the handler's
                ///< struct; or the journal's row is damaged, or the `ordering_key` function threw for it.
  Crashed,  ///< `crashed`: the process died while this delivery was running: more than once while it alone
            ///< was, or during its redrive.
};

/// All of them, in their order.
inline constexpr std::array kReasons = {Reason::Exhausted,   Reason::Permanent, Reason::CausationLoop,
                                        Reason::Unhandled,   Reason::Shutdown,  Reason::Parked,
                                        Reason::Undecodable, Reason::Crashed};

[[nodiscard]] std::string_view to_string(Reason reason) noexcept;
[[nodiscard]] std::optional<Reason> parse_reason(std::string_view text) noexcept;

/// One failed attempt of a delivery.
struct Attempt {
  Timestamp at;
  std::chrono::microseconds duration{};
  /// The exception's type as C++ spells it, or `unknown` for a value that is not of a class type.
  std::string error_type;
  /// Valid UTF-8 without control characters other than newline and tab, secrets masked, at most 4 KiB.
  std::string error_message;
  /// What its handler had bound: EventContext::bind.
  ContextFields fields = {};
  /// The span that traced it, if any did.
  std::optional<SpanId> span_id = std::nullopt;
  /// The trace of that span, if it is not the event's own (Metadata::traceparent).
  std::optional<TraceId> trace_id = std::nullopt;

  friend bool operator==(const Attempt&, const Attempt&) = default;
};

/// The process in which a delivery failed: what process_identity() says there.
struct FailingProcess {
  /// Empty: not known.
  std::string host = {};
  /// 0: not known.
  std::int64_t pid = 0;
  /// Empty: not known, or the service says none.
  std::string release = {};

  friend bool operator==(const FailingProcess&, const FailingProcess&) = default;
};

/// A delivery that gave up, with everything needed to understand and to repeat it. The table `dead_letters`
/// keeps these fields under these names (docs/schema.md).
struct DeadLetter {
  std::string event_type;
  int schema_version = 1;
  EncodedData data;
  Metadata metadata;
  std::string service;
  /// Empty if the event had no subscriber (Reason::Unhandled).
  std::string handler;
  Reason reason = Reason::Exhausted;
  /// Those of the last attempt; for letters without attempts, tidings' own explanation.
  std::string error_type;
  std::string error_message;
  /// 16 hex digits, equal for failures with one cause: see error_fingerprint().
  std::string error_fingerprint;
  std::optional<std::string> ordering_key;
  Timestamp failed_at{};
  /// Retries after the first attempt.
  std::uint32_t retry_count = 0;
  /// Oldest first. Of more than 100, the first 50 and the last 50 are kept.
  std::vector<Attempt> attempts;
  /// Where the last attempt failed; of a delivery without attempts, where it was given up. Not known of
  /// attempts that another process made before it died.
  FailingProcess process = {};
};

/// Appends to a history: of more than 100 attempts the first 50 and the last 50 are kept.
void append_attempt(std::vector<Attempt>& attempts, Attempt attempt);
/// Records that the letter has failed again: `attempt` becomes its last attempt and its error. A first
/// attempt does not count as a retry.
void add_failed_attempt(DeadLetter& letter, Attempt attempt, Reason reason, Timestamp failed_at);
/// The attempt of a redrive whose process died while the handler ran.
[[nodiscard]] Attempt crashed_attempt(Timestamp began);

/// Groups failures with one cause: FNV-1a over handler, error type and the message with ids, numbers, quoted
/// text, paths' digits and hexadecimal addresses replaced by a placeholder. 16 hex digits. The same in every
/// process and version; a change of the rule is a schema change.
[[nodiscard]] std::string error_fingerprint(std::string_view handler, std::string_view error_type,
                                            std::string_view error_message);

/// One letter as one line of ASCII JSON without the line feed: the format of the spill file and of the last
/// resort on stderr. Payloads in CBOR are in base64. A text that is not UTF-8 is there twice: as readable
/// text, and exactly, in base64 (`ordering_key_base64`). The inverse throws Error(NotDecodable).
[[nodiscard]] std::string to_json_line(const DeadLetter& letter);
[[nodiscard]] DeadLetter parse_json_line(std::string_view text);

}  // namespace tidings
