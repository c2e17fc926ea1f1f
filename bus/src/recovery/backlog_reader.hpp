#pragma once

#include "ledger/open_journal.hpp"
#include "ledger/refill_signal.hpp"
#include "recovery/readmission.hpp"
#include "subscriptions/publish_gate.hpp"
#include "subscriptions/subscriber.hpp"
#include "subscriptions/topics.hpp"

#include <cstdint>
#include <memory>

namespace tidings::detail {

/// Reads back what the journal holds and memory does not: deliveries that a restart left owed, and those that
/// found a queue full. All but begin() and end() is for the housekeeper's thread.
class BacklogReader {
 public:
  BacklogReader(const PublishGate& gate, const Topics& topics, const OpenJournal& journal,
                RefillSignal& refill, Readmission& readmission)
      : gate_(gate), topics_(topics), journal_(journal), refill_(refill), readmission_(readmission) {}

  /// Everything that is owed to a new subscriber comes from the journal, ahead of what is published from now
  /// on. Thread-safe.
  void begin(Subscriber& subscriber);
  /// Nothing more is read for the subscriber. Thread-safe.
  void end(Subscriber& subscriber);

  /// Reads for every queue that has room, if that was requested.
  void refill();

 private:
  bool refill(const std::shared_ptr<Subscriber>& subscriber);
  bool advance(Subscriber& subscriber, std::int64_t next, bool caught_up);

  const PublishGate& gate_;
  const Topics& topics_;
  const OpenJournal& journal_;
  RefillSignal& refill_;
  Readmission& readmission_;
};

}  // namespace tidings::detail
