#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <optional>
#include <string>

namespace webhooks {

/// One line of the input, without its line end.
struct Line {
  std::uint64_t number = 0;  ///< Counted from 1.
  std::string text;
  bool too_long = false;  ///< It exceeds the limit; `text` is only its beginning.

  [[nodiscard]] bool is_blank() const { return text.find_first_not_of(" \t\r") == std::string::npos; }
};

/// Reads an input line by line, and never keeps more than `max_bytes` of it in memory. Not thread-safe.
class LineReader {
 public:
  LineReader(std::istream& input, std::size_t max_bytes) : input_(input), max_bytes_(max_bytes) {}

  /// Nullopt at the end of the input. The last line needs no line end.
  [[nodiscard]] std::optional<Line> next();

 private:
  std::istream& input_;
  std::size_t max_bytes_;
  std::uint64_t lines_ = 0;
};

}  // namespace webhooks
