#pragma once

#include "output/environment.hpp"
#include "output/level_table.hpp"
#include "output/rendering.hpp"
#include "record/scratch.hpp"

#include <tidings/logging/logger.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::logging {

/// All that the loggers made from one Logger(LoggerOptions) share: levels, processors, and where lines go.
/// Constant after construction but for the levels and the counter, which are thread-safe.
class Pipeline {
 public:
  Pipeline(LoggerOptions unchecked, const Environment& environment);

  /// Processes, renders and writes the record that `scratch` holds. Throws what rendering throws; a failing
  /// sink is counted.
  void write(Scratch& scratch);
  void flush() noexcept;
  /// Counts a lost record and, now and then, says so on standard error.
  void count_loss(const char* why) noexcept;

  [[nodiscard]] LevelTable& levels() noexcept { return levels_; }
  [[nodiscard]] const ProcessFields& process_fields() const noexcept { return process_fields_; }
  [[nodiscard]] Timestamp now() const noexcept { return clock_->now(); }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }
  [[nodiscard]] const std::shared_ptr<const Redactor>& redactor() const noexcept { return redactor_; }

 private:
  struct Target {
    std::shared_ptr<spdlog::sinks::sink> sink;
    bool console = false;
    Rendering rendering;
  };

  void add_standard_error(Format format);
  void add_target(const Output& output, Format format);
  [[nodiscard]] bool process(detail::RecordBuilder& builder) const;
  void write_to_sinks(const Record& record, std::string& line);
  void write_to_sink(const Target& target, const Record& record, std::string_view line) noexcept;
  void write_to_logger(const Record& record, std::string& line);

  std::shared_ptr<const Redactor> redactor_;
  std::vector<Processor> processors_;
  std::shared_ptr<Clock> clock_;
  ProcessFields process_fields_;
  Level flush_on_;
  Rendering rendering_;
  std::vector<Target> targets_;
  std::shared_ptr<spdlog::logger> spdlog_logger_;
  bool logger_console_ = false;
  LevelTable levels_;
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace tidings::logging
