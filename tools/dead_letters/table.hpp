#pragma once

#include "dead_letters/terminal.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace tidings::dead_letters {

/// Rows under titles, two spaces apart, that fit a terminal. Columns that do not fit beside the others are
/// printed on a line below them, titles and cells alike. Only prose is cut: names must stay distinct and fit
/// to be copied. Cells are untrusted text; they are made printable here.
class Table {
 public:
  struct Column {
    std::string title;
    /// Numbers are aligned right.
    bool right = false;
    /// For prose, the last column: the width to which it is cut to stay beside others. 0: never cut.
    std::size_t narrowest = 0;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  /// The lines, with line feeds.
  [[nodiscard]] std::string render(const Terminal& terminal) const;

 private:
  struct Place {
    std::size_t column = 0;
    std::size_t width = 0;
  };
  /// Columns that are printed beside each other.
  struct Line {
    std::size_t indent = 0;
    std::vector<Place> places;
  };

  [[nodiscard]] std::vector<std::size_t> natural_widths() const;
  [[nodiscard]] std::vector<Line> layout(std::size_t width) const;
  [[nodiscard]] std::string line_of(const Line& line, const std::vector<std::string>& cells) const;
  [[nodiscard]] std::string lines_of(const Line& line, const std::vector<std::string>& cells) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace tidings::dead_letters
