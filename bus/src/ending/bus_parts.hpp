#pragma once

#include "counting/counter_book.hpp"
#include "event/payload_keeper.hpp"
#include "event/upcasters.hpp"
#include "ledger/open_journal.hpp"
#include "ledger/refill_signal.hpp"
#include "letters/letter_writer.hpp"
#include "log/bus_log.hpp"
#include "observing/observing.hpp"
#include "redriving/redriver.hpp"
#include "subscriptions/bus_setup.hpp"
#include "subscriptions/publish_gate.hpp"
#include "subscriptions/retirement.hpp"
#include "subscriptions/topics.hpp"
#include "threads/housekeeper.hpp"
#include "threads/worker_pool.hpp"

namespace tidings::detail {

/// The parts of one bus that stand before a delivery runs, for the rooms from here on, which work with most
/// of them. Each class has a copy of its own, so that every part is one load away; only a HandlerTransaction
/// refers to its Runner's.
struct BusParts {
  const BusSetup& setup;
  CounterBook& counts;
  PublishGate& gate;
  Topics& topics;
  const Upcasters& upcasters;
  const PayloadKeeper& payloads;
  Retirement& retirement;
  BusLog& log;
  Observing& observing;
  LetterWriter& letters;
  const OpenJournal& journal;
  RefillSignal& refill;
  Redriver& redriver;
  Housekeeper& housekeeper;
  WorkerPool& pool;
};

/// Counts, logs and tells that a delivery has given up.
inline void tell_death(const BusParts& bus, const DeadLetter& letter) noexcept {
  bus.counts.change(letter.event_type, letter.handler, [](HandlerCount& count) { count.dead(); });
  bus.counts.tally().letter(letter.reason);
  bus.log.letters.gave_up(letter);
  bus.observing.gave_up(letter);
}

}  // namespace tidings::detail
