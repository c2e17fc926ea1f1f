#include "dead_letters/command.hpp"
#include "dead_letters/deliverable.hpp"
#include "dead_letters/letter_view.hpp"
#include "dead_letters/long_change.hpp"
#include "dead_letters/none_match.hpp"
#include "dead_letters/table.hpp"
#include "text/duration.hpp"
#include "text/printable.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

namespace tidings::dead_letters {
namespace {

using deadletter::RedriveState;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll(200);
constexpr std::chrono::seconds kUsualWait(5);
constexpr std::size_t kShownCauses = 10;

deadletter::RedriveReport mark(Command& command, const deadletter::Filter& filter, std::int64_t total) {
  ProgressLine line(command);
  return run_watched(command, line, "marked", total, [&](const deadletter::Watch& watch) {
    return command.operations().redrive(filter, command.line().redrive, watch);
  });
}

/// Follows a request until the service has finished it, the time is up, or the wait is interrupted.
class Waiting {
 public:
  Waiting(Command& command, std::int64_t id, const deadletter::Filter& filter, steady_clock::time_point begin)
      : command_(command), id_(id), filter_(filter), line_(command), begin_(begin) {}

  RedriveState wait() {
    RedriveState state = look();
    while (state.state == "open" && !Interruption::requested() && !time_is_up()) {
      line_.show("delivering", state.succeeded + state.failed, state.letters, failures(state));
      warn_when_stuck(state);
      std::this_thread::sleep_for(kPoll);
      state = look();
    }
    line_.clear();
    return state;
  }

 private:
  RedriveState look() {
    const auto state = command_.reader().redrive(id_);
    if (!state) throw Refusal(ExitStatus::NoInput, "the request " + std::to_string(id_) + " was deleted");
    return *state;
  }

  static std::string failures(const RedriveState& state) {
    return state.failed == 0 ? "" : ", " + grouped(state.failed) + " failed again";
  }

  [[nodiscard]] bool time_is_up() const {
    const auto& timeout = command_.line().wait_timeout;
    return timeout && steady_clock::now() - begin_ >= *timeout;
  }

  void warn_when_stuck(const RedriveState& state) {
    if (state.succeeded + state.failed != delivered_) {
      delivered_ = state.succeeded + state.failed;
      last_delivery_ = steady_clock::now();
    }
    const bool may_be_slow = command_.line().redrive.rate && *command_.line().redrive.rate < 1;
    if (warned_ || may_be_slow || steady_clock::now() - last_delivery_ < kUsualWait) return;
    warned_ = true;
    line_.clear();
    const std::string cause = why_stuck(command_, filter_);
    command_.warn("nothing was delivered for " + std::to_string(kUsualWait.count()) + "s: " +
                  (cause.empty() ? "is the service running, and are its handlers subscribed?" : cause + ".") +
                  " Waiting on; Ctrl-C ends the wait and nothing else");
  }

  Command& command_;
  std::int64_t id_;
  const deadletter::Filter& filter_;
  ProgressLine line_;
  const steady_clock::time_point begin_;
  steady_clock::time_point last_delivery_ = steady_clock::now();
  std::int64_t delivered_ = 0;
  bool warned_ = false;
};

/// The causes of letters that failed again in the request. They failed since it was made, unless a clock
/// jumped.
std::vector<deadletter::Group> failed_again(Command& command, const RedriveState& state) {
  if (state.failed == 0) return {};
  deadletter::Filter filter;
  filter.resolved = false;
  filter.failed_in_redrive = state.id;
  filter.since = state.requested_at;
  if (command.reader().count(filter) < state.failed) filter.since.reset();
  return command.reader().groups(filter, kShownCauses);
}

void print_causes(Command& command, const std::vector<deadletter::Group>& groups) {
  Table table({{"LETTERS", true}, {"CAUSE"}, {"HANDLER"}, {"ERROR", false, 40}});
  for (const auto& group : groups) {
    table.add({grouped(group.count), group.fingerprint, handler_name(group.handler),
               cause_text(command, group.error_type, group.sample_error)});
  }
  if (!table.empty()) command.print(table.render(command.streams().out_terminal));
}

/// What was not delivered is neither marked nor claimed any more, once the request has ended.
void print_end(Command& command, const RedriveState& state) {
  const auto rest = state.letters - state.succeeded - state.failed;
  const std::string left = counted(rest, "letter") + " " + (rest == 1 ? "was" : "were") + " not delivered";
  if (state.state == "stopped") {
    const bool by_canary = state.canary && state.succeeded < *state.canary;
    command.print("The service stopped the request: " +
                  std::string(by_canary ? "its canary failed" : "too many failed") + ". " + left + ", and " +
                  (rest == 1 ? "is" : "are") + " not marked any more.\n");
  } else if (state.state == "finished" && rest > 0) {
    command.print(left + ", and " + (rest == 1 ? "is" : "are") +
                  " not marked any more: an earlier letter of the ordering key failed again, or somebody "
                  "changed them meanwhile.\n");
  }
}

void print_open(Command& command, const RedriveState& state, const deadletter::Filter& filter) {
  const auto rest = state.letters - state.succeeded - state.failed;
  command.print(counted(rest, "letter") + " still " + (rest == 1 ? "waits" : "wait") + " to be delivered.\n");
  const std::string cause = why_stuck(command, filter);
  const std::string they = rest == 1 ? "It stays" : "They stay";
  if (!cause.empty()) {
    command.advise(they + " marked: " + cause);
  } else if (state.succeeded + state.failed > 0) {
    command.advise(they + " marked: a service that runs goes on with them.");
  } else {
    command.advise(they + " marked: is the service running, and are its handlers subscribed?");
  }
  command.advise("How far it is: " + command.self() + " doctor");
}

void print_summary(Command& command, const RedriveState& state, const std::vector<deadletter::Group>& groups,
                   const deadletter::Filter& filter) {
  const Terminal& terminal = command.streams().out_terminal;
  const std::string failed = grouped(state.failed) + " failed again";
  command.print(styled(terminal, state.failed == 0 ? Style::Good : Style::Plain,
                       grouped(state.succeeded) + " succeeded") +
                ", " + styled(terminal, state.failed > 0 ? Style::Bad : Style::Plain, failed) + ".\n");
  print_end(command, state);
  print_causes(command, groups);
  if (state.state == "open") {
    print_open(command, state, filter);
  } else if (!groups.empty()) {
    command.advise("Look at one: " + command.self() + " show " + std::to_string(groups.front().newest_id));
  } else {
    command.advise("What is left: " + command.self() + " groups");
  }
}

OrderedJson to_json(const Command& command, const deadletter::RedriveReport& result,
                    const RedriveState& state, const std::vector<deadletter::Group>& groups,
                    const LeftOut& left_out) {
  OrderedJson causes = OrderedJson::array();
  for (const auto& group : groups) causes.push_back(group_to_json(command, group));
  return {{"dry_run", false},
          {"letters", result.progress.changed},
          {"without_payload", left_out.without_payload},
          {"without_handler", left_out.without_handler},
          {"held_back", left_out.held_back},
          {"running", result.progress.running},
          {"complete", result.progress.complete},
          {"redrive_id", result.id == 0 ? OrderedJson(nullptr) : OrderedJson(result.id)},
          {"state", state.state},
          {"succeeded", state.succeeded},
          {"failed", state.failed},
          {"failed_groups", std::move(causes)}};
}

ExitStatus status_after(const CommandLine& line, const deadletter::RedriveReport& result,
                        const RedriveState& state, std::int64_t unfitting) {
  if (state.state == "stopped" || state.failed > 0) return ExitStatus::Unavailable;
  const bool still_open = line.wait && state.state == "open";
  if (!result.progress.complete || still_open) return ExitStatus::TryAgain;
  return unfitting > 0 ? ExitStatus::Data : ExitStatus::Ok;
}

void print_marked(Command& command, const deadletter::RedriveReport& result) {
  command.print(counted(result.progress.changed, "letter") + " marked to be delivered again, as request " +
                std::to_string(result.id) + ".\n");
  if (!result.progress.complete && !result.stopped) {
    command.warn(
        "stopped while marking: those are delivered, the rest is as it was; the same command goes on");
  }
  if (command.line().wait) return;
  command.advise(std::string("The service delivers ") + (result.progress.changed == 1 ? "it" : "them") +
                 ", within a second if it runs.");
  command.advise("How far it is:     " + command.self() + " doctor");
  command.advise("What failed again: " + command.self() + " groups");
}

ExitStatus plan_retry(Command& command, const deadletter::Filter& filter, const LeftOut& left_out,
                      std::int64_t unfitting) {
  Plan plan = plan_of(command, filter);
  plan.without_payload = left_out.without_payload;
  plan.without_handler = left_out.without_handler;
  plan.held_back = left_out.held_back;
  if (command.line().json) {
    command.print_json(to_json(command, plan));
  } else {
    print_plan(command, plan, "delivered again");
  }
  return unfitting > 0 ? ExitStatus::Data : ExitStatus::Ok;
}

/// One retry: its options and its result.
class Retry {
 public:
  explicit Retry(Command& command) : command_(command), chosen_(command.filter()), filter_(chosen_) {
    filter_.marked = false;
    // Those that are marked already are waited for.
    if (command.line().wait) {
      unfitting_ = explain_unfitting(command, chosen_);
    } else {
      unfitting_ = explain_unfitting(command, filter_);
    }
    left_out_ = leave_out_undeliverable(command, filter_);
    if (filter_.ids) unfitting_ += left_out_.all();
  }

  ExitStatus run() {
    const CommandLine& line = command_.line();
    if (line.dry_run) return plan_retry(command_, filter_, left_out_, unfitting_);
    const auto total = total_to_show(command_, filter_);
    const Interruption interruption;
    const auto result = mark(command_, filter_, total);
    if (result.id == 0) return follow_earlier(result);
    if (!line.json) print_marked(command_, result);
    if (line.wait) return follow_with_earlier(result);
    const auto state = command_.reader().redrive(result.id).value_or(RedriveState{});
    return finish(result, state, {});
  }

 private:
  /// Follows the new request. Letters named by number that were marked before wait in an earlier one: that is
  /// said.
  ExitStatus follow_with_earlier(const deadletter::RedriveReport& result) {
    const ExitStatus status = follow(result, result.id);
    if (status != ExitStatus::Ok || !chosen_.ids || !request_of_marked()) return status;
    command_.warn("some of them were marked before, and still wait; the same command waits for them");
    return ExitStatus::TryAgain;
  }

  /// Nothing was marked: letters that were marked before can be waited for, one request after the other.
  ExitStatus follow_earlier(deadletter::RedriveReport result) {
    std::optional<std::int64_t> request;
    if (command_.line().wait && result.progress.complete) request = request_of_marked();
    if (!request) return finish_without_letters(result);
    ExitStatus status = ExitStatus::Ok;
    for (std::optional<std::int64_t> last; request && request != last && !Interruption::requested();) {
      if (!command_.line().json)
        command_.print("Waiting for request " + std::to_string(*request) +
                       ", which marked them before; nothing else was marked.\n");
      result.id = *request;
      const auto one = follow(result, *request);
      if (one != ExitStatus::Ok) status = one;
      if (one == ExitStatus::TryAgain || command_.line().json) break;
      last = request;
      request = request_of_marked();
    }
    return status;
  }

  [[nodiscard]] std::optional<std::int64_t> request_of_marked() {
    deadletter::Filter marked = chosen_;
    marked.marked = true;
    const auto page = command_.reader().list(marked, 1, {}, deadletter::ListOrder::OldestFirst,
                                             deadletter::LetterParts::Summary);
    return page.letters.empty() ? std::nullopt : page.letters.front().redrive_id;
  }

  ExitStatus follow(const deadletter::RedriveReport& result, std::int64_t request) {
    const auto state = Waiting(command_, request, chosen_, begin_).wait();
    return finish(result, state, failed_again(command_, state));
  }

  ExitStatus finish(const deadletter::RedriveReport& result, const RedriveState& state,
                    const std::vector<deadletter::Group>& groups) {
    if (command_.line().json) {
      command_.print_json(to_json(command_, result, state, groups, left_out_));
    } else if (command_.line().wait) {
      print_summary(command_, state, groups, chosen_);
    }
    return status_after(command_.line(), result, state, unfitting_);
  }

  ExitStatus finish_without_letters(const deadletter::RedriveReport& result) {
    RedriveState state;
    state.state = "finished";
    if (command_.line().json) {
      command_.print_json(to_json(command_, result, state, {}, left_out_));
    } else if (!result.progress.complete) {
      command_.warn("stopped before any letter was marked; the same command goes on");
    } else {
      command_.print(std::string(left_out_.all() > 0 ? "No other unresolved letter matches, or those"
                                                     : "No unresolved letter matches, or all") +
                     " that do wait already; nothing was marked.\n");
      say_why_none_match(command_);
    }
    if (!result.progress.complete) return ExitStatus::TryAgain;
    return unfitting_ > 0 ? ExitStatus::Data : ExitStatus::Ok;
  }

  Command& command_;
  const deadletter::Filter chosen_;
  deadletter::Filter filter_;
  LeftOut left_out_;
  std::int64_t unfitting_ = 0;
  const steady_clock::time_point begin_ = steady_clock::now();
};

}  // namespace

ExitStatus run_retry(Command& command) { return Retry(command).run(); }

}  // namespace tidings::dead_letters
