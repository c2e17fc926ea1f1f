#pragma once

#include <cstdint>
#include <string_view>

namespace tidings::check_dead_letters {

/// The state that a monitoring plugin reports; the value is the exit status.
enum class State : std::uint8_t { Ok = 0, Warning = 1, Critical = 2, Unknown = 3 };

/// `OK`, `WARNING`, `CRITICAL`, `UNKNOWN`.
[[nodiscard]] std::string_view to_string(State state) noexcept;

/// The state to report for both. OK < UNKNOWN < WARNING < CRITICAL, as the Monitoring Plugins' own
/// max_state_alt: a database that cannot be checked never counts as good, and never hides the state of
/// another one.
[[nodiscard]] State worse(State left, State right) noexcept;

}  // namespace tidings::check_dead_letters
