#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tidings::bench {

/// A figure counts only if the work behind it was done.
inline void require_equal(std::uint64_t actual, std::uint64_t expected, std::string_view what) {
  if (actual == expected) return;
  throw std::runtime_error("wrong " + std::string(what) + ": " + std::to_string(actual) + " instead of " +
                           std::to_string(expected));
}

}  // namespace tidings::bench
