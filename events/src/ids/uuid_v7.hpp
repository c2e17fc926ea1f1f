#pragma once

#include <tidings/ids.hpp>

#include <bit>
#include <cstdint>
#include <cstring>

namespace tidings::detail {

/// The parts of a UUIDv7 that are neither version nor variant (RFC 9562, section 5.7).
struct UuidV7Fields {
  static constexpr std::uint64_t kMaxMilliseconds = (std::uint64_t{1} << 48U) - 1;
  static constexpr std::uint64_t kMaxHigh = (std::uint64_t{1} << 12U) - 1;
  static constexpr std::uint64_t kMaxLow = (std::uint64_t{1} << 62U) - 1;

  std::uint64_t milliseconds = 0;  // 48 bits
  std::uint64_t high = 0;          // rand_a, 12 bits
  std::uint64_t low = 0;           // rand_b, 62 bits
};

/// One byte swap: GCC 12 makes eight stores of the obvious loop, and this is on the path of every publish.
inline void store_big_endian(std::uint64_t value, std::uint8_t* out) noexcept {
  if constexpr (std::endian::native == std::endian::little) value = __builtin_bswap64(value);
  std::memcpy(out, &value, sizeof value);
}

[[nodiscard]] inline EventId make_uuid_v7(const UuidV7Fields& fields) noexcept {
  const std::uint64_t first = fields.milliseconds << 16U | std::uint64_t{7} << 12U | fields.high;
  const std::uint64_t second = std::uint64_t{2} << 62U | fields.low;
  EventId::Bytes bytes;
  store_big_endian(first, bytes.data());
  store_big_endian(second, bytes.data() + 8);
  return EventId(bytes);
}

/// Milliseconds since the epoch, held within the 48 bits that a UUIDv7 has for them.
[[nodiscard]] inline std::uint64_t uuid_milliseconds(Timestamp time) noexcept {
  const std::int64_t microseconds = time.time_since_epoch().count();
  if (microseconds < 0) return 0;
  const auto milliseconds = static_cast<std::uint64_t>(microseconds) / 1000;
  return milliseconds < UuidV7Fields::kMaxMilliseconds ? milliseconds : UuidV7Fields::kMaxMilliseconds;
}

}  // namespace tidings::detail
