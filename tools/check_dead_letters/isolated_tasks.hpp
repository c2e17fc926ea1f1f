#pragma once

#include <sys/types.h>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tidings::check_dead_letters {

/// Runs each piece of work in a process of its own, so that a piece that hangs in the kernel (a dead network
/// file system) or crashes (a file truncated under its memory map) affects neither the others nor the caller.
/// The caller must have one thread only. Not thread-safe.
class IsolatedTasks {
 public:
  /// How a piece of work ended.
  struct Outcome {
    enum class End : std::uint8_t {
      Finished,  ///< `text` is what it returned.
      TimedOut,  ///< It was still running at the deadline and was told to die.
      Crashed,   ///< `text` says how.
    };
    End end = End::Crashed;
    std::string text;
  };

  IsolatedTasks() = default;
  IsolatedTasks(const IsolatedTasks&) = delete;
  IsolatedTasks& operator=(const IsolatedTasks&) = delete;
  /// Kills processes that still run, without waiting for them.
  ~IsolatedTasks();

  /// Starts `work`. Its process has no standard streams and dies with the caller. An exception counts as a
  /// crash.
  void start(const std::function<std::string()>& work);

  /// Waits for all until `deadline`, and returns their outcomes in the order of start.
  [[nodiscard]] std::vector<Outcome> finish(std::chrono::steady_clock::time_point deadline);

 private:
  struct Task {
    pid_t process = -1;
    int pipe = -1;  // -1: at its end
    Outcome outcome;
  };

  void wait_for_output(std::chrono::milliseconds timeout);
  static void read_some(Task& task);
  static void reap(Task& task);
  static void abandon(Task& task);

  std::vector<Task> tasks_;
};

}  // namespace tidings::check_dead_letters
