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
#else
inline void kill_point(std::string_view) noexcept {}
#endif

}  // namespace tidings::detail
