#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace tidings::dead_letters {

/// What a stream is connected to.
struct Terminal {
  static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

  bool is_terminal = false;
  /// Columns; unlimited for pipes and files.
  std::size_t width = kUnlimited;
  bool colour = false;

  /// The terminal of a descriptor. No colour without a terminal, with NO_COLOR (not empty), or with
  /// TERM=dumb.
  [[nodiscard]] static Terminal of(int descriptor, bool colour_wanted);
};

enum class Style : std::uint8_t { Plain, Bold, Dim, Good, Bad };

/// `text` in a style, if there is colour. It must contain no escape sequences.
[[nodiscard]] std::string styled(const Terminal& terminal, Style style, std::string_view text);

}  // namespace tidings::dead_letters
