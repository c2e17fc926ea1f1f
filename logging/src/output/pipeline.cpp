#include "output/pipeline.hpp"

#include <tidings/detail/what_of.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstdio>
#include <exception>

namespace tidings::logging {

namespace {

spdlog::level::level_enum spdlog_level(Level level) noexcept {
  constexpr std::array kLevels = {spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                                  spdlog::level::warn,  spdlog::level::err,   spdlog::level::critical,
                                  spdlog::level::off};
  return kLevels[static_cast<std::size_t>(level)];
}

spdlog::string_view_t spdlog_text(std::string_view text) noexcept { return {text.data(), text.size()}; }

void validate(const LoggerOptions& options) {
  const auto refuse = [](const char* why) { throw Error(ErrorCode::InvalidArgument, why); };
  if (!options.service.empty()) validate_name(options.service, "service");
  if (!options.name.empty()) validate_name(options.name, "logger name");
  if (options.spdlog_logger && !options.sinks.empty()) {
    refuse("give a logger either sinks or a spdlog_logger, not both");
  }
  for (const Output& output : options.sinks) {
    if (!output.sink) refuse("a sink of a logger is null; leave it out");
  }
  if (!options.clock) refuse("the clock of a logger is null; leave it out for the system's");
  if (options.max_text_bytes < 64) refuse("max_text_bytes must be at least 64");
}

LoggerOptions validated(LoggerOptions options) {
  validate(options);
  return options;
}

Level root_level(const LoggerOptions& options, const Environment& environment) {
  return options.level.value_or(environment.level.value_or(Level::Info));
}

}  // namespace

Pipeline::Pipeline(LoggerOptions unchecked, const Environment& environment)
    : levels_(root_level(unchecked, environment)) {
  LoggerOptions options = validated(std::move(unchecked));
  if (!options.level) {
    for (const auto& [prefix, level] : environment.level_by_prefix) levels_.set(prefix, level);
  }
  redactor_ = std::move(options.redactor);
  processors_ = std::move(options.processors);
  clock_ = std::move(options.clock);
  process_fields_ = options.process_fields.value_or(environment.process_fields.value_or(ProcessFields()));
  flush_on_ = options.flush_on;
  rendering_ = {redactor_.get(), options.max_text_bytes, false};
  const Format format = options.format == Format::Auto ? environment.format : options.format;
  spdlog_logger_ = std::move(options.spdlog_logger);
  logger_console_ = format == Format::Console;
  for (const Output& output : options.sinks) add_target(output, format);
  if (targets_.empty() && !spdlog_logger_) add_standard_error(format);
}

void Pipeline::add_target(const Output& output, Format format) {
  output.sink->set_pattern("%v");
  const Format chosen = output.format == Format::Auto ? format : output.format;
  targets_.push_back({output.sink, chosen == Format::Console, rendering_});
}

void Pipeline::add_standard_error(Format format) {
  const bool terminal = is_terminal(STDERR_FILENO);
  const bool console = format == Format::Console || (format == Format::Auto && terminal);
  add_target(std::make_shared<spdlog::sinks::stderr_sink_mt>(), console ? Format::Console : Format::Json);
  targets_.back().rendering.colour = terminal && colour_allowed();
}

void Pipeline::write(Scratch& scratch) {
  if (!process(scratch.builder)) return;
  scratch.builder.evaluate_lazy_fields();
  if (spdlog_logger_) {
    write_to_logger(scratch.builder.record(), scratch.line);
  } else {
    write_to_sinks(scratch.builder.record(), scratch.line);
  }
}

bool Pipeline::process(detail::RecordBuilder& builder) const {
  const char* problem = "the processor threw something that is not a std::exception";
  std::string text;
  try {
    for (const Processor& processor : processors_) {
      if (processor && !processor(builder.record())) return false;
    }
    return true;
  } catch (const std::exception& error) {
    text = tidings::detail::what_of(error);
    problem = text.c_str();
  } catch (...) {  // NOLINT(bugprone-empty-catch): `problem` says it
  }
  builder.reduce_to("processor_error", problem);
  return true;
}

void Pipeline::write_to_sinks(const Record& record, std::string& line) {
  const Rendering* rendered = nullptr;
  bool rendered_console = false;
  for (const Target& target : targets_) {
    const bool reusable = rendered != nullptr && rendered_console == target.console &&
                          rendered->colour == target.rendering.colour;
    if (!reusable) {
      line.clear();
      (target.console ? render_console : render_json)(record, target.rendering, line);
      rendered = &target.rendering;
      rendered_console = target.console;
    }
    write_to_sink(target, record, line);
  }
}

void Pipeline::write_to_sink(const Target& target, const Record& record, std::string_view line) noexcept {
  try {
    const auto level = spdlog_level(record.level());
    if (!target.sink->should_log(level)) return;
    target.sink->log(spdlog::details::log_msg(
        spdlog::log_clock::time_point(record.timestamp().time_since_epoch()), spdlog::source_loc{},
        spdlog_text(record.logger()), level, spdlog_text(line)));
    if (record.level() >= flush_on_) target.sink->flush();
  } catch (const std::exception& error) {
    count_loss(tidings::detail::what_of(error));
  } catch (...) {
    count_loss("the sink threw something that is not a std::exception");
  }
}

void Pipeline::write_to_logger(const Record& record, std::string& line) {
  const auto level = spdlog_level(record.level());
  if (!spdlog_logger_->should_log(level)) return;
  line.clear();
  (logger_console_ ? render_console : render_json)(record, rendering_, line);
  spdlog_logger_->log(spdlog::log_clock::time_point(record.timestamp().time_since_epoch()),
                      spdlog::source_loc{}, level, spdlog_text(line));
  if (record.level() >= flush_on_) spdlog_logger_->flush();
}

void Pipeline::flush() noexcept {
  const auto flush_one = [this](auto& destination) noexcept {
    try {
      destination.flush();
    } catch (const std::exception& error) {
      count_loss(tidings::detail::what_of(error));
    } catch (...) {
      count_loss("a sink threw something that is not a std::exception");
    }
  };
  if (spdlog_logger_) flush_one(*spdlog_logger_);
  for (const Target& target : targets_) flush_one(*target.sink);
}

// The first, second, fourth, eighth ... loss is reported: a full disk must not fill the terminal too.
void Pipeline::count_loss(const char* why) noexcept {
  const std::uint64_t lost = dropped_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (!std::has_single_bit(lost)) return;
  std::array<char, 512> notice{};
  const int size = std::snprintf(
      notice.data(), notice.size(),
      "tidings: %llu log record(s) lost so far; the last because: ", static_cast<unsigned long long>(lost));
  std::size_t end = static_cast<std::size_t>(size);
  for (const char* c = why; *c != '\0' && end + 2 < notice.size(); ++c) {
    notice[end++] = *c >= ' ' && *c <= '~' ? *c : '?';
  }
  notice[end++] = '\n';
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, notice.data(), end);
}

}  // namespace tidings::logging
