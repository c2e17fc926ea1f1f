#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidings::logging {

/// How much a record matters. An attempt that will be retried is a Warning, giving up is an Error, and data
/// that only the last resort could save is Critical.
enum class Level : std::uint8_t {
  Trace,
  Debug,
  Info,
  Warning,
  Error,
  Critical,
  Off,  ///< As a threshold: nothing is logged. Not a record's level.
};

/// `trace`, `debug`, `info`, `warning`, `error`, `critical`, `off`: as in the records. The text is static.
[[nodiscard]] std::string_view to_string(Level level) noexcept;
/// Accepts the names above in any case, and `warn`. Returns nullopt for any other text.
[[nodiscard]] std::optional<Level> parse_level(std::string_view text) noexcept;

}  // namespace tidings::logging
