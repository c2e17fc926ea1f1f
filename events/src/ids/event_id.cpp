#include <tidings/ids.hpp>

#include "text/hex.hpp"

namespace tidings {
namespace {

constexpr std::size_t kTextLength = 36;

}  // namespace

std::optional<EventId> EventId::parse(std::string_view text) noexcept {
  if (text.size() != kTextLength) return std::nullopt;
  Bytes bytes{};
  const char* digit = text.data();
  int wrong = 0;  // negative once anything was
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) wrong |= *digit++ == '-' ? 0 : -1;
    const int high = detail::hex_value(*digit++);
    const int low = detail::hex_value(*digit++);
    wrong |= high | low;
    bytes[i] = static_cast<std::uint8_t>((high & 15) << 4 | (low & 15));
  }
  if (wrong < 0) return std::nullopt;
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
