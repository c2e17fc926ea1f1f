#pragma once

#include <tidings/detail/relax.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>

// A mutex that Clang's -Wthread-safety understands (libstdc++'s is not annotated). Not for users.

#if defined(__clang__)
#define TIDINGS_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define TIDINGS_THREAD_ANNOTATION(x)
#endif

#define TIDINGS_GUARDED_BY(mutex) TIDINGS_THREAD_ANNOTATION(guarded_by(mutex))
#define TIDINGS_REQUIRES(mutex) TIDINGS_THREAD_ANNOTATION(requires_capability(mutex))
#define TIDINGS_EXCLUDES(mutex) TIDINGS_THREAD_ANNOTATION(locks_excluded(mutex))

namespace tidings::detail {

class TIDINGS_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() TIDINGS_THREAD_ANNOTATION(acquire_capability()) {
    for (int look = 0; look < kLooks; ++look) {
      if (mutex_.try_lock()) return;
      relax();
    }
    mutex_.lock();
  }
  [[nodiscard]] bool try_lock() TIDINGS_THREAD_ANNOTATION(try_acquire_capability(true)) {
    return mutex_.try_lock();
  }
  void unlock() TIDINGS_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  /// Tells the analysis, which checks a lambda on its own, that the lambda's caller holds the mutex. Does
  /// nothing at run time.
  void assert_held() const noexcept TIDINGS_THREAD_ANNOTATION(assert_capability(this)) {}

 private:
  friend class Condition;
  /// About 3 us. Most critical sections take a hundredth of that; sleeping and waking up would take longer.
  static constexpr int kLooks = 100;

  std::mutex mutex_;
};

/// Holds a mutex for a scope; may be released and taken again inside it.
class TIDINGS_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TIDINGS_THREAD_ANNOTATION(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  /// For a mutex that this thread has locked.
  MutexLock(Mutex& mutex, std::adopt_lock_t) TIDINGS_REQUIRES(mutex) : mutex_(mutex) {}
  ~MutexLock() TIDINGS_THREAD_ANNOTATION(release_capability()) {
    if (held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() TIDINGS_THREAD_ANNOTATION(release_capability()) {
    held_ = false;
    mutex_.unlock();
  }
  void lock() TIDINGS_THREAD_ANNOTATION(acquire_capability()) {
    mutex_.lock();
    held_ = true;
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

/// A condition variable for Mutex. The caller holds the mutex; waits release it meanwhile and may wake
/// spuriously.
class Condition {
 public:
  void wait(Mutex& mutex) TIDINGS_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  /// False when `deadline` has passed.
  bool wait_until(Mutex& mutex, std::chrono::steady_clock::time_point deadline) TIDINGS_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool in_time = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace tidings::detail
