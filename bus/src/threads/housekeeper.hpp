#pragma once

#include <tidings/clock.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

namespace tidings::detail {

/// The bus's one thread for what is due at some time. Sleeps until the first of it is due, at most an hour.
/// Thread-safe.
class Housekeeper {
 public:
  /// Does what is due at `now`, and returns when it wants to be called next.
  using Duty = std::function<std::optional<Instant>(Instant now)>;

  Housekeeper(std::shared_ptr<Clock> clock, Duty duty);
  ~Housekeeper();
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

  /// Throws Error(NoThreads).
  void start();
  /// Ends the thread.
  void stop();
  [[nodiscard]] bool is_this_thread() const noexcept;
  /// Makes the thread call its duty at once.
  void wake() { signal_.raise(); }

 private:
  void run();

  const std::shared_ptr<Clock> clock_;
  const Duty duty_;
  Signal signal_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace tidings::detail
