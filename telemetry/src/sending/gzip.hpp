#pragma once

#include <string>
#include <string_view>

namespace tidings::telemetry {

/// The format of RFC 1952. Throws std::bad_alloc.
[[nodiscard]] std::string gzipped(std::string_view bytes);

}  // namespace tidings::telemetry
