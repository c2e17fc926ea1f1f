#pragma once

#include "memory/failing_new.hpp"
#include "simulation/scribe.hpp"
#include "simulation/shop_events.hpp"

#include <tidings/bus.hpp>
#include <tidings/deadletter/transaction.hpp>

#include <poll.h>
#include <sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>

namespace tidings::simulation {

/// While it lives, a thread that has `plenty` of memory may run out of it.
class Exposed {
 public:
  explicit Exposed(std::optional<memory::Plenty>& plenty) : plenty_(plenty) { plenty_.reset(); }
  ~Exposed() { plenty_.emplace(); }
  Exposed(const Exposed&) = delete;
  Exposed& operator=(const Exposed&) = delete;

 private:
  std::optional<memory::Plenty>& plenty_;
};

/// What a handler does with an event, and writes down about it.
class Handling {
 public:
  Handling(const Scribe& scribe, std::string handler, bool shop_is_mended, std::uint32_t attempts_of_a_life)
      : scribe_(scribe),
        handler_(std::move(handler)),
        shop_is_mended_(shop_is_mended),
        attempts_of_a_life_(attempts_of_a_life) {}

  /// `work` is done in every attempt, whether it fails afterwards or not. What is written down never fails.
  template <class E, class Work>
  void operator()(const E& event, const EventContext& context, const Work& work) const {
    std::optional<memory::Plenty> plenty(std::in_place);
    const std::string attempt =
        context.metadata().event_id.to_string() + ' ' + std::to_string(context.attempt());
    scribe_.write("run " + handler_ + ' ' + std::to_string(event.number) + ' ' + attempt);
    const auto ended = [&](const char* how) {
      scribe_.write("end " + handler_ + ' ' + std::to_string(event.number) + ' ' + attempt + ' ' + how);
    };
    const bool last = context.attempt() >= context.max_attempts();
    if (context.attempt() > attempts_of_a_life_) linger(event.number);
    try {
      {
        const Exposed exposed(plenty);
        work();
      }
      if (!event.mended) meet_fate(event.number, context);
    } catch (const Permanent&) {
      ended("gave_up");
      throw;
    } catch (...) {
      ended(last ? "gave_up" : "failed");
      throw;
    }
    ended("done");
  }

 private:
  /// Makes some redrives take so long that tools come by meanwhile.
  static void linger(std::int64_t number) {
    if (number % 5 == 2) static_cast<void>(::poll(nullptr, 0, 40));
  }
  void meet_fate(std::int64_t number, const EventContext& context) const {
    const Fate fate = fate_of(number, handler_);
    const bool first = context.attempt() == 1 && !shop_is_mended_;
    if (fate == Fate::Poison && !shop_is_mended_) static_cast<void>(::kill(::getpid(), SIGKILL));
    if (fate == Fate::Permanent) throw Permanent("never");
    if (fate == Fate::NeverWorks) throw std::runtime_error("never works");
    if (fate == Fate::AsksLater && first) throw RetryAfter(std::chrono::milliseconds(3));
    if (fate == Fate::FailsOnce && first) throw std::runtime_error("fails once");
    const bool too_early = context.attempt() <= attempts_of_a_life_ && !shop_is_mended_;
    if (fate == Fate::WorksLater && too_early) throw std::runtime_error("works later");
  }

  Scribe scribe_;
  std::string handler_;
  bool shop_is_mended_;
  std::uint32_t attempts_of_a_life_;  // a redrive is what comes after
};

/// Thrown when a database does not take what the shop writes.
class StorageTrouble : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

void execute(sqlite3* connection, const std::string& sql);

/// In the transaction of the delivery.
inline void write_effect(const EventContext& context, std::int64_t number) {
  execute(deadletter::transaction(context).connection(), "INSERT INTO effects VALUES ('" +
                                                             std::string(context.handler()) + "', " +
                                                             std::to_string(number) + ")");
}

}  // namespace tidings::simulation
