#pragma once

#include "subscriptions/bus_setup.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>

namespace tidings::detail {

/// Whether publishers may enter the bus, whether any is inside, and whether they must take care. Thread-safe.
class PublishGate {
 public:
  explicit PublishGate(const BusSetup& setup) noexcept : setup_(setup) {}

  /// False once the bus stops.
  [[nodiscard]] bool is_open() const noexcept { return open_.load(); }
  /// Throws Error(BusStopped) unless it is open.
  void require_open() const {
    if (!is_open()) [[unlikely]]
      throw_stopped();
  }
  /// From here on publishers are refused. Those that are inside already see it after fence_all_threads().
  void close() noexcept { open_.store(false); }
  /// Waits until no publisher is inside, or until the deadline.
  void wait_until_empty(std::chrono::steady_clock::time_point deadline) const;

  /// One more, or fewer, of the things that a publish must take care of even if all its handlers are inline:
  /// a retry that waits and takes room, a journal that keeps what runs, a kernel without membarrier, an
  /// observer. All are looked at in one place, since each publish looks.
  void need_care(int change) noexcept { cares_.fetch_add(static_cast<std::size_t>(change)); }
  /// A look only, without a lock.
  [[nodiscard]] bool needs_care() const noexcept { return cares_.load(std::memory_order_relaxed) != 0; }
  /// Of one thing only: whoever knows one knows all.
  [[nodiscard]] bool needs_care_of_one() const noexcept {
    return cares_.load(std::memory_order_relaxed) == 1;
  }

  /// While suspects of a crash run, every other durable delivery stays in the journal.
  void hold_durable(bool held) noexcept { durable_held_.store(held); }
  [[nodiscard]] bool durable_held() const noexcept { return durable_held_.load(); }

 private:
  [[noreturn]] static void throw_stopped();
  [[nodiscard]] bool publisher_inside() const;

  const BusSetup& setup_;
  std::atomic<bool> open_{true};
  std::atomic<bool> durable_held_{false};
  std::atomic<std::size_t> cares_{0};
};

}  // namespace tidings::detail
