#include "text/columns.hpp"

// wcwidth() is POSIX, and so not in <cwchar>.
#include <wchar.h>  // NOLINT(modernize-deprecated-headers)

#include <algorithm>
#include <cstdint>

namespace tidings::tools {
namespace {

/// The code point at the front and its bytes.
struct Character {
  std::uint32_t value = 0;
  std::size_t bytes = 1;
};

Character first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::size_t bytes = byte(0) < 0xc0 ? 1 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  if (bytes == 1 || bytes > text.size()) return {byte(0), 1};
  std::uint32_t value = byte(0) & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) value = (value << 6U) | (byte(i) & 0x3fU);
  return {value, bytes};
}

/// One for what the locale does not know: main() sets one that knows Unicode.
std::size_t width_of(const Character& character) {
  if (character.value < 0x80) return 1;
  const int width = ::wcwidth(static_cast<wchar_t>(character.value));
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

/// The bytes of as many characters as fit.
std::size_t bytes_within(std::string_view text, std::size_t width) {
  std::size_t bytes = 0;
  std::size_t used = 0;
  while (bytes < text.size()) {
    const auto next = first_of(text.substr(bytes));
    used += width_of(next);
    if (used > width) break;
    bytes += next.bytes;
  }
  return bytes;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto next = first_of(text);
    width += width_of(next);
    text.remove_prefix(next.bytes);
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
    const std::size_t fits = std::max(bytes_within(text, width), first_of(text).bytes);
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
