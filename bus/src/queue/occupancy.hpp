#pragma once

#include "queue/places.hpp"

#include <tidings/detail/mutex.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tidings::detail {

/// How full a subscriber's queue is, and the threads that wait for that to change. Bounded: each delivery
/// occupies a place from reservation to the end of its life; redrives come beyond the bound. Thread-safe.
class Occupancy {
 public:
  explicit Occupancy(std::size_t capacity) : places_(capacity) {}

  /// Takes a place for one delivery. False when there is none.
  [[nodiscard]] bool try_reserve() noexcept { return places_.try_take(); }
  /// Takes a place even if there is none: for a retry of a delivery that had no place so far.
  void reserve() noexcept { places_.take(); }
  /// Gives a place back: the delivery's life has ended, or it was not made.
  void release() noexcept;
  /// For a redrive, which has no place.
  void begin_redrive() noexcept;
  void end_redrive() noexcept;
  /// Says whether the journal holds more for this queue: then it is not empty.
  void set_backlog(bool there_is_more);
  /// Deliveries that wait for a retry.
  void count_waiting(int change) noexcept { waiting_.fetch_add(static_cast<std::size_t>(change)); }

  [[nodiscard]] bool has_room() const noexcept { return places_.has_room(); }
  [[nodiscard]] std::size_t room() const noexcept { return places_.room(); }
  [[nodiscard]] std::size_t capacity() const noexcept { return places_.capacity(); }
  [[nodiscard]] std::size_t occupied() const noexcept { return places_.occupied() + redriving_.load(); }
  [[nodiscard]] std::size_t waiting_retries() const noexcept { return waiting_.load(); }
  [[nodiscard]] bool empty() const noexcept { return occupied() == 0 && !backlog_.load(); }
  /// How many places were ever taken: if the number has not changed, nothing was queued between two looks.
  [[nodiscard]] std::uint64_t reservations() const noexcept { return places_.taken() + redrives_.load(); }

  [[nodiscard]] std::uint64_t wakes() const noexcept { return wakes_.load(); }
  /// Blocks until there is room, or wake_publishers() was called since `wakes`.
  void wait_for_room(std::uint64_t wakes);
  void wake_publishers();
  /// Waits until the queue has no delivery, waiting for a retry or otherwise, no redrive, and no backlog in
  /// the journal. False at the deadline.
  [[nodiscard]] bool wait_empty(std::chrono::steady_clock::time_point deadline);

 private:
  void notify_waiters();
  void notify_if_empty() noexcept;

  Places places_;
  std::atomic<bool> backlog_{false};
  std::atomic<std::size_t> redriving_{0};
  std::atomic<std::uint64_t> redrives_{0};
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::uint64_t> wakes_{0};
  std::atomic<std::size_t> waiting_for_room_{0};   // threads in wait_for_room
  std::atomic<std::size_t> waiting_for_empty_{0};  // threads in wait_empty
  Mutex mutex_;
  Condition changed_;
};

}  // namespace tidings::detail
