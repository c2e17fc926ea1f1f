#pragma once

#include <string>
#include <string_view>

namespace tidings::architecture {

/// What the compiler said about a piece of source.
struct Compilation {
  bool accepted = false;
  std::string messages;
};

/// Compiles `source` with the compiler and flags of this build and with exactly the include folders that the
/// sources of `module` (events, logging, bus, deadletter or telemetry) have.
[[nodiscard]] Compilation compile_in(std::string_view module, std::string_view source);

/// The same for a source of a service, which has included <tidings/bus.hpp> and <nlohmann/json.hpp>.
[[nodiscard]] Compilation compile_service(std::string_view source);

}  // namespace tidings::architecture
