#pragma once

#include <tidings/clock.hpp>
#include <tidings/event.hpp>
#include <tidings/logging/level.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tidings::logging {

class Record;
struct Rendering;
struct RenderedLines;
class Pipeline;

/// A record as sinks see it: secrets are masked by the redactor of its logger or route, and long texts are
/// cut. Valid until RecordSink::write returns.
class VisibleRecord {
 public:
  VisibleRecord(const VisibleRecord&) = delete;
  VisibleRecord& operator=(const VisibleRecord&) = delete;
  ~VisibleRecord() = default;

  [[nodiscard]] Timestamp timestamp() const noexcept;
  [[nodiscard]] Level level() const noexcept;
  [[nodiscard]] std::string_view event() const noexcept;
  /// The logger's name; may be empty.
  [[nodiscard]] std::string_view logger() const noexcept;
  /// Those of the `traceparent` that `trace_id` and `span_id` are of: bit 0 is sampled. 0: without a trace.
  [[nodiscard]] std::uint8_t trace_flags() const noexcept;

  /// The field of that name, any that the line has, as `json()` has it: masked, and cut if it is long.
  /// Nothing if there is none, also because the redactor has removed it. Throws std::bad_alloc.
  [[nodiscard]] std::optional<Json> find(std::string_view name) const;
  /// All of them, as one object. Throws std::bad_alloc.
  [[nodiscard]] Json fields() const;

  /// The line without its end, in the format that was chosen for this sink. Rendered when it is first asked
  /// for, once for all sinks that are given the same. Throws std::bad_alloc.
  [[nodiscard]] std::string_view line() const { return without_end(text()); }
  /// All fields as one JSON object, whatever the format. Throws std::bad_alloc.
  [[nodiscard]] std::string_view json() const { return without_end(text_as(false)); }
  /// line() and LF.
  [[nodiscard]] std::string_view text() const { return text_as(console_); }
  [[nodiscard]] bool is_console() const noexcept { return console_; }

 private:
  friend class Pipeline;
  VisibleRecord(const Record& record, const Rendering& rendering, bool console, RenderedLines& lines) noexcept
      : record_(record), rendering_(rendering), lines_(lines), console_(console) {}
  [[nodiscard]] std::string_view text_as(bool console) const;
  [[nodiscard]] static std::string_view without_end(std::string_view text) noexcept {
    return text.substr(0, text.size() - 1);
  }

  const Record& record_;
  const Rendering& rendering_;
  RenderedLines& lines_;
  bool console_;
};

/// Where records go: the port for error reporters, streams and files. Implementations are thread-safe; they
/// are called on the threads that log, and must not log to a logger that they serve.
class RecordSink {
 public:
  RecordSink() = default;
  RecordSink(const RecordSink&) = delete;
  RecordSink& operator=(const RecordSink&) = delete;
  virtual ~RecordSink() = default;

  /// Takes one record. What it throws counts the record as lost; the other sinks still get it.
  virtual void write(const VisibleRecord& record) = 0;
  /// Brings what was taken to its destination, and returns when that is done. Logger::flush calls it.
  virtual void flush() {}
  /// The same, but a sink with a queue of its own need not wait. Called after each record of
  /// LoggerOptions::flush_on or above.
  virtual void flush_soon() { flush(); }
  /// Whether a person reads at once what is written: what Format::Auto asks, once, when the logger is made.
  [[nodiscard]] virtual bool is_terminal() const noexcept { return false; }
  /// Where records go from here, for the record `bus_started`: `stdout`, or a path and how its file is
  /// rotated. Throws std::bad_alloc.
  [[nodiscard]] virtual std::string destination() const { return "custom"; }
  /// Records that were lost after write had returned, ever since. Logger::dropped adds them.
  [[nodiscard]] virtual std::uint64_t lost() const noexcept { return 0; }
};

/// How lines get to a stream or file.
struct StreamSinkOptions {
  /// 0: the thread that logs writes its line itself, with one system call. Else lines wait in a queue of this
  /// many bytes, at least 64 KiB, for a thread of the sink's own: a slow disk or pipe delays nobody who logs.
  /// Lines that find no room are lost and counted: a record `log_records_lost` says how many when there is
  /// room again. The queue is written out by flush(), when the sink is destroyed, and when the process
  /// exits; each waits at most 5 s for a destination that takes nothing. What it holds is lost when the
  /// process is killed.
  std::size_t queue_bytes = 0;
};

/// Standard output or standard error of the process, whatever they are redirected to when a line is written.
/// A line is one write: readers of a pipe never see half of one, unless the process is killed within a line
/// longer than the pipe takes at once. A reader that went away raises SIGPIPE as for all programs: services
/// that log to a pipe ignore it, and lines that cannot be written are counted as lost.
/// Throw Error(InvalidArgument) for bounds, and Error(NoThreads).
[[nodiscard]] std::shared_ptr<RecordSink> stdout_sink(const StreamSinkOptions& options = {});
[[nodiscard]] std::shared_ptr<RecordSink> stderr_sink(const StreamSinkOptions& options = {});

struct FileSinkOptions {
  /// Made if it is not there; appended to if it is. Its folder must exist. A relative path is of the folder
  /// that the process is in when the sink is made. Where it is a symbolic link, the file that it names is
  /// rotated, and the link stays. A device or a stream such as /dev/stdout is never rotated.
  std::filesystem::path path = {};
  /// The file is rotated before a line that would make it larger than this. 0: never for its size.
  std::uint64_t max_bytes = 0;
  /// The file is rotated before the first line of a new period: of a new day (UTC) for 24 h, of a new hour
  /// for 1 h. A clock that is set back begins none. 0: never for its age.
  std::chrono::seconds max_age{0};
  /// How many rotated files stay: `app.log.1` is the newest, `app.log.7` the oldest. At least 1.
  unsigned keep = 7;
  /// Permissions of files that it makes, less the process's umask.
  unsigned mode = 0600;
  /// See StreamSinkOptions.
  std::size_t queue_bytes = 0;
  /// For rotation by age, and for looking once a second whether the path names another file.
  std::shared_ptr<Clock> clock = system_clock();
};

/// A file of lines. A line is in it whole or not at all: what a full disk cut off is taken back, and a line
/// that a killed process left unfinished is ended when the file is opened next. Only where several processes
/// write it may the line of one that goes on be glued to a large one that a killed one left, and one that
/// opens it while another writes a large line may add an empty line.
///
/// Works beside logrotate: within a second of the path naming another file (or none) that file is opened (or
/// made), and reopen_log_files() makes it happen with the next line. `copytruncate` works as well. Several
/// processes may write to one file; its rotation is done by one of them.
///
/// If the file cannot be rotated or opened again, lines still go to the one that is open, and standard error
/// says why; it is tried again. Lines that cannot be written are counted as lost.
/// Throws Error(InvalidArgument) when the file cannot be opened, saying why, or an option breaks its bounds;
/// Error(NoThreads).
[[nodiscard]] std::shared_ptr<RecordSink> file_sink(FileSinkOptions options);

/// Whether TIDINGS_LOG_OUTPUT names a destination for this logger, or for one of those above it: for programs
/// that log what they do only where they are told to.
[[nodiscard]] bool has_output_of_its_own(std::string_view logger);

/// Makes every file sink of the process open its path again before its next line. May be called from a signal
/// handler: `std::signal(SIGHUP, [](int) { tidings::logging::reopen_log_files(); })`.
void reopen_log_files() noexcept;

}  // namespace tidings::logging
