#include <tidings/detail/json_string.hpp>

#include <tidings/detail/utf8.hpp>
#include <tidings/event.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tidings::detail {
namespace {

constexpr std::uint64_t in_each_byte(std::uint64_t byte) { return byte * 0x0101010101010101U; }

/// Whether one of eight bytes is less than `bound`, which is at most 128 (S. E. Anderson, "Bit Twiddling
/// Hacks", "Determine if a word has a byte less than n").
constexpr bool any_less_than(std::uint64_t bytes, std::uint64_t bound) {
  return ((bytes - in_each_byte(bound)) & ~bytes & in_each_byte(0x80)) != 0;
}
constexpr bool any_equals(std::uint64_t bytes, char wanted) {
  return any_less_than(bytes ^ in_each_byte(static_cast<std::uint8_t>(wanted)), 1);
}

constexpr bool any_escaped(std::uint64_t bytes) {
  return any_less_than(bytes, ' ') || any_equals(bytes, '"') || any_equals(bytes, '\\');
}

/// Whether JSON text has the characters as they are: no control character, quote or backslash.
bool is_plain(std::string_view text) {
  std::uint64_t bytes = 0;
  for (; text.size() >= sizeof bytes; text.remove_prefix(sizeof bytes)) {
    std::memcpy(&bytes, text.data(), sizeof bytes);
    if (any_escaped(bytes)) return false;
  }
  if (text.empty()) return true;
  bytes = in_each_byte(' ');
  std::memcpy(&bytes, text.data(), text.size());
  return !any_escaped(bytes);
}

}  // namespace

void append_json_string(std::string& json, std::string_view text) {
  if (is_plain(text) && is_valid_utf8(text)) {
    (json += '"').append(text) += '"';
  } else {
    json += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

}  // namespace tidings::detail
