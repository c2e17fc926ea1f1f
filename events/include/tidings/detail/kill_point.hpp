#pragma once

#include <cstddef>
#include <string_view>

// Where tests kill the process, to see what the next one makes of what is left. In a build without
// TIDINGS_KILL_POINTS, which is every build but those of the tests, a kill point is nothing. Not for users.

namespace tidings::detail {

#if defined(TIDINGS_KILL_POINTS)
/// Kills this process with SIGKILL if it has come here as often as arm_kill_point() said.
void kill_point(std::string_view name) noexcept;
/// From now on the `nth` time (1 is the first) that this process comes to `name` is its last.
void arm_kill_point(std::string_view name, std::size_t nth) noexcept;
/// From now on `observer` is called at every kill point, before the process may be killed there: to hold the
/// thread up for a moment, so that others get ahead of it.
void observe_kill_points(void (*observer)(std::string_view name) noexcept) noexcept;
#else
inline void kill_point(std::string_view) noexcept {}
#endif

}  // namespace tidings::detail
