#include <tidings/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "fuzz_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto time = tidings::parse_rfc3339({reinterpret_cast<const char*>(data), size});
  if (time) FUZZ_CHECK(tidings::parse_rfc3339(tidings::to_rfc3339(*time)) == time);
  std::int64_t count = 0;
  if (size < sizeof count) return 0;
  std::memcpy(&count, data, sizeof count);
  const auto text = tidings::to_rfc3339(tidings::Timestamp(std::chrono::microseconds(count)));
  FUZZ_CHECK(text.size() == 27 && tidings::parse_rfc3339(text));
  return 0;
}
