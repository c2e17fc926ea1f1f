#pragma once

#include <spdlog/sinks/base_sink.h>

#include <mutex>
#include <string>
#include <vector>

namespace tidings::logging {

/// Collects what a spdlog sink would write, pattern applied; fails on demand.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  [[nodiscard]] std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  [[nodiscard]] int flushes() {
    const std::lock_guard lock(mutex_);
    return flushes_;
  }
  void break_down() {
    const std::lock_guard lock(mutex_);
    broken_ = true;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (broken_) throw spdlog::spdlog_ex("disk full\n");
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    lines_.emplace_back(formatted.data(), formatted.size());
  }
  void flush_() override {
    if (broken_) throw 42;
    ++flushes_;
  }

 private:
  std::vector<std::string> lines_;
  int flushes_ = 0;
  bool broken_ = false;
};

}  // namespace tidings::logging
