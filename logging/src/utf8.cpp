#include "utf8.hpp"

namespace tidings::logging {

namespace {

struct Lead {
  std::uint8_t length;      // of the whole sequence; 0: no lead byte
  std::uint8_t second_low;  // the range of the second byte (Unicode, table 3-7)
  std::uint8_t second_high;
};

constexpr Lead lead_of(std::uint8_t byte) noexcept {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xc2) return {0, 0, 0};
  if (byte < 0xe0) return {2, 0x80, 0xbf};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte < 0xf0) return {3, 0x80, 0xbf};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte < 0xf4) return {4, 0x80, 0xbf};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

constexpr std::uint8_t lead_bits(std::uint8_t byte, std::uint8_t length) noexcept {
  return length == 1 ? byte : static_cast<std::uint8_t>(byte & (0x7fU >> length));
}

}  // namespace

DecodedCharacter decode_utf8(std::string_view text, std::size_t at) noexcept {
  const auto first = static_cast<std::uint8_t>(text[at]);
  Lead lead = lead_of(first);
  if (lead.length == 0) return {0xfffd, 1, false};
  char32_t code_point = lead_bits(first, lead.length);
  for (std::uint8_t index = 1; index < lead.length; ++index) {
    if (at + index == text.size()) return {0xfffd, index, false};
    const auto next = static_cast<std::uint8_t>(text[at + index]);
    if (next < lead.second_low || next > lead.second_high) return {0xfffd, index, false};
    lead.second_low = 0x80;
    lead.second_high = 0xbf;
    code_point = (code_point << 6U) | (next & 0x3fU);
  }
  return {code_point, lead.length, true};
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  const auto tail = [&](std::uint32_t shift) { put(0x80U | ((code_point >> shift) & 0x3fU)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0U | (code_point >> 6U));
    tail(0);
  } else if (code_point < 0x10000) {
    put(0xe0U | (code_point >> 12U));
    tail(6);
    tail(0);
  } else {
    put(0xf0U | (code_point >> 18U));
    tail(12);
    tail(6);
    tail(0);
  }
}

std::size_t cut_size(std::string_view text, std::size_t limit) noexcept {
  if (text.size() <= limit) return text.size();
  std::size_t size = limit;
  while (size > 0 && limit - size < 3 && (static_cast<std::uint8_t>(text[size]) & 0xc0U) == 0x80) --size;
  const bool on_boundary = (static_cast<std::uint8_t>(text[size]) & 0xc0U) != 0x80;
  return on_boundary ? size : limit;
}

void append_cut_note(std::string& out, std::size_t size) {
  out += " ... (";
  out += std::to_string(size);
  out += " bytes in all)";
}

}  // namespace tidings::logging
