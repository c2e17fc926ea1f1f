#pragma once

#include <cstddef>
#include <string_view>

// Places where tests kill the process, to check what the next process does with what is left. A build without
// TIDINGS_KILL_POINTS, which only builds of the tests define, compiles a kill point to nothing. Not for
// users.

namespace tidings::detail {

#if defined(TIDINGS_KILL_POINTS)
/// Kills this process with SIGKILL if it has reached `name` as often as arm_kill_point() requested.
void kill_point(std::string_view name) noexcept;
/// Arms a kill point: the process is killed when it reaches `name` for the `nth` time from now on (1 is the
/// first).
void arm_kill_point(std::string_view name, std::size_t nth) noexcept;
/// Calls `observer` at every kill point from now on, before the process may be killed there. It can delay the
/// thread for a moment, so that others get ahead of it.
void observe_kill_points(void (*observer)(std::string_view name) noexcept) noexcept;
#else
inline void kill_point(std::string_view) noexcept {}
#endif

}  // namespace tidings::detail
