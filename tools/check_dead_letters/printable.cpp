#include "check_dead_letters/printable.hpp"

#include "text/printable.hpp"

namespace tidings::check_dead_letters {
namespace {

std::string without_bars(std::string text) {
  for (auto at = text.find('|'); at != std::string::npos; at = text.find('|', at))
    text.replace(at, 1, "\\x7c");
  return text;
}

}  // namespace

std::string printable(std::string_view text) { return without_bars(tools::printable(text)); }

std::string printable(std::string_view text, std::size_t limit) {
  return without_bars(tools::printable(text, limit));
}

}  // namespace tidings::check_dead_letters
