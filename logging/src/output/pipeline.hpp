#pragma once

#include "destinations/notice.hpp"
#include "output/environment.hpp"
#include "output/level_table.hpp"
#include "output/rendering.hpp"
#include "record/scratch.hpp"

#include <tidings/logging/logger.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::logging {

/// All that the loggers made from one Logger(LoggerOptions) share: levels, processors, and where records go.
/// Constant after construction but for the levels and the counter, which are thread-safe.
class Pipeline {
 public:
  /// Problems of the environment that show only when it is used are added to its own.
  Pipeline(LoggerOptions unchecked, Environment& environment);

  /// Processes the record that `scratch` holds, and hands it to the sinks. Throws what processing throws; a
  /// failing sink is counted.
  void write(Scratch& scratch);
  /// Processes it, and appends it as JSON with its line end, for a sink that is not among the pipeline's.
  void render(Scratch& scratch, std::string& out) const;
  /// The fields of detail::configuration_of but for `log_level`. Throws std::bad_alloc.
  [[nodiscard]] Json configuration() const;
  void flush() noexcept;
  /// Counts a lost record and, now and then, says so on standard error, with secrets masked.
  void count_loss(std::string_view why) noexcept;

  [[nodiscard]] const ProcessFields& process_fields() const noexcept { return process_fields_; }
  [[nodiscard]] LevelTable& levels() noexcept { return levels_; }
  /// Records of this level and above say where they were logged.
  [[nodiscard]] Level source_from() const noexcept { return source_from_; }
  [[nodiscard]] Timestamp now() const noexcept { return clock_->now(); }
  [[nodiscard]] std::uint64_t dropped() const noexcept;
  [[nodiscard]] const std::shared_ptr<const Redactor>& redactor() const noexcept { return redactor_; }

 private:
  struct Target {
    std::shared_ptr<RecordSink> sink;
    bool console = false;
    Level level = Level::Trace;
    Rendering rendering;
  };
  /// The outputs of the loggers below a name.
  struct Branch {
    std::string logger;  // empty: of all
    Level level = Level::Trace;
    std::shared_ptr<const Redactor> redactor;
    bool propagate = true;
    std::vector<Target> targets;
  };

  void add_route(Route route, Format format);
  void add_root(std::vector<Output> outputs, Format format);
  [[nodiscard]] Target target_of(Output output, Format format, const Redactor* redactor) const;
  [[nodiscard]] bool process(detail::RecordBuilder& builder) const;
  /// `json`, `console` or `json,console`: of the sinks that are for all loggers.
  [[nodiscard]] std::string_view formats() const noexcept;
  [[nodiscard]] std::string described(const Branch& branch, const Target& target) const;
  void write_to(const Branch& branch, const Record& record, RenderedLines& lines) noexcept;
  template <class Call>
  void guarded(const Call& call) noexcept;

  std::shared_ptr<const Redactor> redactor_;
  std::vector<Processor> processors_;
  std::shared_ptr<Clock> clock_;
  Level source_from_;
  Level flush_on_;
  std::size_t max_text_bytes_;
  ProcessFields process_fields_;
  std::vector<Branch> branches_;  // longer names first; the last is of all loggers
  LevelTable levels_;
  LossCount losses_;
};

}  // namespace tidings::logging
