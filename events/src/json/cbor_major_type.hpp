#pragma once

#include <cstdint>

namespace tidings::detail {

/// The three high bits of an item's first byte (RFC 8949, section 3.1).
enum class CborMajorType : std::uint8_t { Unsigned, Negative, Bytes, Text, Array, Map, Tag, Simple };

// What the five low bits say in major type Simple (section 3.3).
inline constexpr std::uint8_t kCborFalse = 20;
inline constexpr std::uint8_t kCborTrue = 21;
inline constexpr std::uint8_t kCborNull = 22;
inline constexpr std::uint8_t kCborHalf = 25;
inline constexpr std::uint8_t kCborSingle = 26;
inline constexpr std::uint8_t kCborDouble = 27;

}  // namespace tidings::detail
