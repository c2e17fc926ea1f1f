#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidings {

/// The `traceparent` of W3C Trace Context (Recommendation, section 3.2), kept in binary.
struct TraceParent {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> parent_id{};
  std::uint8_t flags = 0;

  /// Bit 0: the caller may have recorded the trace.
  [[nodiscard]] constexpr bool sampled() const noexcept { return (flags & 1U) != 0; }

  /// `VERSION-TRACEID-PARENTID-FLAGS`, lowercase hex. Returns nullopt for all-zero ids, version ff, uppercase
  /// digits, or a version 00 that is not exactly 55 characters long. Of a higher version the first 55
  /// characters are read, provided that the text ends there or `-` follows.
  [[nodiscard]] static std::optional<TraceParent> parse(std::string_view text) noexcept;
  /// Always as version 00, 55 characters, unknown flags cleared.
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] std::string trace_id_text() const;
  [[nodiscard]] std::string parent_id_text() const;

  friend constexpr bool operator==(const TraceParent&, const TraceParent&) noexcept = default;
};

/// The id of a trace: 16 bytes, not all zero.
struct TraceId {
  std::array<std::uint8_t, 16> bytes{};

  /// 32 lowercase hexadecimal digits, not all 0; nullopt for anything else.
  [[nodiscard]] static std::optional<TraceId> parse(std::string_view text) noexcept;
  [[nodiscard]] std::string to_string() const;

  friend constexpr auto operator<=>(const TraceId&, const TraceId&) noexcept = default;
};

/// The id of a span, which is one operation of a trace: 8 bytes, not all zero.
struct SpanId {
  std::array<std::uint8_t, 8> bytes{};

  /// 16 lowercase hexadecimal digits, not all 0; nullopt for anything else.
  [[nodiscard]] static std::optional<SpanId> parse(std::string_view text) noexcept;
  [[nodiscard]] std::string to_string() const;

  friend constexpr auto operator<=>(const SpanId&, const SpanId&) noexcept = default;
};

/// Whether `text` may travel as a `tracestate` header: at most 512 printable ASCII characters (section 3.3).
/// Its list members are passed on unread.
[[nodiscard]] bool is_valid_tracestate(std::string_view text) noexcept;

/// The part of an inbound tracestate that is passed on (W3C Trace Context, section 3.3.1.5): its members
/// without the spaces and tabs around them. If that is more than 512 characters, whole members are removed:
/// those of more than 128 characters first, then from the end. Empty if the rest is not valid.
[[nodiscard]] std::string limited_tracestate(std::string_view text);

}  // namespace tidings
