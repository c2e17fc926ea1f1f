#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::telemetry {

/// A list as OTEL_RESOURCE_ATTRIBUTES and OTEL_EXPORTER_OTLP_HEADERS have it (W3C Baggage, section 3.3.1,
/// without properties): `name=value,name=value`, values percent-encoded, spaces and tabs around them ignored.
struct PairList {
  struct Pair {
    std::string name;
    std::string value;
    /// Among the members, from 1 on.
    std::size_t place;
  };
  std::vector<Pair> pairs;
  /// The places of members that are no `name=value` or whose value has a stray `%`.
  std::vector<std::size_t> bad_members;
};

/// Members that are empty count as places, and are ignored.
[[nodiscard]] PairList parse_pairs(std::string_view text);

/// Nothing for a `%` without two hexadecimal digits behind it.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

/// Whether it may be sent: a token as name, a value without control characters, so that it cannot begin
/// another header, and none of those that the exporter sets itself.
[[nodiscard]] bool is_sendable_header(std::string_view name, std::string_view value);

}  // namespace tidings::telemetry
