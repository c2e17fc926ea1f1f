#pragma once

#include <latch>
#include <semaphore>

namespace tidings::test {

/// Holds the handlers that pass through it until it is opened, and reports when one has arrived. Thread-safe.
class Gate {
 public:
  /// For handlers: announces the arrival, and returns once the gate is open.
  void pass() {
    arrived_.release();
    opened_.wait();
  }
  /// Waits for one arrival. Each is reported once.
  void await_arrival() { arrived_.acquire(); }
  /// Once.
  void open() { opened_.count_down(); }

 private:
  std::counting_semaphore<> arrived_{0};
  std::latch opened_{1};
};

}  // namespace tidings::test
