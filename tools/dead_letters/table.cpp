#include "dead_letters/table.hpp"

#include "text/columns.hpp"
#include "text/printable.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tidings::dead_letters {
namespace {

constexpr std::size_t kGap = 2;
const std::string kIndent = "         ";

std::string padded(const std::string& cell, std::size_t width, bool right) {
  std::string text = tools::cut_to_width(cell, width);
  const std::string space(width - std::min(width, tools::display_width(text)), ' ');
  return right ? space + text : text + space;
}

std::string line_of(const std::vector<Table::Column>& columns, const std::vector<std::string>& cells,
                    const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) line.append(kGap, ' ');
    line += padded(cells[i], widths[i], columns[i].right);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::size_t total(const std::vector<std::size_t>& widths) {
  return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
}

/// The widest that may give way gives way.
void shrink(std::vector<std::size_t>& widths, const std::vector<Table::Column>& columns, std::size_t width) {
  while (total(widths) > width) {
    std::size_t widest = columns.size();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const bool gives = columns[i].narrowest > 0 && widths[i] > columns[i].narrowest;
      if (gives && (widest == columns.size() || widths[i] > widths[widest])) widest = i;
    }
    if (widest == columns.size()) return;
    --widths[widest];
  }
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = tools::printable(cell);
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::natural_widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(columns_[i].title.size());
    for (const auto& row : rows_) widths[i] = std::max(widths[i], tools::display_width(row[i]));
  }
  return widths;
}

bool Table::needs_own_line(std::size_t width) const {
  const Column& last = columns_.back();
  auto widths = natural_widths();
  widths.back() = std::min(widths.back(), last.narrowest);
  return last.own_line_if_narrow && total(widths) > width;
}

std::string Table::render(const Terminal& terminal) const {
  const bool own_line = needs_own_line(terminal.width);
  const std::size_t shown = columns_.size() - (own_line ? 1 : 0);
  const std::vector<Column> columns(columns_.begin(), columns_.begin() + static_cast<std::ptrdiff_t>(shown));
  auto widths = natural_widths();
  widths.resize(shown);
  shrink(widths, columns, terminal.width);
  std::vector<std::string> titles;
  titles.reserve(columns.size());
  for (const Column& column : columns) titles.push_back(column.title);
  std::string text = styled(terminal, Style::Bold, line_of(columns, titles, widths)) + "\n";
  for (const auto& row : rows_) {
    text += line_of(columns, row, widths) + "\n";
    if (own_line) text += kIndent + tools::cut_to_width(row.back(), terminal.width - kIndent.size()) + "\n";
  }
  return text;
}

}  // namespace tidings::dead_letters
