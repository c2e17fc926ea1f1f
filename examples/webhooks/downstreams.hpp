#pragma once

#include <tidings/clock.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The systems the service talks to. They live in this process, so that the example needs no network, but they
// refuse calls for the reasons that real ones have. All are thread-safe.
namespace webhooks {

/// Lets `calls` through in each window of time, as most web APIs do, and answers the others as HTTP 429 does.
class RateLimit {
 public:
  RateLimit(int calls, std::chrono::milliseconds window, std::shared_ptr<tidings::Clock> clock);

  /// Throws tidings::RetryAfter, with the time that the window still has to run.
  void admit();

 private:
  const int calls_;
  const std::chrono::milliseconds window_;
  const std::shared_ptr<tidings::Clock> clock_;
  std::mutex mutex_;
  tidings::Instant window_ends_{};  // guarded by mutex_
  int left_ = 0;                    // guarded by mutex_
};

/// What was sent, in the order it was accepted.
class Outbox {
 public:
  void add(std::string message);
  [[nodiscard]] std::vector<std::string> messages() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> messages_;  // guarded by mutex_
};

/// The team's chat: three messages in 300 milliseconds, and no more.
class Chat {
 public:
  explicit Chat(std::shared_ptr<tidings::Clock> clock)
      : limit_(3, std::chrono::milliseconds(300), std::move(clock)) {}
  void post(std::string message);
  [[nodiscard]] std::vector<std::string> posted() const { return posted_.messages(); }

 private:
  RateLimit limit_;
  Outbox posted_;
};

/// The newsletter's provider. It takes no item without a headline, however often one asks.
class Newsletter {
 public:
  void add(std::string_view headline, std::string_view text);
  [[nodiscard]] std::vector<std::string> items() const { return items_.messages(); }

 private:
  Outbox items_;
};

/// A page that anybody can read, so what happens in private repositories must not get there.
class ActivityPage {
 public:
  /// `file`: what is shown is appended to it, a line each; empty: there is none.
  explicit ActivityPage(std::filesystem::path file = {}) : file_(std::move(file)) {}
  /// Throws std::system_error when the file cannot be written.
  void show(std::string_view repository, bool is_private, std::string_view what);
  [[nodiscard]] std::vector<std::string> entries() const { return entries_.messages(); }

 private:
  void append(const std::string& entry);

  const std::filesystem::path file_;
  std::mutex one_at_a_time_;  // guards the file
  Outbox entries_;
};

}  // namespace webhooks
