#include "text/help_text.hpp"

#include "text/columns.hpp"

namespace tidings::tools {
namespace {

/// Where CLI11's right column begins.
constexpr std::size_t kColumn = 30;

bool has_two_columns(std::string_view line) {
  return line.size() > kColumn && line.starts_with("  ") && line[kColumn - 1] == ' ' && line[kColumn] != ' ';
}

std::string in_two_columns(std::string_view line) {
  std::string text(line.substr(0, kColumn));
  for (const auto& each : wrap(line.substr(kColumn), kHelpWidth - kColumn)) {
    text.resize(text.empty() || text.back() != '\n' ? text.size() : text.size() + kColumn, ' ');
    text += each + "\n";
  }
  return text;
}

}  // namespace

std::string fit_help(std::string_view help) {
  std::string text;
  while (!help.empty()) {
    const auto end = help.find('\n');
    const std::string_view line = help.substr(0, end);
    const bool wide = line.size() > kHelpWidth && has_two_columns(line);
    text += wide ? in_two_columns(line) : std::string(line) + "\n";
    help.remove_prefix(end == std::string_view::npos ? help.size() : end + 1);
  }
  return text;
}

}  // namespace tidings::tools
