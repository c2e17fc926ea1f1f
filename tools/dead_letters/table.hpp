#pragma once

#include "dead_letters/terminal.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace tidings::dead_letters {

/// Rows under titles, two spaces apart, that fit a terminal: columns that may give way are cut, the widest
/// first. Cells are untrusted text; they are made printable here.
class Table {
 public:
  struct Column {
    std::string title;
    /// Numbers stand at the right.
    bool right = false;
    /// May be cut down to this; 0: never.
    std::size_t narrowest = 0;
    /// Only of the last column: where it would be cut below its narrowest, it gets a line of its own.
    bool own_line_if_narrow = false;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  /// Lines with their feeds.
  [[nodiscard]] std::string render(const Terminal& terminal) const;

 private:
  [[nodiscard]] std::vector<std::size_t> natural_widths() const;
  [[nodiscard]] bool needs_own_line(std::size_t width) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace tidings::dead_letters
