#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::deadletter {

/// Names this boot of this machine: the kernel's boot id, a UUID; empty where there is none.
[[nodiscard]] const std::string& boot_id();

/// Microseconds since the machine was booted, sleep included (CLOCK_BOOTTIME): what claims are measured by.
[[nodiscard]] std::int64_t boot_time_now() noexcept;

/// Whether a claim, `<boot id>/<pid>/<bus>`, is of this boot and its time has not passed.
[[nodiscard]] bool is_claim_alive(std::string_view claimed_by, std::int64_t claimed_until);

}  // namespace tidings::deadletter
