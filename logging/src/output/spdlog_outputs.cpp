#include "output/spdlog_outputs.hpp"

#include <tidings/logging/logger.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>

#include <array>
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

class SpdlogSink final : public RecordSink {
 public:
  explicit SpdlogSink(std::shared_ptr<spdlog::sinks::sink> sink) : sink_(std::move(sink)) {
    sink_->set_pattern("%v");
  }

  void write(const VisibleRecord& record) override {
    const auto level = spdlog_level(record.level());
    if (!sink_->should_log(level)) return;
    sink_->log(spdlog::details::log_msg(spdlog_time(record), spdlog::source_loc{},
                                        spdlog_text(record.logger()), level, spdlog_text(record.line())));
  }
  void flush() override { sink_->flush(); }

 private:
  const std::shared_ptr<spdlog::sinks::sink> sink_;
};

class SpdlogLogger final : public RecordSink {
 public:
  explicit SpdlogLogger(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {}

  void write(const VisibleRecord& record) override {
    const auto level = spdlog_level(record.level());
    if (!logger_->should_log(level)) return;
    logger_->log(spdlog_time(record), spdlog::source_loc{}, level, spdlog_text(record.line()));
  }
  void flush() override { logger_->flush(); }

 private:
  const std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace

std::shared_ptr<RecordSink> detail::record_sink(std::shared_ptr<spdlog::sinks::sink> sink) {
  return sink ? std::make_shared<SpdlogSink>(std::move(sink)) : nullptr;
}

std::shared_ptr<RecordSink> spdlog_logger_sink(std::shared_ptr<spdlog::logger> logger) {
  return std::make_shared<SpdlogLogger>(std::move(logger));
}

}  // namespace tidings::logging
