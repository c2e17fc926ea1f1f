#pragma once

#include <tidings/ids.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace tidings::deadletter {

/// A random UUID (version 4). Forked processes draw different ones.
[[nodiscard]] inline std::string random_uuid() {
  EventId::Bytes bytes{};
  for (const std::size_t half : {0U, 8U}) {
    const std::uint64_t random = random_bits();
    std::memcpy(bytes.data() + half, &random, sizeof random);
  }
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0FU) | 0x40U);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3FU) | 0x80U);
  return EventId(bytes).to_string();
}

}  // namespace tidings::deadletter
