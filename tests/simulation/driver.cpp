#include "simulation/driver.hpp"

#include "deadletter/temporary_folder.hpp"
#include "simulation/agreement.hpp"
#include "simulation/model.hpp"
#include "simulation/service_process.hpp"
#include "simulation/tools.hpp"
#include "simulation/write_lock.hpp"

#include <poll.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace tidings::simulation {
namespace {

/// Poisonous events and unlucky kills end lives that were to be the last; so many of them are a fault.
constexpr int kMostLastLives = 25;
/// A bus takes back the claims of the dead, and the marks of stopped requests, within some ticks.
constexpr std::chrono::seconds kLongMarked{40};
constexpr int kRequests = 5;
/// While letters are on their way, what is read one after the other may be of different moments: it is
/// compared again, until so many looks at the database have found the same.
constexpr int kLooks = 8;
constexpr int kMostLooks = 200;
constexpr int kPauseMs = 300;

class Driver {
 public:
  explicit Driver(const Plan& plan) : plan_(plan), database_(folder_.path("shop.db")), history_(plan) {}

  Outcome run() {
    for (const Step& step : plan_.steps) {
      if (!outcome_.broken.empty()) break;
      take(step);
    }
    end_life({.verb = "end"});
    if (outcome_.broken.empty()) live_to_the_end();
    outcome_.history = history_.lines();
    outcome_.kills = history_.kills();
    outcome_.lives = static_cast<int>(history_.lives().size());
    return std::move(outcome_);
  }

 private:
  void take(const Step& step) {
    if (step.verb == "life") return begin_life(step);
    if (step.verb == "lock") return hold_lock();
    if (step.verb == "unlock") return lock_.release();
    if (step.verb == "tool") return use_tool(step);
    if (!service_) begin_life({.verb = "life"});
    if (!service_) return;
    if (step.verb == "kill") return kill(step);
    if (step.verb == "quiet") return be_quiet(false);
    if (step.verb == "stop") return end_life(step);
    if (step.verb == "join") return join();
    static_cast<void>(ask(step));
  }

  /// Publishers may wait for room in queues, and what fills those for a database that takes note of their
  /// attempts: for ever, while it cannot be written to.
  void join() {
    lock_.release();
    if (ask({.verb = "heal"})) static_cast<void>(ask({.verb = "join"}));
  }

  /// Only for an impatient service: a patient one would wait for the lock, and nothing would happen.
  void hold_lock() {
    if (service_ && is_impatient_) lock_.hold(database_);
  }

  void begin_life(Step life) {
    end_life({.verb = "end"});
    lock_.release();
    is_impatient_ = life.details.contains("busy");
    life.details["number"] = std::to_string(history_.lives().size());
    history_.begin_life();
    taken_ = 0;
    sick_ = false;
    service_ = std::make_unique<ServiceProcess>(database_, life);
    static_cast<void>(answer());
  }

  /// Returns nullopt if the service has died.
  std::optional<std::string> ask(const Step& step) {
    service_->send(step);
    return answer();
  }

  std::optional<std::string> answer() {
    const auto reply = service_->reply();
    if (reply) return reply;
    if (service_->is_stuck()) {
      outcome_.broken.push_back("stuck: no answer for longer than anything takes");
      service_->kill();
    }
    bury();
    return std::nullopt;
  }

  /// The service has ended, or is about to.
  void bury() {
    const int status = service_->wait();
    take_lines();
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
      outcome_.broken.push_back("the service failed: wait status " + std::to_string(status));
    history_.end_life(killed, sick_);
    service_.reset();
  }

  void take_lines() {
    for (const std::string& line : service_->lines_since(taken_)) {
      history_.add(line);
      ++taken_;
    }
  }

  void kill(const Step& step) {
    // Its reply ends the wait when there are fewer lines to come.
    service_->send({.verb = "join"});
    service_->await_lines(static_cast<std::size_t>(step.number("lines", 1)));
    service_->kill();
    bury();
  }

  void end_life(const Step& how) {
    if (!service_) return;
    if (how.verb == "end") lock_.release();
    // Some stops find the disk as it is.
    if (how.number("sick") == 0 && !ask({.verb = "heal"})) return;
    sick_ = how.number("sick") != 0;
    const auto reply = ask(how);
    if (!reply) return;
    bury();
    if (how.verb == "stop" && how.number("sick") == 0)
      add_broken(disagreements_after_stop(*reply, facts_of(database_)));
  }

  void add_broken(const std::vector<std::string>& broken) {
    outcome_.broken.insert(outcome_.broken.end(), broken.begin(), broken.end());
  }

  /// Once nothing fails any more and the bus is idle, everything agrees with the model.
  void be_quiet(bool at_the_end) {
    lock_.release();
    if (!ask({.verb = "heal"})) return;
    std::vector<std::string> broken;
    Facts last = facts_of(database_);
    // The bus may begin something by itself, a redrive, before it is asked, or after.
    for (int looks = 0, still = 0; looks < kMostLooks && still < kLooks; ++looks) {
      const auto reply = ask({.verb = "quiet"});
      if (!reply) return;
      if (!reply->starts_with("quiet idle=1")) return outcome_.broken.push_back("not idle: " + *reply);
      take_lines();
      const Facts facts = facts_of(database_);
      broken = compared(*reply, facts, at_the_end);
      still = std::exchange(last, facts) == facts ? still + 1 : 0;
      if (broken.empty() || (still > 0 && !facts.any_marked())) break;
      static_cast<void>(::poll(nullptr, 0, kPauseMs));
    }
    ++outcome_.quiets;
    add_broken(broken);
  }

  [[nodiscard]] std::vector<std::string> compared(const std::string& reply, const Facts& facts,
                                                  bool at_the_end) const {
    std::vector<std::string> broken = broken_promises(history_, facts, at_the_end);
    const auto disagreeing = disagreements(reply, history_, facts);
    broken.insert(broken.end(), disagreeing.begin(), disagreeing.end());
    if (const auto told = what_the_check_gets_wrong(database_, facts)) broken.push_back(*told);
    return broken;
  }

  void use_tool(const Step& step) {
    if (history_.lives().empty()) return;
    if (service_) take_lines();
    history_.add_tool(step.text("verb"));
    const auto trouble = tool_trouble(database_, step);
    if (trouble) outcome_.broken.push_back(*trouble);
  }

  /// Claims of the dead, and what is left of requests that stopped, are found by the bus's tick; what they
  /// give back needs another request.
  void redrive_everything() {
    std::set<std::int64_t> asked;
    for (int requests = 0; requests < kRequests; ++requests) {
      be_quiet(false);
      // The first request is for what is marked behind others that are not, too.
      if (requests > 0) await_end_of_redrives();
      if (!service_ || !outcome_.broken.empty()) return;
      // Nothing but what never works is left: it would fail again.
      if (requests > 0 && facts_of(database_).open_letters() == asked) return;
      asked = facts_of(database_).open_letters();
      if (!ask({.verb = "redrive"})) return;
    }
  }

  /// Until no letter is on its way: for as long as anything changes.
  void await_end_of_redrives() {
    Facts last;
    for (auto since = std::chrono::steady_clock::now(); service_ && outcome_.broken.empty();
         be_quiet(false)) {
      const Facts facts = facts_of(database_);
      if (!facts.any_marked()) return;
      if (std::exchange(last, facts) != facts) since = std::chrono::steady_clock::now();
      if (std::chrono::steady_clock::now() - since > kLongMarked)
        outcome_.broken.push_back("letters stay marked");
    }
  }

  void live_to_the_end() {
    for (int life = 0; life < kMostLastLives; ++life) {
      begin_life({.verb = "life", .details = {{"mended", "1"}, {"workers", "3"}}});
      redrive_everything();
      if (!outcome_.broken.empty()) return end_life({.verb = "end"});
      if (!service_) continue;
      be_quiet(true);
      return end_life({.verb = "end"});
    }
    outcome_.broken.push_back("the service dies whatever is done");
  }

  const Plan& plan_;
  const deadletter::TemporaryFolder folder_;
  const std::filesystem::path database_;
  History history_;
  std::unique_ptr<ServiceProcess> service_;
  std::size_t taken_ = 0;
  bool sick_ = false;  // the life ends without having been healed
  WriteLock lock_;
  bool is_impatient_ = false;  // the life that runs
  Outcome outcome_;
};

}  // namespace

Outcome simulate(const Plan& plan) { return Driver(plan).run(); }

}  // namespace tidings::simulation
