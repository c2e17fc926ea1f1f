#pragma once

#include <tidings/detail/mutex.hpp>
#include <tidings/detail/relax.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace tidings::detail {

class Subscriber;

/// The bus's threads for queued handlers and delayed retries. A subscriber is submitted once for each permit
/// that its queue has given out, and in turn with the others, so that a busy one cannot starve the rest.
/// Thread-safe.
class WorkerPool {
 public:
  /// Serves a subscriber until its queue gives no more, or until Turn::is_over().
  using Serve = std::function<void(const std::shared_ptr<Subscriber>&)>;

  WorkerPool(std::size_t workers, Serve serve) : workers_(workers), serve_(std::move(serve)) {}
  ~WorkerPool() { join(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void start();
  void submit(std::shared_ptr<Subscriber> subscriber);
  /// Whether another subscriber waits for a worker.
  [[nodiscard]] bool others_wait() const noexcept { return ready_count_.load(std::memory_order_relaxed) > 0; }

  /// How long a subscriber keeps its worker while others wait for one: changing takes longer than many
  /// handlers do.
  class Turn {
   public:
    explicit Turn(const WorkerPool& pool) : pool_(pool), began_(std::chrono::steady_clock::now()) {}
    /// To be asked after each delivery.
    [[nodiscard]] bool is_over() noexcept {
      ++deliveries_;
      return pool_.others_wait() &&
             (deliveries_ >= kMostDeliveries || std::chrono::steady_clock::now() - began_ >= kLongest);
    }

   private:
    static constexpr std::size_t kMostDeliveries = 64;
    static constexpr std::chrono::milliseconds kLongest{1};

    const WorkerPool& pool_;
    const std::chrono::steady_clock::time_point began_;
    std::size_t deliveries_ = 0;
  };

  /// Looks for some 20 us whether there is `more` for a worker that has nothing else to do. Going to sleep
  /// costs the worker some microseconds and whoever wakes it a system call, which is too much for each of
  /// many events. Not at once: a worker that looked after each event would fetch each alone, while the next
  /// is being added; and later still when many came meanwhile, since they come fast.
  template <class More>
  void linger(bool many_came, More more) const {
    if (!can_linger_ || others_wait()) return;
    const int pauses = many_came ? 4 * kPausesBetweenLooks : kPausesBetweenLooks;
    const auto until = std::chrono::steady_clock::now() + kLingering;
    for (;;) {
      for (int pause = 0; pause < pauses; ++pause) relax();
      if (more() || others_wait() || std::chrono::steady_clock::now() >= until) return;
      std::this_thread::yield();  // a publisher may be waiting for this very processor
    }
  }
  /// Waits until nothing is submitted and no worker serves. False: that took until `deadline`.
  [[nodiscard]] bool wait_idle(std::chrono::steady_clock::time_point deadline);
  /// Workers that serve.
  [[nodiscard]] std::size_t busy() const;
  /// Tells the threads to end when nothing is submitted any more.
  void stop();
  void join();

  /// Whether the calling thread is a worker of any bus.
  [[nodiscard]] static bool on_worker() noexcept;

 private:
  static constexpr std::chrono::microseconds kLingering{20};
  /// Some 1 us: each look takes a cache line from those who bring more.
  static constexpr int kPausesBetweenLooks = 32;

  void run();

  const std::size_t workers_;
  /// On a single processor nobody could bring more meanwhile.
  const bool can_linger_ = std::thread::hardware_concurrency() > 1;
  const Serve serve_;
  std::vector<std::thread> threads_;
  std::atomic<std::size_t> ready_count_{0};

  mutable Mutex mutex_;
  Condition changed_;
  Condition idle_;
  std::size_t busy_ TIDINGS_GUARDED_BY(mutex_) = 0;  // workers that serve
  std::deque<std::shared_ptr<Subscriber>> ready_ TIDINGS_GUARDED_BY(mutex_);
  bool stopping_ TIDINGS_GUARDED_BY(mutex_) = false;
};

}  // namespace tidings::detail
