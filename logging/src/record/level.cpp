#include <tidings/logging/level.hpp>

#include "text/ascii.hpp"

#include <array>
#include <cstddef>

namespace tidings::logging {

namespace {

constexpr std::array<std::string_view, 7> kNames = {"trace", "debug",    "info", "warning",
                                                    "error", "critical", "off"};

}  // namespace

std::string_view to_string(Level level) noexcept {
  const auto index = static_cast<std::size_t>(level);
  return index < kNames.size() ? kNames[index] : "off";
}

std::optional<Level> parse_level(std::string_view text) noexcept {
  if (equal_ignoring_case(text, "warn")) return Level::Warning;
  for (std::size_t index = 0; index < kNames.size(); ++index) {
    if (equal_ignoring_case(text, kNames[index])) return static_cast<Level>(index);
  }
  return std::nullopt;
}

}  // namespace tidings::logging
