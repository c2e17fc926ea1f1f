#pragma once

#include <cstdint>
#include <string_view>

namespace tidings::telemetry {

/// A field of a message, as the two encodings name it. ProtobufWriter and JsonWriter have the same functions,
/// so that each message is described once.
struct OtlpField {
  std::uint32_t number;
  std::string_view name;
};

}  // namespace tidings::telemetry
