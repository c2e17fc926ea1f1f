#pragma once

#include <cstdint>
#include <string>

namespace tidings::deadletter {

/// Identifies this boot of this machine: the kernel's boot id, a UUID; empty if there is none.
[[nodiscard]] const std::string& boot_id();

/// Microseconds since the machine was booted, sleep included (CLOCK_BOOTTIME): the clock of claims.
[[nodiscard]] std::int64_t boot_time_now() noexcept;

}  // namespace tidings::deadletter
