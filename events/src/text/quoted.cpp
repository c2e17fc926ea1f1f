#include <tidings/detail/quoted.hpp>

#include <cstddef>

namespace tidings::detail {

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string result = "\"";
  for (const char c : text.substr(0, kShown)) result += (c < ' ' || c > '~' || c == '"') ? '?' : c;
  if (text.size() > kShown) result += "...";
  result += '"';
  return result;
}

}  // namespace tidings::detail
