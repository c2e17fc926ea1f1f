#include "text/utf8.hpp"

#include <cstdint>

namespace tidings::logging {

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
