#pragma once

#include <string_view>

namespace tidings::detail {

/// Without the optional white space (RFC 9110, section 5.6.3: spaces and tabs) around it.
[[nodiscard]] inline std::string_view trimmed(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace tidings::detail
