#pragma once

#include <ctime>

#include <chrono>
#include <cstdint>

namespace tidings::bench {

/// Processor time of the calling thread: what work that waits for nobody takes, whoever else uses the
/// machine.
[[nodiscard]] inline std::chrono::nanoseconds thread_time() noexcept {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// Nanoseconds of processor time that `work(operations)` takes for each operation.
template <class Work>
[[nodiscard]] double nanoseconds_each(std::uint64_t operations, Work&& work) {
  const auto begin = thread_time();
  work(operations);
  return static_cast<double>((thread_time() - begin).count()) / static_cast<double>(operations);
}

}  // namespace tidings::bench
