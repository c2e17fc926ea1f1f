#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace tidings::logging {

/// Writes `tidings: WHAT` as one line to standard error, characters other than printable ASCII as `?`: for
/// what cannot be logged because logging itself fails. Allocates nothing.
void write_notice(std::string_view what) noexcept;

/// Counts lost records. The first, second, fourth, eighth ... loss is reported on standard error: a full disk
/// must not fill the terminal too. Thread-safe.
class LossCount {
 public:
  void add(std::uint64_t records, std::string_view why) noexcept;
  /// `error`: the errno that says why.
  void add(std::uint64_t records, int error) noexcept;
  /// For losses that are reported in another way.
  void add_silently(std::uint64_t records) noexcept { lost_.fetch_add(records, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t total() const noexcept { return lost_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace tidings::logging
