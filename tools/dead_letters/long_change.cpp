#include "dead_letters/long_change.hpp"

#include "dead_letters/deliverable.hpp"
#include "dead_letters/letter_view.hpp"
#include "dead_letters/table.hpp"
#include "text/columns.hpp"

#include <atomic>
#include <csignal>
#include <ostream>

namespace tidings::dead_letters {
namespace {

std::atomic<bool> interrupted{false};

void interrupt(int) noexcept { interrupted = true; }

struct sigaction handle(int signal) {
  struct sigaction action {};
  struct sigaction previous {};
  action.sa_handler = &interrupt;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, &previous);
  return previous;
}

std::string bar(std::int64_t done, std::int64_t total) {
  constexpr std::int64_t kWidth = 20;
  const auto full = static_cast<std::size_t>(std::min(done, total) * kWidth / total);
  return "[" + std::string(full, '#') + std::string(kWidth - full, '.') + "] ";
}

}  // namespace

Interruption::Interruption() {
  interrupted = false;
  previous_interrupt_ = handle(SIGINT);
  previous_terminate_ = handle(SIGTERM);
}

Interruption::~Interruption() {
  ::sigaction(SIGINT, &previous_interrupt_, nullptr);
  ::sigaction(SIGTERM, &previous_terminate_, nullptr);
}

bool Interruption::requested() noexcept { return interrupted; }

ProgressLine::ProgressLine(Command& command)
    : command_(command),
      active_(command.streams().err_terminal.is_terminal && !command.line().quiet && !command.line().json) {}

void ProgressLine::show(std::string_view what, std::int64_t done, std::int64_t total,
                        std::string_view detail) {
  const auto now = std::chrono::steady_clock::now();
  if (!active_ || now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  std::string text(what);
  text += " ";
  if (total > 0) text += bar(done, total);
  text += grouped(done);
  if (total > 0) text += " of " + grouped(total);
  text += detail;
  const Terminal& terminal = command_.streams().err_terminal;
  command_.streams().err << "\r" << tools::cut_to_width(text, terminal.width - 1) << "\x1b[K" << std::flush;
  shown_ = true;
}

void ProgressLine::clear() {
  if (shown_) command_.streams().err << "\r\x1b[K" << std::flush;
  shown_ = false;
}

std::int64_t count_of(Command& command, const deadletter::Filter& filter) {
  return command.reader().count(filter);
}

std::int64_t total_to_show(Command& command, const deadletter::Filter& filter) {
  const bool terminal = command.streams().err_terminal.is_terminal && !command.line().json;
  return terminal ? count_of(command, filter) : 0;
}

Plan plan_of(Command& command, deadletter::Filter filter) {
  constexpr std::size_t kCauses = 10;
  Plan plan;
  filter.running = true;
  plan.running = count_of(command, filter);
  // The usual question has a quick answer.
  filter.running = plan.running > 0 ? std::optional<bool>(false) : std::nullopt;
  plan.letters = count_of(command, filter);
  plan.groups = command.reader().groups(filter, kCauses);
  return plan;
}

OrderedJson to_json(const Command& command, const Plan& plan) {
  OrderedJson causes = OrderedJson::array();
  for (const auto& group : plan.groups) causes.push_back(group_to_json(command, group));
  return {{"dry_run", true},
          {"letters", plan.letters},
          {"running", plan.running},
          {"without_payload", plan.without_payload},
          {"without_handler", plan.without_handler},
          {"held_back", plan.held_back},
          {"groups", std::move(causes)}};
}

void print_plan(Command& command, const Plan& plan, std::string_view done) {
  command.print(counted(plan.letters, "letter") + " would be " + std::string(done) +
                "; nothing was changed.\n");
  if (!plan.groups.empty()) {
    Table table({{"LETTERS", true}, {"CAUSE"}, {"EVENT"}, {"HANDLER"}, {"ERROR", false, 40}});
    for (const auto& group : plan.groups) {
      table.add({grouped(group.count), group.fingerprint, types_of(group), handler_name(group.handler),
                 cause_text(command, group.error_type, group.sample_error)});
    }
    command.print(table.render(command.streams().out_terminal));
  }
  if (plan.running == 0) return;
  command.warn(counted(plan.running, "letter") +
               (plan.running == 1 ? " is being delivered right now, and would be left as it is"
                                  : " are being delivered right now, and would be left as they are"));
}

ExitStatus say_what_would_happen(Command& command, const deadletter::Filter& filter, std::string_view done) {
  const auto unfitting = explain_unfitting(command, filter);
  const Plan plan = plan_of(command, filter);
  if (command.line().json) {
    command.print_json(to_json(command, plan));
  } else {
    print_plan(command, plan, done);
  }
  return unfitting > 0 ? ExitStatus::Data : ExitStatus::Ok;
}

std::int64_t explain_unfitting(Command& command, const deadletter::Filter& filter) {
  if (!filter.ids) return 0;
  std::int64_t unfitting = 0;
  for (const auto id : *filter.ids) {
    deadletter::Filter one = filter;
    one.ids = {{id}};
    if (command.reader().count(one) > 0) continue;
    const auto stored = command.reader().find(id);
    command.warn("letter " + std::to_string(id) + " is " +
                 (stored ? std::string(state_of(*stored)) : std::string("gone")) + "; it was left as it is");
    ++unfitting;
  }
  return unfitting;
}

ExitStatus status_of(const deadletter::Progress& progress) {
  return progress.running > 0 || !progress.complete ? ExitStatus::TryAgain : ExitStatus::Ok;
}

void explain_rest(Command& command, const deadletter::Progress& progress, std::string_view done) {
  if (progress.running > 0) {
    command.warn(counted(progress.running, "letter") + " left as " +
                 (progress.running == 1 ? "it was" : "they were") +
                 ": being delivered right now; try again when that has ended");
  }
  if (!progress.complete) {
    command.warn("stopped: " + counted(progress.changed, "letter") + " " +
                 (progress.changed == 1 ? "was" : "were") + " " + std::string(done) +
                 ", the rest is as it was; the same command goes on");
  }
}

ExitStatus run_long_change(Command& command, const deadletter::Filter& filter, const LongChange& change,
                           const std::string& advice) {
  const auto unfitting = explain_unfitting(command, filter);
  ProgressLine line(command);
  const auto total = total_to_show(command, filter);
  const Interruption interruption;
  const auto progress = run_watched(command, line, change.done, total, [&](const deadletter::Watch& watch) {
    return change.run(filter, watch);
  });
  if (command.line().json) {
    command.print_json({{"dry_run", false},
                        {"letters", progress.changed},
                        {"running", progress.running},
                        {"complete", progress.complete}});
  } else if (progress.changed == 0 && progress.running == 0 && progress.complete) {
    command.print(std::string(change.nothing) + "; nothing was changed.\n");
  } else {
    command.print(counted(progress.changed, "letter") + " " + std::string(change.done) + ".\n");
  }
  explain_rest(command, progress, change.done);
  if (progress.changed > 0 && !advice.empty()) command.advise(advice);
  if (status_of(progress) == ExitStatus::Ok && unfitting > 0) return ExitStatus::Data;
  return status_of(progress);
}

}  // namespace tidings::dead_letters
