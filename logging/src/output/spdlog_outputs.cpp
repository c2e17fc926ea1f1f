#include "output/spdlog_outputs.hpp"

#include "output/captured_line.hpp"

#include <tidings/logging/logger.hpp>

#include <spdlog/fmt/fmt.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/version.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace tidings::logging {

namespace {

spdlog::level::level_enum spdlog_level(Level level) noexcept {
  constexpr std::array kLevels = {spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                                  spdlog::level::warn,  spdlog::level::err,   spdlog::level::critical,
                                  spdlog::level::off};
  return kLevels[static_cast<std::size_t>(level)];
}

spdlog::string_view_t spdlog_text(std::string_view text) noexcept { return {text.data(), text.size()}; }

spdlog::log_clock::time_point spdlog_time(const VisibleRecord& record) noexcept {
  return spdlog::log_clock::time_point(record.timestamp().time_since_epoch());
}

template <class... Sinks>
bool is_one_of(const spdlog::sinks::sink& sink) noexcept {
  return ((dynamic_cast<const Sinks*>(&sink) != nullptr) || ...);
}

/// Whether a person sees at once what the sink writes. Of spdlog's sinks those to the standard streams can be
/// asked; no other one is taken for a terminal.
bool writes_to_terminal(const spdlog::sinks::sink& sink) noexcept {
  using namespace spdlog::sinks;
  if (is_one_of<stdout_sink_mt, stdout_sink_st, ansicolor_stdout_sink_mt, ansicolor_stdout_sink_st>(sink))
    return ::isatty(STDOUT_FILENO) == 1;
  return is_one_of<stderr_sink_mt, stderr_sink_st, ansicolor_stderr_sink_mt, ansicolor_stderr_sink_st>(
             sink) &&
         ::isatty(STDERR_FILENO) == 1;
}

class SpdlogSink final : public RecordSink {
 public:
  explicit SpdlogSink(std::shared_ptr<spdlog::sinks::sink> sink) : sink_(std::move(sink)) {
    sink_->set_pattern("%v");
  }

  void write(const VisibleRecord& record) override {
    const auto level = spdlog_level(record.level());
    if (!sink_->should_log(level)) return;
    sink_->log(spdlog::details::log_msg(spdlog_time(record), kFromRecord, spdlog_text(record.logger()), level,
                                        spdlog_text(record.line())));
  }
  void flush() override { sink_->flush(); }
  [[nodiscard]] bool is_terminal() const noexcept override { return writes_to_terminal(*sink_); }
  [[nodiscard]] std::string destination() const override { return "spdlog"; }

 private:
  const std::shared_ptr<spdlog::sinks::sink> sink_;
};

class SpdlogLogger final : public RecordSink {
 public:
  explicit SpdlogLogger(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {}

  void write(const VisibleRecord& record) override {
    const auto level = spdlog_level(record.level());
    if (!logger_->should_log(level)) return;
    if (const SpdlogSinks* own = CapturedLine::sinks_of(*logger_)) {
      log_to_each(*own, spdlog::details::log_msg(spdlog_time(record), kFromRecord, logger_->name(), level,
                                                 spdlog_text(record.line())));
    } else {
      logger_->log(spdlog_time(record), kFromRecord, level, spdlog_text(record.line()));
    }
  }
  void flush() override {
    if (CapturedLine::sinks_of(*logger_) == nullptr) logger_->flush();  // else it is the one that flushes
  }
  /// Only if all its sinks write to one: a line of colours in a file is worse than JSON on a screen.
  [[nodiscard]] bool is_terminal() const noexcept override {
    const auto& sinks = logger_->sinks();
    return !sinks.empty() && std::all_of(sinks.begin(), sinks.end(),
                                         [](const auto& sink) { return writes_to_terminal(*sink); });
  }
  [[nodiscard]] std::string destination() const override { return "spdlog logger=" + logger_->name(); }

 private:
  const std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace

std::shared_ptr<RecordSink> detail::record_sink(std::shared_ptr<spdlog::sinks::sink> sink) {
  return sink ? std::make_shared<SpdlogSink>(std::move(sink)) : nullptr;
}

Json library_versions() {
  const auto text = [](int major, int minor, int patch) {
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
  };
  Json versions = Json::object();
  versions["spdlog_version"] = text(SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH);
  versions["fmt_version"] = text(FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
  return versions;
}

std::shared_ptr<RecordSink> spdlog_logger_sink(std::shared_ptr<spdlog::logger> logger) {
  return std::make_shared<SpdlogLogger>(std::move(logger));
}

}  // namespace tidings::logging
