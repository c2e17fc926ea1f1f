#pragma once

#include "destinations/line_target.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace tidings::logging {

/// Lines on their way to a target that a thread of its own writes. Thread-safe.
class LineQueue {
 public:
  static constexpr std::size_t kMinCapacity = 64 * 1024;
  /// How long the end of the queue waits for a target that takes nothing.
  static constexpr std::chrono::milliseconds kPatience{5000};

  /// Throws Error(NoThreads) and std::bad_alloc.
  LineQueue(std::unique_ptr<LineTarget> target, std::size_t capacity,
            std::chrono::milliseconds patience = kPatience);
  LineQueue(const LineQueue&) = delete;
  LineQueue& operator=(const LineQueue&) = delete;
  /// Writes what waits, as flush() does.
  ~LineQueue();

  /// `text` is one line with its LF. `console`: how the loss of lines is to be reported.
  void push(std::string_view text, bool console);
  /// Returns when what waits is written, or the target has taken nothing for `patience`.
  void flush() noexcept;
  /// Lines that found no room or that the target did not take.
  [[nodiscard]] std::uint64_t lost() const noexcept;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace tidings::logging
