#pragma once

#include "simulation/plan.hpp"

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tidings::simulation {

/// A life of the service in a process of its own, and what it has written so far.
class ServiceProcess {
 public:
  ServiceProcess(const std::filesystem::path& database, const Step& life);
  /// Kills it if it still lives.
  ~ServiceProcess();
  ServiceProcess(const ServiceProcess&) = delete;
  ServiceProcess& operator=(const ServiceProcess&) = delete;

  void send(const Step& step);
  /// The next line `reply VERB ...`, without its first word, that was not returned yet. Nullopt if the
  /// process has ended, or (then is_stuck()) has written nothing for a minute.
  [[nodiscard]] std::optional<std::string> reply();
  /// Returns when `count` more lines have been written, a reply is there, or the process has ended.
  void await_lines(std::size_t count);
  void kill();
  /// Waits for its end: its wait status. To be called once.
  int wait();

  [[nodiscard]] bool is_stuck() const { return stuck_; }
  /// Lines so far, from the one with this number on.
  [[nodiscard]] std::vector<std::string> lines_since(std::size_t first);

 private:
  void read_all();
  [[nodiscard]] bool has_reply() const { return next_reply_ < replies_.size(); }

  pid_t process_ = -1;
  int commands_ = -1;
  int history_ = -1;
  bool waited_ = false;
  bool stuck_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;    // guarded by mutex_
  std::vector<std::string> replies_;  // guarded by mutex_
  std::size_t next_reply_ = 0;        // guarded by mutex_
  bool ended_ = false;                // guarded by mutex_
  std::thread reader_;
};

}  // namespace tidings::simulation
