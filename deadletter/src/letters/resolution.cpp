#include <tidings/deadletter/reader.hpp>

#include <array>
#include <utility>

namespace tidings::deadletter {
namespace {

constexpr std::array kResolutionNames = {std::pair{Resolution::Reprocessed, std::string_view("reprocessed")},
                                         std::pair{Resolution::Discarded, std::string_view("discarded")},
                                         std::pair{Resolution::Superseded, std::string_view("superseded")}};

}  // namespace

std::string_view to_string(Resolution resolution) noexcept {
  for (const auto& [value, name] : kResolutionNames) {
    if (value == resolution) return name;
  }
  return "unknown";
}

std::optional<Resolution> parse_resolution(std::string_view text) noexcept {
  for (const auto& [value, name] : kResolutionNames) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace tidings::deadletter
