#include "check_dead_letters/program.hpp"

#include "check_dead_letters/isolated_tasks.hpp"
#include "check_dead_letters/options.hpp"
#include "check_dead_letters/probe.hpp"
#include "check_dead_letters/prometheus_file.hpp"
#include "check_dead_letters/prometheus_text.hpp"
#include "check_dead_letters/render_json.hpp"
#include "check_dead_letters/render_text.hpp"
#include "text/duration.hpp"

#include <tidings/error.hpp>

#include <algorithm>
#include <utility>
#include <variant>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::milliseconds;
using End = IsolatedTasks::Outcome::End;

/// The timeout covers everything. The query gets less of it than its process, so that it can still report a
/// locked database, and the process less than all, so that there is time left to report.
struct Deadlines {
  explicit Deadlines(milliseconds timeout)
      : database(timeout * 8 / 10),
        probes(std::chrono::steady_clock::now() + timeout * 9 / 10),
        all(std::chrono::steady_clock::now() + timeout) {}

  milliseconds database;
  Instant probes;
  Instant all;
};

Answer to_answer(const std::string& path, const IsolatedTasks::Outcome& outcome, const Options& options) try {
  if (outcome.end == End::Finished) return decode_answer(outcome.text);
  if (outcome.end == End::TimedOut) {
    return failed_answer(
        path, "timeout",
        "no answer within " + tools::exact_duration(options.timeout) +
            ": it is locked by another process, or its disk hangs; look at both, or give a longer --timeout");
  }
  return failed_answer(
      path, "crashed",
      "the process that read it was lost (" + outcome.text +
          "): the file may be damaged, or memory short; run: sqlite3 FILE 'PRAGMA integrity_check'");
} catch (const Error& error) {
  return failed_answer(path, "internal", error.what());
}

std::vector<Answer> ask_all(const Options& options, const Probe& probe, Instant deadline) {
  IsolatedTasks tasks;
  for (const std::string& path : options.databases) {
    tasks.start([&path, &probe] { return encode_answer(ask(path, probe)); });
  }
  const auto outcomes = tasks.finish(deadline);
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    answers.push_back(to_answer(options.databases[i], outcomes[i], options));
  }
  return answers;
}

Report check(const Options& options, Timestamp now, const Deadlines& deadlines) {
  const Probe probe{.selection = options.selection,
                    .verbosity = options.verbosity,
                    .now = now,
                    .timeout = deadlines.database};
  Report report{.now = now,
                .selection = options.selection,
                .thresholds = options.thresholds,
                .verbosity = options.verbosity,
                .databases = {},
                .problems = {}};
  for (Answer& answer : ask_all(options, probe, deadlines.probes)) {
    Verdict verdict = judge(answer, options.thresholds, now);
    report.databases.push_back({std::move(answer), std::move(verdict)});
  }
  return report;
}

/// In a process of its own, as the collector's folder can hang like any other.
void write_metrics(Report& report, const Options& options, Instant deadline) {
  const std::string& path = *options.prometheus_file;
  std::vector<deadletter::DatabaseFiles> databases;
  for (const auto& [answer, verdict] : report.databases) {
    const auto& spills = answer.facts.spill_paths;
    databases.push_back({answer.path, {spills.begin(), spills.end()}});
  }
  IsolatedTasks task;
  task.start([&] {
    return write_prometheus_file(path, prometheus_text(report), databases).value_or(std::string());
  });
  const auto outcome = task.finish(deadline).front();
  if (outcome.end == End::TimedOut) {
    report.problems.push_back("could not write the metrics to " + path + " within " +
                              tools::exact_duration(options.timeout) +
                              "; look at its disk, or give a longer --timeout");
  } else if (!outcome.text.empty()) {
    report.problems.push_back(outcome.end == End::Finished
                                  ? outcome.text
                                  : "could not write the metrics to " + path + ": " + outcome.text);
  }
}

Result run_check(const Options& options, const Clock& clock) {
  const Deadlines deadlines(options.timeout);
  Report report = check(options, clock.now(), deadlines);
  if (options.prometheus_file) write_metrics(report, options, deadlines.all);
  const State state = overall_state(report);
  Result result{.output = {}, .exit_status = static_cast<int>(state), .deadline = deadlines.all};
  if (options.cron && state == State::Ok) return result;
  result.output = options.json ? render_json(report) : render_text(report);
  return result;
}

Instant default_deadline() { return std::chrono::steady_clock::now() + Options{}.timeout; }

Result usage_error(const std::vector<std::string>& arguments, const char* message) {
  const bool json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
  return {.output = json ? render_usage_error_json(message) : render_usage_error_text(message),
          .exit_status = static_cast<int>(State::Unknown),
          .deadline = default_deadline()};
}

}  // namespace

Result run(const std::vector<std::string>& arguments, const char* environment_databases,
           const Clock& clock) try {
  const auto parsed = parse_options(arguments, environment_databases, clock.now());
  if (const auto* information = std::get_if<Information>(&parsed)) {
    return {
        .output = information->text, .exit_status = information->exit_status, .deadline = default_deadline()};
  }
  return run_check(std::get<Options>(parsed), clock);
} catch (const std::exception& error) {
  return usage_error(arguments, error.what());
}

}  // namespace tidings::check_dead_letters
