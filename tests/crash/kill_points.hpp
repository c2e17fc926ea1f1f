#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace tidings::crash {

/// Where and when a process ends.
struct Kill {
  std::string point;  // empty: it ends in order
  std::size_t nth = 1;
};

/// The names of all kill points in the sources, and in those of the shop.
[[nodiscard]] std::vector<std::string> all_points();
/// Whether a shop does not come by the point: it is about letters that the database refuses, or older
/// databases.
[[nodiscard]] bool is_of_storage(const std::string& point);

/// Whether only a restore of a backup comes by the point.
[[nodiscard]] bool is_of_restore(const std::string& point);

/// Runs `life` in a child process. True: it was killed, which counts. Throws if it failed otherwise.
[[nodiscard]] bool is_killed(const Kill& kill, const std::function<void()>& life);
/// How many processes this program has had killed.
[[nodiscard]] int kills() noexcept;

}  // namespace tidings::crash
