#include <tidings/logging/spdlog_capture.hpp>

#include "output/captured_line.hpp"
#include "output/foreign_line.hpp"

#include <tidings/detail/mutex.hpp>
#include <tidings/detail/what_of.hpp>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::logging {

namespace {

constexpr std::size_t kMostNames = 1000;  // what has so many loggers makes their names up

Level level_of(spdlog::level::level_enum level) noexcept {
  constexpr std::array kLevels = {Level::Trace,   Level::Debug, Level::Info,
                                  Level::Warning, Level::Error, Level::Critical};
  return kLevels[std::min(static_cast<std::size_t>(level), kLevels.size() - 1)];
}

ForeignLine foreign_line(const spdlog::details::log_msg& line) noexcept {
  const auto source = line.source.empty()
                          ? SourceLocation{}
                          : SourceLocation{line.source.filename, static_cast<std::uint32_t>(line.source.line),
                                           line.source.funcname};
  return {std::chrono::floor<std::chrono::microseconds>(line.time),
          static_cast<std::int64_t>(line.thread_id),
          level_of(line.level),
          source,
          {line.payload.data(), line.payload.size()}};
}

}  // namespace

namespace detail {

/// Makes records of lines, with the loggers of their names.
class LineRecorder {
 public:
  explicit LineRecorder(const Logger& logger) : logger_(logger) {}

  void write(const spdlog::details::log_msg& line) noexcept {
    guarded([&] {
      const ForeignLine foreign = foreign_line(line);
      const Logger logger = named({line.logger_name.data(), line.logger_name.size()});
      if (logger.enabled(foreign.level)) log_line(logger, foreign);
    });
  }
  void render(const spdlog::details::log_msg& line, std::string& out) noexcept {
    guarded([&] {
      const ForeignLine foreign = foreign_line(line);
      const Logger logger = named({line.logger_name.data(), line.logger_name.size()});
      if (logger.enabled(foreign.level)) render_line(logger, foreign, out);
    });
  }
  void count_loss(const char* why) noexcept { count_lost_line(logger_, why); }
  void flush() noexcept { logger_.flush(); }

  /// From here on what still formats with it, formats as spdlog does.
  void end() noexcept { ended_.store(true); }
  [[nodiscard]] bool has_ended() const noexcept { return ended_.load(); }

 private:
  template <class Call>
  void guarded(const Call& call) noexcept {
    try {
      call();
    } catch (const std::exception& error) {
      count_loss(tidings::detail::what_of(error));
    }
  }

  Logger named(std::string_view name) {
    if (name.empty()) return logger_;
    const tidings::detail::MutexLock lock(mutex_);
    const auto known = by_name_.find(name);
    if (known != by_name_.end()) return known->second;
    if (by_name_.size() >= kMostNames) return logger_;
    return by_name_.emplace(name, renamed(logger_, name)).first->second;
  }

  const Logger logger_;
  std::atomic<bool> ended_{false};
  tidings::detail::Mutex mutex_;
  std::map<std::string, Logger, std::less<>> by_name_ TIDINGS_GUARDED_BY(mutex_);
};

/// Takes the lines of a logger whose own sinks it keeps, or of several without.
class CapturingSink final : public spdlog::sinks::sink {
 public:
  explicit CapturingSink(std::shared_ptr<LineRecorder> recorder, const spdlog::logger* logger = nullptr,
                         SpdlogSinks sinks = {})
      : recorder_(std::move(recorder)), logger_(logger), sinks_(std::move(sinks)) {}

  void log(const spdlog::details::log_msg& line) override {
    if (is_finished_record(line) && logger_ != nullptr) {
      log_to_each(sinks_, line);
    } else if (is_finished_record(line) || CapturedLine::in_progress()) {
      recorder_->count_loss("it was logged to spdlog while a line of spdlog was made a record");
    } else {
      const CapturedLine captured(logger_, sinks_);
      recorder_->write(line);
    }
  }
  void flush() override {
    for (const auto& own : sinks_) own->flush();
    if (CapturedLine::in_progress()) return;
    const CapturedLine captured(logger_, sinks_);  // else the pipeline would flush its logger, and that this
    recorder_->flush();
  }
  // A record's format is its logger's.
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

  [[nodiscard]] const SpdlogSinks& own_sinks() const noexcept { return sinks_; }

 private:
  const std::shared_ptr<LineRecorder> recorder_;
  const spdlog::logger* const logger_;
  const SpdlogSinks sinks_;
};

/// What spdlog gives to the sinks of loggers that it makes. They keep it when the capture has ended.
class RecordFormatter final : public spdlog::formatter {
 public:
  explicit RecordFormatter(std::shared_ptr<LineRecorder> recorder) : recorder_(std::move(recorder)) {}

  void format(const spdlog::details::log_msg& line, spdlog::memory_buf_t& out) override {
    if (recorder_->has_ended()) return after_the_end_.format(line, out);
    std::string text;
    if (is_finished_record(line)) {
      text.assign(line.payload.data(), line.payload.size()).push_back('\n');
    } else {
      recorder_->render(line, text);
    }
    out.append(text.data(), text.data() + text.size());
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<RecordFormatter>(recorder_);
  }

 private:
  const std::shared_ptr<LineRecorder> recorder_;
  spdlog::pattern_formatter after_the_end_;
};

}  // namespace detail

namespace {

std::atomic<bool>& is_capturing() noexcept {
  static std::atomic<bool> capturing{false};
  return capturing;
}

}  // namespace

std::shared_ptr<spdlog::sinks::sink> make_spdlog_sink(const Logger& logger) {
  return std::make_shared<detail::CapturingSink>(std::make_shared<detail::LineRecorder>(logger));
}

class SpdlogCapture::State {
 public:
  explicit State(const Logger& logger) : recorder_(std::make_shared<detail::LineRecorder>(logger)) {
    capture_all();
    spdlog::set_formatter(std::make_unique<detail::RecordFormatter>(recorder_));
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // A formatter is set for the sinks of all loggers: those that were captured get theirs back after it, with
  // the patterns that they have.
  ~State() {
    recorder_->end();
    spdlog::set_formatter(std::make_unique<spdlog::pattern_formatter>());
    give_back();
  }

  void capture_all() {
    spdlog::apply_all([this](const std::shared_ptr<spdlog::logger>& logger) {
      if (!has_captured(*logger)) capture(logger);
    });
  }

 private:
  struct Captured {
    std::shared_ptr<spdlog::logger> logger;
    std::shared_ptr<detail::CapturingSink> sink;
  };

  [[nodiscard]] bool has_captured(const spdlog::logger& logger) const {
    return std::any_of(captured_.begin(), captured_.end(), [&](const Captured& each) {
      return each.logger.get() == &logger && is_in(logger.sinks(), each.sink);
    });
  }
  [[nodiscard]] static bool is_in(const SpdlogSinks& sinks,
                                  const std::shared_ptr<detail::CapturingSink>& sink) {
    return std::find(sinks.begin(), sinks.end(), sink) != sinks.end();
  }

  void capture(const std::shared_ptr<spdlog::logger>& logger) {
    auto sink = std::make_shared<detail::CapturingSink>(recorder_, logger.get(), logger->sinks());
    captured_.push_back({logger, sink});
    logger->sinks() = {std::move(sink)};
  }

  /// What the application has added since stays.
  void give_back() {
    for (const Captured& each : captured_) {
      SpdlogSinks& sinks = each.logger->sinks();
      const auto place = std::find(sinks.begin(), sinks.end(), each.sink);
      if (place == sinks.end()) continue;
      const SpdlogSinks& own = each.sink->own_sinks();
      sinks.insert(sinks.erase(place), own.begin(), own.end());
    }
  }

  std::shared_ptr<detail::LineRecorder> recorder_;
  std::vector<Captured> captured_;
};

SpdlogCapture::SpdlogCapture(const Logger& logger) {
  if (is_capturing().exchange(true)) {
    throw Error(ErrorCode::InvalidArgument,
                "lines of spdlog are captured already; end that capture before another begins");
  }
  try {
    state_ = std::make_unique<State>(logger);
  } catch (...) {
    is_capturing().store(false);
    throw;
  }
}

SpdlogCapture::~SpdlogCapture() {
  state_.reset();
  is_capturing().store(false);
}

void SpdlogCapture::adopt() { state_->capture_all(); }

}  // namespace tidings::logging
