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

/// While it lives, Ctrl-C and SIGTERM request that a long change stops, and do not end the process. One at a
/// time.
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
/// nothing with --quiet, with --json, or if standard error is not a terminal.
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

/// Runs a change of many letters with a watch that shows its progress and ends it on Ctrl-C. If it fails,
/// says how far it got, and rethrows.
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

/// The same for a ProgressLine; 0 if none is shown. Must be called before an Interruption is made: while it
/// counts, Ctrl-C ends the process at once, since nothing was changed.
[[nodiscard]] std::int64_t total_to_show(Command& command, const deadletter::Filter& filter);

/// The findings of a dry run.
struct Plan {
  std::int64_t letters = 0;
  /// Not changed, because their handler is running.
  std::int64_t running = 0;
  /// Further selected letters that cannot be delivered again, which was reported before.
  std::int64_t without_payload = 0;
  std::int64_t without_handler = 0;
  std::int64_t held_back = 0;
  /// The largest causes.
  std::vector<deadletter::Group> groups = {};
};
[[nodiscard]] Plan plan_of(Command& command, deadletter::Filter filter);
[[nodiscard]] OrderedJson to_json(const Command& command, const Plan& plan);
/// A message for people: how many letters, of which causes, and that nothing was changed.
void print_plan(Command& command, const Plan& plan, std::string_view done);

/// All of --dry-run. Returns Data if named letters are in a state in which they cannot be changed, and
/// reports them.
[[nodiscard]] ExitStatus say_what_would_happen(Command& command, const deadletter::Filter& filter,
                                               std::string_view done);

/// Runs it with progress and says how far it got. `advice` is printed if something was changed.
[[nodiscard]] ExitStatus run_long_change(Command& command, const deadletter::Filter& filter,
                                         const LongChange& change, const std::string& advice);

/// Reports what is wrong with each named letter that a verb cannot change, and counts them.
[[nodiscard]] std::int64_t explain_unfitting(Command& command, const deadletter::Filter& filter);

/// TryAgain if letters were not changed because they are being delivered, or if the change was stopped.
[[nodiscard]] ExitStatus status_of(const deadletter::Progress& progress);
/// Says how far the change got if it was stopped, and which letters were not changed.
void explain_rest(Command& command, const deadletter::Progress& progress, std::string_view done);

}  // namespace tidings::dead_letters
