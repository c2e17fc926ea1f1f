#include "simulation/service.hpp"

#include "deadletter/faults/faulty_vfs.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/error.hpp>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <iostream>
#include <sstream>
#include <utility>
#include <vector>

namespace tidings::simulation {
namespace {

using namespace std::chrono_literals;
using deadletter::faults::FaultyVfs;
using deadletter::faults::Operation;

/// Far above what anything takes that is not stuck.
constexpr auto kStuck = 20s;
/// How often it is looked whether anything goes on.
constexpr auto kLook = 5s;

/// Lines of a file descriptor, unbuffered by others.
class CommandLines {
 public:
  explicit CommandLines(int file) : file_(file) {}
  /// False: the driver is gone.
  bool next(std::string& line) {
    for (;;) {
      const auto end = text_.find('\n');
      if (end != std::string::npos) {
        line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return true;
      }
      std::array<char, 1024> buffer{};
      const ssize_t count = ::read(file_, buffer.data(), buffer.size());
      if (count <= 0) return false;
      text_.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }

 private:
  int file_;
  std::string text_;
};

std::atomic<std::uint64_t> linger_draw{0};  // 0: nobody lingers
std::string dwelling;                       // the points where they do so for long, set before they come

/// Gives way to other threads for a while, so that what may happen meanwhile does.
void linger(std::string_view point) noexcept {
  std::uint64_t draw = linger_draw.fetch_add(0x9e3779b97f4a7c15ULL, std::memory_order_relaxed);
  draw = (draw ^ (draw >> 30)) * 0xbf58476d1ce4e5b9ULL;
  draw = (draw ^ (draw >> 27)) * 0x94d049bb133111ebULL;
  draw ^= draw >> 31;
  const bool dwells = dwelling.find(point) != std::string::npos;
  if (draw % (dwells ? 2 : 8) != 0) return;
  const auto most = dwells ? 16U : 4U;
  static_cast<void>(::poll(nullptr, 0, static_cast<int>(1 + (draw >> 32) % most)));
}

/// ` busy=N unknown=0|1 nobody=N`, what is busy, and ` owed.HANDLER=N` for each handler that is owed
/// something.
std::string described(const Snapshot& now) {
  std::ostringstream text;
  std::size_t busy = now.letters_pending;
  for (const HandlerSnapshot& each : now.handlers) busy += each.queued + each.waiting + each.running;
  text << " busy=" << busy << " unknown=" << (now.journal_problem.empty() ? 0 : 1)
       << " nobody=" << now.owed_to_nobody;
  if (now.letters_pending > 0) text << " pending=" << now.letters_pending;
  for (const HandlerSnapshot& each : now.handlers) {
    if (each.queued + each.waiting + each.running > 0)
      text << " load." << each.handler << '=' << each.queued << '/' << each.waiting << '/' << each.running;
  }
  for (const HandlerSnapshot& each : now.handlers)
    if (each.owed > 0) text << " owed." << each.handler << '=' << each.owed;
  return text.str();
}

}  // namespace

void linger_at_kill_points(std::uint64_t seed, const std::string& long_at) {
  if (seed == 0) return;
  linger_draw = seed;
  dwelling = long_at;
  detail::observe_kill_points(&linger);
}

Service::Service(const std::filesystem::path& database, const Step& life, int pipe)
    : scribe_(pipe), shop_(database, life, scribe_), bursts_(shop_) {}

bool Service::obey(const Step& step) {
  std::string answer;
  try {
    answer = answer_to(step);
  } catch (const Error& error) {
    answer = "error=" + std::string(to_string(error.code()));
  }
  scribe_.write("reply " + step.verb + ' ' + answer);
  return step.verb != "stop" && step.verb != "end";
}

std::string Service::answer_to(const Step& step) {
  if (step.verb == "burst") bursts_.start(step);
  if (step.verb == "join") bursts_.join();
  if (step.verb == "quiet") return quiet();
  if (step.verb == "redrive") return redrive(step);
  if (step.verb == "on" || step.verb == "off") return changed_subscription(step);
  if (step.verb == "clock") shop_.clock().set(step.number("hours"));
  if (step.verb == "stop") return stopped(step);
  if (step.verb == "heal") heal();
  if (step.verb == "disk") break_disk(step);
  if (step.verb == "memory") {
    scarce_.reset();
    scarce_.emplace(memory::Whose::Others, static_cast<std::uint64_t>(step.number("nth", 1)),
                    static_cast<std::uint64_t>(step.number("burst", 1)));
  }
  return {};
}

void Service::break_disk(const Step& step) {
  const bool full = step.text("what", "full") == "full";
  const std::vector<Operation> all{Operation::Write, Operation::Sync, Operation::Truncate};
  FaultyVfs::instance().set({.operations = full ? std::vector{Operation::Write} : all,
                             .nth = static_cast<int>(step.number("nth", 1)),
                             .sqlite_code = full ? SQLITE_FULL : SQLITE_IOERR,
                             .lasting = step.number("lasting") != 0});
}

void Service::heal() {
  scarce_.reset();
  FaultyVfs::instance().heal();
}

/// However busy the machine is, it waits for as long as anything changes.
std::string Service::quiet() {
  bursts_.join();
  bool idle = false;
  std::string last;
  for (auto waited = 0s; waited < kStuck && !(idle = shop_.bus().wait_idle(kLook)); waited += kLook) {
    const std::string now = described(shop_.bus().snapshot());
    if (std::exchange(last, now) == now) continue;
    waited = 0s;
    scribe_.write("still");
  }
  return std::string("idle=") + (idle ? '1' : '0') + described(shop_.bus().snapshot());
}

std::string Service::redrive(const Step& step) {
  RedriveOptions options;
  if (step.number("canary") > 0) options.canary = static_cast<std::uint32_t>(step.number("canary"));
  if (step.number("stop") > 0) options.stop_after = static_cast<std::uint32_t>(step.number("stop"));
  return "letters=" + std::to_string(shop_.bus().redrive({}, options).letters);
}

std::string Service::changed_subscription(const Step& step) {
  const std::string handler = step.text("handler");
  if (step.verb == "on") {
    shop_.subscribe(handler);
  } else {
    shop_.unsubscribe(handler);
  }
  return {};
}

std::string Service::stopped(const Step& step) {
  static_cast<void>(shop_.bus().stop(std::chrono::milliseconds(step.number("ms"))));
  bursts_.join();
  // Asked again when nothing changes any more.
  const StopReport report = shop_.bus().stop(kStuck);
  return "drained=" + std::to_string(report.drained ? 1 : 0) +
         " letters=" + std::to_string(report.settled_as_letters) +
         " left=" + std::to_string(report.left_in_journal + report.owed_to_nobody) +
         " running=" + std::to_string(report.still_running.size()) +
         " unknown=" + std::to_string(report.journal_problem.empty() ? 0 : 1);
}

int run_service(const std::filesystem::path& database, const std::string& life, int commands, int pipe) {
  const memory::Plenty plenty;  // for the thread that does what the driver says
  const Step step = parse_step(life);
  const std::string point = step.text("kill");
  if (!point.empty()) detail::arm_kill_point(point, static_cast<std::size_t>(step.number("nth", 1)));
  linger_at_kill_points(static_cast<std::uint64_t>(step.number("linger")), step.text("dwell"));
  try {
    Service service(database, step, pipe);
    CommandLines lines(commands);
    Scribe(pipe).write("reply life");
    for (std::string line; lines.next(line);) {
      if (!service.obey(parse_step(line))) break;
    }
  } catch (const std::exception& error) {
    std::cerr << "the service failed: " << error.what() << std::endl;
    return 1;
  }
  return 0;
}

}  // namespace tidings::simulation
