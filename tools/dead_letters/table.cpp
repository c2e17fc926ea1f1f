#include "dead_letters/table.hpp"

#include "text/columns.hpp"
#include "text/printable.hpp"

#include <algorithm>

namespace tidings::dead_letters {
namespace {

constexpr std::size_t kGap = 2;

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string space(width - std::min(width, tools::display_width(text)), ' ');
  return right ? space + text : text + space;
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

/// Each line takes as many columns as fit, and prose the rest. Below the first line prose is not cut for the
/// sake of other columns, since it would have more room on a line of its own. Those lines begin under the
/// second column.
std::vector<Table::Line> Table::layout(std::size_t width) const {
  const auto natural = natural_widths();
  std::vector<Line> lines(1);
  std::size_t used = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::size_t narrowest = columns_[i].narrowest;
    const bool may_be_cut = narrowest > 0 && lines.size() == 1;
    const std::size_t needed = may_be_cut ? std::min(natural[i], narrowest) : natural[i];
    const bool first = lines.back().places.empty();
    if (!first && used + kGap + needed > width) {
      lines.push_back({.indent = natural.front() + kGap, .places = {}});
      used = lines.back().indent;
    } else if (!first) {
      used += kGap;
    }
    const std::size_t room = width - std::min(width - 1, used);
    lines.back().places.push_back({i, std::min(natural[i], room)});
    used += lines.back().places.back().width;
  }
  return lines;
}

std::string Table::line_of(const Line& line, const std::vector<std::string>& cells) const {
  std::string text(line.indent, ' ');
  for (const Place& place : line.places) {
    if (&place != &line.places.front()) text.append(kGap, ' ');
    text += padded(tools::cut_to_width(cells[place.column], place.width), place.width,
                   columns_[place.column].right);
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text.empty() ? text : text + "\n";
}

/// A name that is wider than the terminal, which has a line of its own, takes several.
std::string Table::lines_of(const Line& line, const std::vector<std::string>& cells) const {
  const Place& place = line.places.front();
  const bool is_prose = columns_[place.column].narrowest > 0;
  if (line.places.size() > 1 || is_prose) return line_of(line, cells);
  std::string text;
  for (const auto& piece : tools::wrap(cells[place.column], place.width))
    text += std::string(line.indent, ' ') + piece + "\n";
  return text;
}

std::string Table::render(const Terminal& terminal) const {
  const auto lines = layout(terminal.width);
  std::vector<std::string> titles;
  titles.reserve(columns_.size());
  for (const Column& column : columns_) titles.push_back(column.title);
  std::string text;
  for (const Line& line : lines) {
    const std::string title = line_of(line, titles);
    text += styled(terminal, Style::Bold, title.substr(0, title.find('\n'))) + "\n";
  }
  for (const auto& row : rows_) {
    for (const Line& line : lines) text += lines_of(line, row);
  }
  return text;
}

}  // namespace tidings::dead_letters
