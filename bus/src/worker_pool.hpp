#pragma once

#include <tidings/detail/mutex.hpp>

#include <atomic>
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
  /// Serves a subscriber until its queue gives no more, or until yields_now().
  using Serve = std::function<void(const std::shared_ptr<Subscriber>&)>;

  WorkerPool(std::size_t workers, Serve serve) : workers_(workers), serve_(std::move(serve)) {}
  ~WorkerPool() { join(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void start();
  void submit(std::shared_ptr<Subscriber> subscriber);
  /// Whether another subscriber waits for a worker.
  [[nodiscard]] bool others_wait() const noexcept { return ready_count_.load(std::memory_order_relaxed) > 0; }
  /// Tells the threads to end when nothing is submitted any more.
  void stop();
  void join();

  /// Whether the calling thread is a worker of any bus.
  [[nodiscard]] static bool on_worker() noexcept;

 private:
  void run();

  const std::size_t workers_;
  const Serve serve_;
  std::vector<std::thread> threads_;
  std::atomic<std::size_t> ready_count_{0};

  Mutex mutex_;
  Condition changed_;
  std::deque<std::shared_ptr<Subscriber>> ready_ TIDINGS_GUARDED_BY(mutex_);
  bool stopping_ TIDINGS_GUARDED_BY(mutex_) = false;
};

}  // namespace tidings::detail
