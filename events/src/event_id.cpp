#include <tidings/ids.hpp>

#include "hex.hpp"

namespace tidings {
namespace {

constexpr std::size_t kTextLength = 36;

constexpr bool is_dash_position(std::size_t index) noexcept {
  return index == 8 || index == 13 || index == 18 || index == 23;
}

}  // namespace

std::optional<EventId> EventId::parse(std::string_view text) noexcept {
  if (text.size() != kTextLength) return std::nullopt;
  Bytes bytes{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < kTextLength; ++i) {
    if (is_dash_position(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int value = detail::hex_value(text[i]);
    if (value < 0) return std::nullopt;
    std::uint8_t& byte = bytes[digits++ / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | value);
  }
  return EventId(bytes);
}

void EventId::write_to(char* out) const noexcept {
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    detail::write_hex(&bytes_[i], 1, out);
    out += 2;
  }
}

std::string EventId::to_string() const {
  std::string text(kTextLength, '\0');
  write_to(text.data());
  return text;
}

}  // namespace tidings
