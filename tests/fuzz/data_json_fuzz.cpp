#include <cstddef>
#include <cstdint>

#include "data_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tidings::fuzz::check_decoding({reinterpret_cast<const char*>(data), size}, tidings::DataEncoding::Json);
  return 0;
}
