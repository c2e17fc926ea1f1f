#pragma once

#include "ending/delivery_end.hpp"
#include "ending/handler_transaction.hpp"
#include "event/upcasters.hpp"
#include "ledger/open_journal.hpp"
#include "redriving/redriver.hpp"
#include "running/runner.hpp"
#include "subscriptions/bus_setup.hpp"
#include "subscriptions/dispatch_guard.hpp"
#include "subscriptions/retirement.hpp"
#include "subscriptions/subscriber.hpp"
#include "subscriptions/topics.hpp"
#include "threads/worker_pool.hpp"

#include <tidings/redrive.hpp>

#include <memory>
#include <vector>

namespace tidings::detail {

/// Takes claimed letters to their handlers' queues, and runs them there. Thread-safe.
class Redelivery {
 public:
  Redelivery(const BusSetup& setup, const Topics& topics, const Upcasters& upcasters, Redriver& redriver,
             const OpenJournal& journal, const TransactionPorts& transactions, Retirement& retirement,
             DeliveryEnd& end, Runner& runner, WorkerPool& pool)
      : setup_(setup),
        topics_(topics),
        upcasters_(upcasters),
        redriver_(redriver),
        journal_(journal),
        transactions_(transactions),
        retirement_(retirement),
        end_(end),
        runner_(runner),
        pool_(pool) {}

  /// The handlers that may be given letters now.
  [[nodiscard]] std::vector<ServedHandler> served_handlers() const;
  /// Queues a claimed letter, or tells the redriver that it came to nothing.
  void deliver(ClaimedLetter letter);
  /// Runs a queued letter, to its end.
  void run(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery, DispatchGuard& guard);

 private:
  [[nodiscard]] std::shared_ptr<Subscriber> subscriber_for(const DeadLetter& letter) const;
  [[nodiscard]] bool attempt(Subscriber& subscriber, Delivery& delivery, RedriveResult& result);

  const BusSetup& setup_;
  const Topics& topics_;
  const Upcasters& upcasters_;
  Redriver& redriver_;
  const OpenJournal& journal_;
  const TransactionPorts& transactions_;
  Retirement& retirement_;
  DeliveryEnd& end_;
  Runner& runner_;
  WorkerPool& pool_;
};

}  // namespace tidings::detail
