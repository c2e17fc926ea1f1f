#include "dead_letters/command.hpp"
#include "dead_letters/letter_view.hpp"
#include "dead_letters/long_change.hpp"
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

/// Leaves out of the filter what nothing can deliver again, and says how many they are and why.
std::int64_t leave_out_without_payload(Command& command, deadletter::Filter& filter) {
  deadletter::Filter without = filter;
  without.has_payload = false;
  filter.has_payload = true;
  const auto page = command.reader().list(without, 1);
  if (page.letters.empty()) return 0;
  const auto letters = std::max(count_of(command, without), std::int64_t{1});
  const auto& newest = page.letters.front();
  const std::string id = std::to_string(newest.id);
  command.warn(counted(letters, "letter") + " cannot be delivered again, as the payload was not kept; " +
               (letters == 1 ? "it stays as it is" : "they stay as they are") + ". Letter " + id + ": " +
               tools::printable(command.masked(newest.letter.data.problem)));
  command.advise("Give one a payload: " + command.self() + " edit " + id + " --file FILE");
  command.advise("Or give it up:      " + command.self() + " discard " + id + " --reason '...'");
  return letters;
}

deadletter::RedriveReport mark(Command& command, const deadletter::Filter& filter, std::int64_t total) {
  ProgressLine line(command);
  return run_watched(command, line, "marked", total, [&](const deadletter::Watch& watch) {
    return command.operations().redrive(filter, command.line().redrive, watch);
  });
}

/// Follows a request until the service has done with it, the time is up, or somebody stops waiting.
class Waiting {
 public:
  Waiting(Command& command, std::int64_t id) : command_(command), id_(id), line_(command) {}

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
    command_.warn(
        "nothing was delivered for " + std::to_string(kUsualWait.count()) +
        "s: is the service running, and are its handlers subscribed? Waiting on; Ctrl-C ends the wait"
        " and nothing else");
  }

  Command& command_;
  std::int64_t id_;
  ProgressLine line_;
  const steady_clock::time_point begin_ = steady_clock::now();
  steady_clock::time_point last_delivery_ = begin_;
  std::int64_t delivered_ = 0;
  bool warned_ = false;
};

/// The causes of what failed again in the request. They failed since it was made, unless a clock jumped.
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
    table.add({grouped(group.count), group.fingerprint, group.handler,
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

void print_summary(Command& command, const RedriveState& state,
                   const std::vector<deadletter::Group>& groups) {
  const Terminal& terminal = command.streams().out_terminal;
  const std::string failed = grouped(state.failed) + " failed again";
  command.print(styled(terminal, state.failed == 0 ? Style::Good : Style::Plain,
                       grouped(state.succeeded) + " succeeded") +
                ", " + styled(terminal, state.failed > 0 ? Style::Bad : Style::Plain, failed) + ".\n");
  print_end(command, state);
  print_causes(command, groups);
  if (state.state == "open") {
    const auto rest = state.letters - state.succeeded - state.failed;
    command.print(counted(rest, "letter") + " still " + (rest == 1 ? "waits" : "wait") +
                  " to be delivered.\n");
    const bool begun = state.succeeded + state.failed > 0;
    command.advise(begun ? std::string("The service goes on with the rest.")
                         : std::string(rest == 1 ? "It stays" : "They stay") +
                               " marked: is the service running, and are its handlers subscribed?");
    command.advise("How far it is: " + command.self() + " doctor");
  } else if (state.failed > 0) {
    command.advise(
        "Look at one: " + command.self() + " list --limit 1" +
        (groups.empty() ? std::string() : " --fingerprint " + tools::printable(groups.front().fingerprint)));
  } else {
    command.advise("What is left: " + command.self() + " groups");
  }
}

OrderedJson to_json(const Command& command, const deadletter::RedriveReport& result,
                    const RedriveState& state, const std::vector<deadletter::Group>& groups,
                    std::int64_t without_payload) {
  OrderedJson causes = OrderedJson::array();
  for (const auto& group : groups) causes.push_back(group_to_json(command, group));
  return {{"dry_run", false},
          {"letters", result.progress.changed},
          {"without_payload", without_payload},
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
  command.advise("The service delivers them, within a second if it runs.");
  command.advise("How far it is:     " + command.self() + " doctor");
  command.advise("What failed again: " + command.self() + " groups");
}

ExitStatus plan_retry(Command& command, const deadletter::Filter& filter, std::int64_t without_payload,
                      std::int64_t unfitting) {
  Plan plan = plan_of(command, filter);
  plan.without_payload = without_payload;
  if (command.line().json) {
    command.print_json(to_json(command, plan));
  } else {
    print_plan(command, plan, "delivered again");
  }
  return unfitting > 0 ? ExitStatus::Data : ExitStatus::Ok;
}

}  // namespace

ExitStatus run_retry(Command& command) {
  auto filter = command.filter();
  filter.marked = false;
  const CommandLine& line = command.line();
  auto unfitting = explain_unfitting(command, filter);
  const auto without_payload = leave_out_without_payload(command, filter);
  if (filter.ids) unfitting += without_payload;
  if (line.dry_run) return plan_retry(command, filter, without_payload, unfitting);
  const auto total = total_to_show(command, filter);
  const Interruption interruption;
  const auto result = mark(command, filter, total);
  RedriveState state;
  state.state = "finished";
  if (result.id == 0) {
    if (line.json) {
      command.print_json(to_json(command, result, state, {}, without_payload));
    } else if (!result.progress.complete) {
      command.warn("stopped before any letter was marked; the same command goes on");
    } else {
      command.print("No unresolved letters match that do not wait already; nothing was marked.\n");
    }
    return result.progress.complete ? (unfitting > 0 ? ExitStatus::Data : ExitStatus::Ok)
                                    : ExitStatus::TryAgain;
  }
  if (!line.json) print_marked(command, result);
  state =
      line.wait ? Waiting(command, result.id).wait() : command.reader().redrive(result.id).value_or(state);
  const auto groups = line.wait ? failed_again(command, state) : std::vector<deadletter::Group>{};
  if (line.json) {
    command.print_json(to_json(command, result, state, groups, without_payload));
  } else if (line.wait) {
    print_summary(command, state, groups);
  }
  return status_after(line, result, state, unfitting);
}

}  // namespace tidings::dead_letters
