#include "text/columns.hpp"

#include <tidings/detail/utf8.hpp>

// wcwidth() is POSIX, and so not in <cwchar>.
#include <wchar.h>  // NOLINT(modernize-deprecated-headers)

#include <algorithm>

namespace tidings::tools {
namespace {

/// One for characters that the locale does not know: main() sets one that knows Unicode.
std::size_t width_of(const detail::CodePoint& character) {
  if (character.value < 0x80) return 1;
  const int width = ::wcwidth(static_cast<wchar_t>(character.value));
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

/// The bytes of as many characters as fit.
std::size_t bytes_within(std::string_view text, std::size_t width) {
  std::size_t bytes = 0;
  std::size_t used = 0;
  while (bytes < text.size()) {
    const auto next = detail::first_code_point(text.substr(bytes));
    used += width_of(next);
    if (used > width) break;
    bytes += next.length;
  }
  return bytes;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto next = detail::first_code_point(text);
    width += width_of(next);
    text.remove_prefix(next.length);
  }
  return width;
}

std::string cut_to_width(std::string_view text, std::size_t width) {
  if (bytes_within(text, width) == text.size()) return std::string(text);
  constexpr std::size_t kDots = 3;
  if (width <= kDots) return std::string(width, '.');
  return std::string(text.substr(0, bytes_within(text, width - kDots))) + std::string(kDots, '.');
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (bytes_within(text, width) < text.size()) {
    const std::size_t fits = std::max(bytes_within(text, width), detail::first_code_point(text).length);
    const std::size_t space = text.rfind(' ', fits);
    const bool at_space = space != std::string_view::npos && space > 0;
    const std::size_t end = at_space ? space : fits;
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(at_space ? end + 1 : end);
  }
  lines.emplace_back(text);
  return lines;
}

}  // namespace tidings::tools
