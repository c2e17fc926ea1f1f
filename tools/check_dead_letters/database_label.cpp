#include "check_dead_letters/database_label.hpp"

#include "text/printable.hpp"

#include <tidings/detail/utf8.hpp>

#include <array>
#include <cstdint>

namespace tidings::check_dead_letters {
namespace {

void append_percent(std::string& out, std::string_view bytes) {
  static constexpr std::array kHex = {'0', '1', '2', '3', '4', '5', '6', '7',
                                      '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'};
  for (const char byte : bytes) {
    const auto value = static_cast<std::uint8_t>(byte);
    out += '%';
    out += kHex[value >> 4U];
    out += kHex[value & 15U];
  }
}

template <class Fits>
std::string with_percents(std::string_view path, Fits fits) {
  std::string out;
  while (!path.empty()) {
    const std::string_view bytes = path.substr(0, tidings::detail::first_code_point(path).length);
    if (bytes != "%" && fits(bytes)) {
      out += bytes;
    } else {
      append_percent(out, bytes);
    }
    path.remove_prefix(bytes.size());
  }
  return out;
}

}  // namespace

std::string database_label(std::string_view path) {
  return with_percents(path, [](std::string_view bytes) { return tools::printable(bytes) == bytes; });
}

std::string performance_label(std::string_view path) {
  return with_percents(path, [](std::string_view bytes) {
    return bytes >= " " && bytes <= "~" && bytes != "'" && bytes != "=" && bytes != "|";
  });
}

}  // namespace tidings::check_dead_letters
