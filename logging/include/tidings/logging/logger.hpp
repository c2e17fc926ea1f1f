#pragma once

#include <tidings/clock.hpp>
#include <tidings/logging/level.hpp>
#include <tidings/logging/process_fields.hpp>
#include <tidings/logging/record.hpp>
#include <tidings/logging/redactor.hpp>
#include <tidings/logging/sink.hpp>
#include <tidings/logging/source_location.hpp>
#include <tidings/logging/value.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spdlog {
class logger;
namespace sinks {
class sink;
}
}  // namespace spdlog

namespace tidings::logging {

/// How a record is written.
enum class Format : std::uint8_t {
  Auto,  ///< The value of TIDINGS_LOG_FORMAT (`json`, `console`); else each sink has its own: console if what
         ///< it writes to is a terminal, else JSON.
  Json,  ///< One JSON object a line, ASCII only.
  Console,  ///< For people to read. Coloured only on a terminal, unless NO_COLOR is set or TERM is `dumb`.
};

namespace detail {
[[nodiscard]] std::shared_ptr<RecordSink> record_sink(std::shared_ptr<spdlog::sinks::sink> sink);
}

/// A sink, the format of its lines and the lowest level that it gets. Made implicitly from a RecordSink
/// (stdout_sink, file_sink, one of your own) or from a spdlog sink, whose pattern is set to `%v`: the record
/// is rendered before spdlog sees it.
struct Output {  // NOLINTBEGIN(google-explicit-constructor): a list of sinks is a list of outputs
  template <class Sink>
  requires std::convertible_to<std::shared_ptr<Sink>, std::shared_ptr<RecordSink>> Output(
      std::shared_ptr<Sink> to, Format as = Format::Auto, Level from = Level::Trace)
      : sink(std::move(to)), format(as), level(from) {}
  template <class Sink>
  requires std::convertible_to<std::shared_ptr<Sink>, std::shared_ptr<spdlog::sinks::sink>> Output(
      std::shared_ptr<Sink> to, Format as = Format::Auto, Level from = Level::Trace)
      : sink(detail::record_sink(std::move(to))),
        format(as),
        level(from) {}  // NOLINTEND(google-explicit-constructor)

  std::shared_ptr<RecordSink> sink;
  /// Auto: LoggerOptions::format.
  Format format;
  /// Records below this level are not written here. Whether a record is made at all is for the level of its
  /// logger to say (LoggerOptions::level, Logger::set_level).
  Level level;
};

/// Where the records of some loggers go, besides or instead of the other outputs.
struct Route {
  /// Records of loggers of this name, and of those whose name begins with it and a dot.
  std::string logger = {};
  std::vector<Output> sinks = {};
  /// Records below this level are written to none of these; Output::level has a level for one of them.
  Level level = Level::Trace;
  /// Not set: LoggerOptions::redactor. Null: nothing is redacted here.
  std::optional<std::shared_ptr<const Redactor>> redactor = std::nullopt;
  /// Whether its records also go to the routes of shorter names, and to LoggerOptions::sinks. False keeps
  /// all of them here, also those below `level`.
  bool propagate = true;
};

struct LoggerOptions {
  /// The field `service`; may be empty.
  std::string service = {};
  /// The field `logger`; may be empty. Dots make a hierarchy: `orders.import`.
  std::string name = {};
  /// Records below this level are not made. Not set: the value of TIDINGS_LOG_LEVEL (`info`, or
  /// `warning,orders.import=debug`), else Info.
  std::optional<Level> level = std::nullopt;
  Format format = Format::Auto;
  /// Where records go: stdout_sink(), file_sink({...}), a RecordSink of your own, spdlog sinks (thread-safe
  /// ones, `_mt`). None, and neither routes nor a spdlog_logger: the value of TIDINGS_LOG_OUTPUT, else
  /// standard error.
  std::vector<Output> sinks = {};
  /// For some loggers, by name.
  std::vector<Route> routes = {};
  /// Your own spdlog logger, which may be asynchronous, instead of sinks. It gets the rendered line; its
  /// pattern, level and error handler stay as they are (set the pattern `%v` so that a line holds only the
  /// record).
  std::shared_ptr<spdlog::logger> spdlog_logger = nullptr;
  /// Not set: those that TIDINGS_LOG_PROCESS_FIELDS names (`host,pid`, `all`, `none`), else
  /// ProcessFields().
  std::optional<ProcessFields> process_fields = std::nullopt;
  /// Records of this level and above say where they were logged: `source_file` (the folder and the name),
  /// `source_line` and `source_function`; Off: none.
  /// Not set: the value of TIDINGS_LOG_SOURCE (`warning`), else Off. Those of tidings' own never do.
  std::optional<Level> source_from = std::nullopt;
  /// Null: nothing is redacted.
  std::shared_ptr<const Redactor> redactor = default_redactor();
  /// In this order.
  std::vector<Processor> processors = {};
  std::shared_ptr<Clock> clock = system_clock();
  /// Sinks are flushed after a record of this level or above.
  Level flush_on = Level::Error;
  /// A longer text is cut, and its end says so. At least 64.
  std::size_t max_text_bytes = 65'536;
};

namespace detail {
struct LoggerState;
}

/// Writes structured records: an event name and typed fields, never a formatted sentence.
///
///     const Logger log = Logger({.service = "orders"}).child("import");
///     const Logger job = log.bind({{"file", path}});
///     job.info("import_finished", {{"rows", rows}, {"duration_ms", 12.5}});
///
/// A record carries, in this order: its reserved fields (see is_reserved_name; those of the current context
/// and of the handled event are filled in automatically), the fields bound to the logger, what the running
/// handler has bound (EventContext::bind), the fields of the current context (Context), and its own. Each
/// name occurs once: own fields win over bound ones, and bound ones over those of the context.
///
/// A Logger is an immutable value, cheap to copy and to keep; all members may be called from any number of
/// threads at once. Logging never throws and never fails the caller: a record that cannot be written is
/// counted (`dropped`) and reported on standard error. Sinks, processors and lazy fields run on the calling
/// thread; a sink must not log to a logger it serves.
class Logger {
 public:
  /// The process's default logger: standard error and the environment's settings, unless set_default() chose
  /// another.
  Logger() noexcept;
  /// Throws Error(InvalidArgument): a service or name that is not empty and breaks is_valid_name, sinks
  /// beside a spdlog_logger, a null sink or clock, or max_text_bytes below 64.
  explicit Logger(LoggerOptions options);
  Logger(const Logger&) noexcept = default;
  Logger& operator=(const Logger&) noexcept = default;
  ~Logger() = default;

  /// Sets what default-constructed loggers are from now on; existing loggers do not change.
  static void set_default(const Logger& logger);

  /// Whether a record of this level would be made. One relaxed atomic load.
  [[nodiscard]] bool enabled(Level level) const noexcept {
    return static_cast<std::uint8_t>(level) >= threshold_->load(std::memory_order_relaxed);
  }

  /// `event` is a constant name in snake_case: `import_finished`. Disabled: costs what enabled() costs.
  /// A function that logs for its callers takes a SourceLocation itself, and passes it on.
  void log(Level level, std::string_view event, std::span<const Field> fields,
           SourceLocation source = SourceLocation::current()) const noexcept {
    if (enabled(level)) write(level, event, fields, source.file, source.line, source.function);
  }
  void log(Level level, std::string_view event, std::initializer_list<Field> fields = {},
           SourceLocation source = SourceLocation::current()) const noexcept {
    log(level, event, std::span<const Field>(fields.begin(), fields.size()), source);
  }

  void trace(std::string_view event, std::initializer_list<Field> fields = {},
             SourceLocation source = SourceLocation::current()) const noexcept {
    log(Level::Trace, event, fields, source);
  }
  void debug(std::string_view event, std::initializer_list<Field> fields = {},
             SourceLocation source = SourceLocation::current()) const noexcept {
    log(Level::Debug, event, fields, source);
  }
  void info(std::string_view event, std::initializer_list<Field> fields = {},
            SourceLocation source = SourceLocation::current()) const noexcept {
    log(Level::Info, event, fields, source);
  }
  void warning(std::string_view event, std::initializer_list<Field> fields = {},
               SourceLocation source = SourceLocation::current()) const noexcept {
    log(Level::Warning, event, fields, source);
  }
  void error(std::string_view event, std::initializer_list<Field> fields = {},
             SourceLocation source = SourceLocation::current()) const noexcept {
    log(Level::Error, event, fields, source);
  }
  void critical(std::string_view event, std::initializer_list<Field> fields = {},
                SourceLocation source = SourceLocation::current()) const noexcept {
    log(Level::Critical, event, fields, source);
  }

  /// A logger with these fields besides its own; a name it already has gets the new value. Values are copied;
  /// a lazy one is evaluated for each record, so what it refers to must outlive the logger.
  [[nodiscard]] Logger bind(std::initializer_list<Field> fields) const;
  [[nodiscard]] Logger bind(std::span<const Field> fields) const;
  /// A logger without these bound fields.
  [[nodiscard]] Logger unbind(std::initializer_list<std::string_view> names) const;
  /// A logger named `NAME.name` (or `name`, if it has none). Use few, constant names: each is remembered for
  /// the life of the process.
  [[nodiscard]] Logger child(std::string_view name) const;
  [[nodiscard]] Logger with_service(std::string_view service) const;
  /// A logger of this very name, whatever its own is; see child() for what names cost.
  [[nodiscard]] Logger with_name(std::string_view name) const;

  [[nodiscard]] std::string_view name() const noexcept;
  [[nodiscard]] std::string_view service() const noexcept;

  /// Sets the level of all loggers made from the same Logger(LoggerOptions) whose name is `prefix` or begins
  /// with `prefix.`, now and later; the longest prefix wins. An empty prefix means all.
  void set_level(std::string_view prefix, Level level) const;
  [[nodiscard]] Level level() const noexcept;

  /// Records lost so far because a sink threw (flushing included) or memory ran out, by all loggers made from
  /// the same Logger(LoggerOptions). Records that a spdlog_logger's own error handler swallows are not
  /// counted.
  [[nodiscard]] std::uint64_t dropped() const noexcept;
  /// Flushes all sinks.
  void flush() const noexcept;
  [[nodiscard]] const std::shared_ptr<const Redactor>& redactor() const noexcept;

 private:
  friend struct detail::LoggerState;
  explicit Logger(std::shared_ptr<const detail::LoggerState> state) noexcept;
  // The place in three parts: as a whole, compilers would make it before they look whether it is needed.
  void write(Level level, std::string_view event, std::span<const Field> fields, const char* file,
             std::uint32_t line, const char* function) const noexcept;

  std::shared_ptr<const detail::LoggerState> state_;
  const std::atomic<std::uint8_t>* threshold_;  // owned by what state_ owns, or static
};

namespace detail {

/// For tidings' own records: their fields may have reserved names (except timestamp, level, event and
/// logger), and then win over the ambient ones. Fields in `fields` whose reserved name has a null value are
/// left out.
void log_reserved(const Logger& logger, Level level, std::string_view event,
                  std::span<const Field> fields) noexcept;
inline void log_reserved(const Logger& logger, Level level, std::string_view event,
                         std::initializer_list<Field> fields) noexcept {
  log_reserved(logger, level, event, std::span<const Field>(fields.begin(), fields.size()));
}

/// What the record `bus_started` says of a logger and of its sinks, as an object of fields by name, and the
/// versions of spdlog and fmt. Throws std::bad_alloc.
[[nodiscard]] Json configuration_of(const Logger& logger);

}  // namespace detail

}  // namespace tidings::logging
