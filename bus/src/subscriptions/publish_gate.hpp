#pragma once

#include "subscriptions/bus_setup.hpp"

#include <atomic>
#include <chrono>

namespace tidings::detail {

/// Whether publishers may enter the bus, and whether any is inside. Thread-safe.
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

  /// While suspects of a crash run, every other durable delivery stays in the journal.
  void hold_durable(bool held) noexcept { durable_held_.store(held); }
  [[nodiscard]] bool durable_held() const noexcept { return durable_held_.load(); }

 private:
  [[noreturn]] static void throw_stopped();
  [[nodiscard]] bool publisher_inside() const;

  const BusSetup& setup_;
  std::atomic<bool> open_{true};
  std::atomic<bool> durable_held_{false};
};

}  // namespace tidings::detail
