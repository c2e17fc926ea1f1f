#pragma once

#include <tidings/detail/mutex.hpp>

#include <pthread.h>

namespace tidings::deadletter {

/// The one State of this process. A forked child, which gets a copy, calls its `leave_to_parent()` before the
/// fork returns. Nothing else happens to the State during a fork.
template <class State>
class PerProcess {
 public:
  static PerProcess& instance() {
    static PerProcess& only = make();
    return only;
  }
  PerProcess(const PerProcess&) = delete;
  PerProcess& operator=(const PerProcess&) = delete;

  tidings::detail::Mutex mutex;
  State state TIDINGS_GUARDED_BY(mutex);

 private:
  PerProcess() = default;

  /// Never destroyed: a process may fork while it ends.
  static PerProcess& make() {
    auto& made = *new PerProcess;
    ::pthread_atfork(&lock, &unlock, &leave_to_parent);
    return made;
  }
  // A fork locks in one of these and unlocks in another, which the analysis cannot follow.
  static void lock() TIDINGS_THREAD_ANNOTATION(no_thread_safety_analysis) { instance().mutex.lock(); }
  static void unlock() TIDINGS_THREAD_ANNOTATION(no_thread_safety_analysis) { instance().mutex.unlock(); }
  static void leave_to_parent() TIDINGS_THREAD_ANNOTATION(no_thread_safety_analysis) {
    instance().state.leave_to_parent();
    instance().mutex.unlock();
  }
};

}  // namespace tidings::deadletter
