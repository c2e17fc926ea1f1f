#pragma once

#include "dead_letters/command.hpp"

#include <csignal>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::dead_letters {

/// While it lives, Ctrl-C and SIGTERM ask a long change to stop rather than end the process. One at a time.
class Interruption {
 public:
  Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();

  [[nodiscard]] static bool requested() noexcept;

 private:
  struct sigaction previous_interrupt_ {};
  struct sigaction previous_terminate_ {};
};

/// One line on a terminal that says how far a long command is, rewritten at most ten times a second. Writes
/// nothing with --quiet, with --json, or when the standard error is no terminal.
class ProgressLine {
 public:
  explicit ProgressLine(Command& command);
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { clear(); }

  /// `total` 0: not known. `detail` follows the count.
  void show(std::string_view what, std::int64_t done, std::int64_t total, std::string_view detail = {});
  void clear();

 private:
  Command& command_;
  bool active_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_{};
};

/// Runs a change of many letters with a watch that shows how far it is and ends it on Ctrl-C. When it fails
/// on its way, says how far it got, and throws on.
template <class Run>
auto run_watched(Command& command, ProgressLine& line, std::string_view done, std::int64_t total, Run run) {
  deadletter::Progress latest;
  const deadletter::Watch watch{.progress =
                                    [&](const deadletter::Progress& progress) {
                                      latest = progress;
                                      line.show(done, progress.changed, total);
                                    },
                                .stop = [] { return Interruption::requested(); }};
  try {
    auto result = run(watch);
    line.clear();
    return result;
  } catch (...) {
    line.clear();
    if (latest.changed > 0) {
      command.warn("it failed on its way: " + counted(latest.changed, "letter") + " " +
                   (latest.changed == 1 ? "was " : "were ") + std::string(done) +
                   ", the rest is as it was; the same command goes on");
    }
    throw;
  }
}

/// What a changing verb says before, while and after it changes letters chosen by a filter.
struct LongChange {
  /// `discarded`.
  std::string_view done;
  /// `No unresolved letters match`.
  std::string_view nothing;
  std::function<deadletter::Progress(const deadletter::Filter&, const deadletter::Watch&)> run;
};

/// Counts what a filter would change.
[[nodiscard]] std::int64_t count_of(Command& command, const deadletter::Filter& filter);

/// The same for a ProgressLine; 0 where none is shown. Goes before an Interruption: while it counts, Ctrl-C
/// ends the process at once, since nothing was changed.
[[nodiscard]] std::int64_t total_to_show(Command& command, const deadletter::Filter& filter);

/// What a dry run has found out.
struct Plan {
  std::int64_t letters = 0;
  /// Left alone, as a handler is at work on them.
  std::int64_t running = 0;
  /// More that were chosen and cannot be delivered again, which was said already.
  std::int64_t without_payload = 0;
  std::int64_t without_handler = 0;
  std::int64_t held_back = 0;
  /// The largest causes.
  std::vector<deadletter::Group> groups = {};
};
[[nodiscard]] Plan plan_of(Command& command, deadletter::Filter filter);
[[nodiscard]] OrderedJson to_json(const Command& command, const Plan& plan);
/// For people: how many letters, of which causes, and that nothing was changed.
void print_plan(Command& command, const Plan& plan, std::string_view done);

/// The whole of --dry-run. Data when named letters are in no state to be changed, which is said, too.
[[nodiscard]] ExitStatus say_what_would_happen(Command& command, const deadletter::Filter& filter,
                                               std::string_view done);

/// Runs it with progress and says how far it got. `advice` is said when something was changed.
[[nodiscard]] ExitStatus run_long_change(Command& command, const deadletter::Filter& filter,
                                         const LongChange& change, const std::string& advice);

/// What is wrong with each named letter that a verb cannot change: said, and counted.
[[nodiscard]] std::int64_t explain_unfitting(Command& command, const deadletter::Filter& filter);

/// Data: TryAgain when letters were left because they are being delivered, or the change was stopped.
[[nodiscard]] ExitStatus status_of(const deadletter::Progress& progress);
/// Says how far it got when it was stopped, and what was left alone.
void explain_rest(Command& command, const deadletter::Progress& progress, std::string_view done);

}  // namespace tidings::dead_letters
