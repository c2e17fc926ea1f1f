#pragma once

namespace tidings::telemetry {

/// Whether the caller is the thread of an exporter: what it logs is not exported, since a receiver that
/// cannot be reached would have ever more to be sent.
[[nodiscard]] bool is_exporting_thread() noexcept;

}  // namespace tidings::telemetry
