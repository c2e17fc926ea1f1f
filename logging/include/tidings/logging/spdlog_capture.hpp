#pragma once

#include <tidings/logging/logger.hpp>

#include <memory>

namespace tidings::logging {

/// A spdlog sink that makes a record of each line that is logged to it, and writes it through `logger`:
/// event `log_message`, the text in the field `message`, the level, and as `logger` the name of the spdlog
/// logger (if it has none: that of `logger`). Like all records it has the fields of `logger` and of the
/// current context, and secrets in its text are masked. `source_file`, `source_line` and `source_function`
/// come from the macros of spdlog. A line is a record if the level that `logger` has under that name enables
/// it
/// (`logger.set_level("http.client", Level::Warning)`), besides the level of the spdlog logger itself.
///
/// For spdlog loggers that you make yourself; capture_spdlog is for those of others. Thread-safe, and never
/// throws: what cannot be written is counted by `logger.dropped()`, as is a line that is logged by a sink or
/// processor while it handles such a record. Behind an asynchronous spdlog logger another thread writes the
/// records: the context of the one that logged is not known there.
[[nodiscard]] std::shared_ptr<spdlog::sinks::sink> make_spdlog_sink(const Logger& logger);

/// Makes records of what an application and its libraries log to spdlog directly, as make_spdlog_sink says,
/// instead of writing it to the sinks of their loggers:
///
///     const SpdlogCapture others = capture_spdlog(log);
///     spdlog::warn("retrying {}", url);  // {... "event":"log_message", "message":"retrying ..."}
///
/// From construction on that holds for all loggers in spdlog's registry, the default one included; also for
/// the one that is LoggerOptions::spdlog_logger of `logger`: what tidings writes to it still goes to its
/// sinks. Loggers that spdlog's factories make later (spdlog::stdout_color_mt("x") ...) write to their own
/// sinks, but JSON records: the same fields, redacted. adopt() captures these, and others that were
/// registered or made the default since, as well. Loggers that are in no registry are not captured.
///
/// The destructor gives the loggers their sinks back, with the patterns that they had. spdlog does not tell
/// the global pattern: loggers that are made after the end have spdlog's default.
///
/// Construction, adopt() and the end change the sinks of loggers, which spdlog reads without a lock: they are
/// for times when no other thread logs through spdlog, such as the start of the program.
class [[nodiscard]] SpdlogCapture {
 public:
  /// Throws Error(InvalidArgument) if there is a capture already.
  explicit SpdlogCapture(const Logger& logger);
  SpdlogCapture(const SpdlogCapture&) = delete;
  SpdlogCapture& operator=(const SpdlogCapture&) = delete;
  ~SpdlogCapture();

  /// Captures the loggers that the registry has and this does not know.
  void adopt();

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// Begins the capture, which lasts as long as what is returned.
inline SpdlogCapture capture_spdlog(const Logger& logger) { return SpdlogCapture(logger); }

}  // namespace tidings::logging
