#pragma once

#include "ending/delivery_end.hpp"
#include "ledger/open_journal.hpp"
#include "letters/letter_writer.hpp"
#include "subscriptions/bus_setup.hpp"
#include "subscriptions/subscriber.hpp"
#include "subscriptions/topics.hpp"
#include "threads/worker_pool.hpp"

#include <memory>

namespace tidings::detail {

/// Brings the queues' ordering keys in line with the letters that the store has of them.
class KeyRefresh {
 public:
  KeyRefresh(const BusSetup& setup, const Topics& topics, const OpenJournal& journal, LetterWriter& letters,
             DeliveryEnd& end, WorkerPool& pool)
      : setup_(setup), topics_(topics), journal_(journal), letters_(letters), end_(end), pool_(pool) {}

  /// Before a subscriber's first delivery: letters that are left of its keys hold back what comes. Throws
  /// Error.
  void hold_keys(Subscriber& subscriber);
  /// Frees dead keys whose letters are all resolved, and lets what waits for redrives go on, or parks it when
  /// no redrive is coming any more. False: to be called again. On the housekeeper's thread.
  [[nodiscard]] bool refresh();

 private:
  [[nodiscard]] bool refresh(const std::shared_ptr<Subscriber>& subscriber);

  const BusSetup& setup_;
  const Topics& topics_;
  const OpenJournal& journal_;
  LetterWriter& letters_;
  DeliveryEnd& end_;
  WorkerPool& pool_;
};

}  // namespace tidings::detail
