#include "crash/shop.hpp"

#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/detail/kill_point.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>

namespace tidings::crash {
namespace {

using namespace std::chrono_literals;

constexpr auto kLong = 60s;

std::int64_t number_of(const std::string& data) { return Json::parse(data).at("number").get<std::int64_t>(); }

/// Lines of a log that may end in one that a dying process did not finish.
std::vector<std::string> whole_lines(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

}  // namespace

Shop::Shop(std::filesystem::path folder)
    : folder_(std::move(folder)), database_(folder_ / "shop.db"), log_(folder_ / "seen.log") {}

bool Shop::live(const Life& life) const {
  std::cout.flush();
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      run(life);
      ::_exit(0);
    } catch (const std::exception& error) {
      std::cerr << "the shop failed: " << error.what() << std::endl;
      ::_exit(1);
    }
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) throw std::runtime_error("fork failed");
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (!killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
    throw std::runtime_error("the shop's process ended with status " + std::to_string(status));
  }
  return killed;
}

std::size_t Shop::recover(std::size_t most) const {
  for (std::size_t killed = 0; killed < most; ++killed) {
    if (!live({})) return killed;
  }
  throw std::runtime_error("the shop was killed " + std::to_string(most) + " times in a row");
}

void Shop::note(std::string_view what, std::string_view handler, std::int64_t order) const {
  const std::string line =
      std::string(what) + ' ' + std::string(handler) + ' ' + std::to_string(order) + '\n';
  const int file = ::open(log_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(2);
  ::close(file);
}

void Shop::run(const Life& life) const {
  if (!life.kill.point.empty()) detail::arm_kill_point(life.kill.point, life.kill.nth);
  const auto store = deadletter::Store::open(database_, {.spill_reserve = 0});
  Bus bus({.service = "shop",
           .store = store,
           .durability = Durability::ProcessCrash,
           .logger = logging::Logger({.level = logging::Level::Critical})});
  const auto handler = [&](std::string name) {
    return [this, name = std::move(name)](const Order& order, const EventContext& context) {
      if (order.fate == Fate::Poison && name == "ship") static_cast<void>(::kill(::getpid(), SIGKILL));
      if (order.fate == Fate::FailsOnce && context.attempt() == 1) throw std::runtime_error("not yet");
      if (order.fate == Fate::NeverWorks) throw std::runtime_error("never");
      note("done", name, order.number);
    };
  };
  const auto key = [](const Order& order) { return std::to_string(order.number % 3); };
  auto book = bus.subscribe<Order>("book", handler("book"));
  auto ship = bus.subscribe<Order>("ship", handler("ship"),
                                   {.dispatch = Dispatch::Queued,
                                    .retry = {.backoff = constant(1ms)},
                                    .concurrency = 2,
                                    .ordering_key = key});
  auto mail =
      bus.subscribe<Order>("mail", handler("mail"), {.dispatch = Dispatch::Queued, .queue_capacity = 2});
  const PublishOptions how{.durability = life.durability};
  if (life.in_one_batch) {
    bus.publish_batch(life.orders, how);
    for (const Order& order : life.orders) note("acknowledged", "-", order.number);
  } else {
    for (const Order& order : life.orders) {
      bus.publish(order, how);
      note("acknowledged", "-", order.number);
    }
  }
  if (!bus.wait_idle(kLong)) throw std::runtime_error("the bus did not become idle");
}

Shop::Seen Shop::seen() const {
  Seen seen;
  for (const std::string& line : whole_lines(log_)) {
    const auto first = line.find(' ');
    const auto second = line.rfind(' ');
    const std::string handler = line.substr(first + 1, second - first - 1);
    const std::int64_t order = std::atoll(line.c_str() + second);
    if (line.starts_with("acknowledged")) {
      seen.acknowledged.insert(order);
    } else if (++seen.handled[{handler, order}] == 1 && handler == "ship") {
      seen.shipped.push_back(order);
    }
  }
  return seen;
}

std::map<std::pair<std::string, std::int64_t>, std::string> Shop::letters() const {
  std::map<std::pair<std::string, std::int64_t>, std::string> letters;
  auto reader = deadletter::Reader::open(database_);
  for (const auto& stored : reader.list({}, 10'000).letters) {
    letters[{stored.letter.handler, number_of(stored.letter.data.bytes)}] = to_string(stored.letter.reason);
  }
  return letters;
}

std::int64_t Shop::journalled() const {
  SQLite::Database database(database_.native(), SQLite::OPEN_READONLY);
  return database.execAndGet("SELECT count(*) FROM tidings_journal").getInt64();
}

}  // namespace tidings::crash
