#pragma once

#include <spdlog/details/log_msg.h>
#include <spdlog/sinks/sink.h>

#include <memory>
#include <vector>

namespace spdlog {
class logger;
}

namespace tidings::logging {

using SpdlogSinks = std::vector<std::shared_ptr<spdlog::sinks::sink>>;

/// Stands in lines that are finished records, as the function that logged them: spdlog carries it through its
/// queues, and its patterns ignore it, since there is no line number beside it.
inline constexpr char kFinishedRecord[] = "tidings: a finished record";
inline constexpr spdlog::source_loc kFromRecord{nullptr, 0, kFinishedRecord};

[[nodiscard]] inline bool is_finished_record(const spdlog::details::log_msg& line) noexcept {
  return line.source.funcname == kFinishedRecord;
}

inline void log_to_each(const SpdlogSinks& sinks, const spdlog::details::log_msg& line) {
  for (const auto& sink : sinks) {
    if (sink->should_log(line.level)) sink->log(line);
  }
}

/// While it lives, this thread makes a record of a line that was logged to `logger`, whose own sinks are
/// `sinks`. What the record becomes is written to these: through the logger it would come back, and wait for
/// itself where that is asynchronous.
class CapturedLine {
 public:
  CapturedLine(const spdlog::logger* logger, const SpdlogSinks& sinks) noexcept
      : logger_(logger), sinks_(sinks) {
    current_ = this;
  }
  CapturedLine(const CapturedLine&) = delete;
  CapturedLine& operator=(const CapturedLine&) = delete;
  ~CapturedLine() { current_ = nullptr; }

  [[nodiscard]] static bool in_progress() noexcept { return current_ != nullptr; }
  /// The own sinks of the logger if the line came from it, else null.
  [[nodiscard]] static const SpdlogSinks* sinks_of(const spdlog::logger& logger) noexcept {
    return current_ != nullptr && current_->logger_ == &logger ? &current_->sinks_ : nullptr;
  }

 private:
  static inline thread_local constinit const CapturedLine* current_ = nullptr;

  const spdlog::logger* logger_;
  const SpdlogSinks& sinks_;
};

}  // namespace tidings::logging
