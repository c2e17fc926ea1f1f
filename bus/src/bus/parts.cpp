#include "bus/parts.hpp"

#include <memory>

namespace tidings::detail {

LetterParts::LetterParts(const BusSetup& setup, Housekeeper& housekeeper)
    : log(setup.options.logger.with_service(setup.options.service), setup.options.clock),
      writer(setup.options.store, log, setup.options.clock, [&housekeeper] { housekeeper.wake(); }),
      files(setup.options.store, log),
      spill(setup.options.store, log, housekeeper) {}

LedgerParts::LedgerParts(const BusSetup& setup, Housekeeper& housekeeper)
    : refill(housekeeper), owed(setup, journal) {}

RunningParts::RunningParts(const BusSetup& setup, const PublishGate& gate, const Topics& topics,
                           const Upcasters& upcasters, Retirement& retirement, LetterParts& letters,
                           LedgerParts& ledger, Redriver& redriver, Housekeeper& housekeeper,
                           WorkerPool& pool)
    : transactions{setup, ledger.journal, letters.log, redriver},
      end(setup, gate, topics, letters.log, letters.writer, ledger.journal, ledger.refill, redriver, pool,
          housekeeper),
      retries(setup.clock, housekeeper,
              [this](const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery) {
                runner.retry_due(subscriber, delivery);
              }),
      runner(setup, gate, letters.log, ledger.journal, transactions, retirement, end, retries, pool,
             [this](const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery, DispatchGuard& guard) {
               redelivery.run(subscriber, delivery, guard);
             }),
      redelivery(setup, topics, upcasters, redriver, ledger.journal, transactions, retirement, end, runner,
                 pool),
      keys(setup, topics, ledger.journal, letters.writer, end, pool) {}

PublishingParts::PublishingParts(const BusSetup& setup, const PublishGate& gate, Topics& topics,
                                 Retirement& retirement, LetterParts& letters, LedgerParts& ledger,
                                 RunningParts& running)
    : stamper(setup),
      unhandled(setup, letters.log, running.end),
      durable(setup, gate, topics, letters.log, letters.writer, ledger.journal, ledger.refill,
              running.transactions, retirement, running.end, running.runner, stamper, unhandled),
      publisher(setup, gate, topics, letters.log, ledger.journal, retirement, running.end, running.runner,
                running.retries, stamper, unhandled, durable) {}

RecoveryParts::RecoveryParts(const BusSetup& setup, PublishGate& gate, const Topics& topics,
                             const Upcasters& upcasters, Retirement& retirement, LetterParts& letters,
                             LedgerParts& ledger, RunningParts& running, Housekeeper& housekeeper)
    : readmission(setup, upcasters, ledger.journal, retirement, running.end, running.runner, running.retries),
      backlogs(gate, topics, ledger.journal, ledger.refill, readmission),
      suspects(setup, topics, ledger.journal, gate, ledger.refill, readmission, housekeeper),
      transactions(ledger.journal),
      unserved(topics, ledger.journal, ledger.owed, letters.log),
      duties(setup, gate, topics, ledger.journal, ledger.refill, letters.log, backlogs, suspects,
             transactions, unserved) {}

}  // namespace tidings::detail
