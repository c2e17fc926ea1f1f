#include "bus/parts.hpp"

#include <memory>

namespace tidings::detail {

namespace {

CounterBook::For purpose_of_counts(const BusOptions& options) {
  if (options.store && options.store->minutes() != nullptr) return CounterBook::For::MinutesToo;
  return options.telemetry.metrics ? CounterBook::For::Metrics : CounterBook::For::Nothing;
}

}  // namespace

TopicParts::TopicParts(const BusSetup& setup) : counts(purpose_of_counts(setup.options)), topics(&counts) {}

PayloadParts::PayloadParts(const BusSetup& setup)
    : keeper(setup.options.store ? setup.options.store->encryption() : PayloadEncryption{}) {}

LetterParts::LetterParts(const BusSetup& setup, CounterBook& counts, Housekeeper& housekeeper)
    : log(setup.options.logger.with_service(setup.options.service), setup.options.clock),
      observing(setup.options.telemetry.observer.get(), setup.clock, log),
      storage(setup.options.clock),
      writer(setup.options.store, log, observing, storage, setup.options.clock,
             [&housekeeper] { housekeeper.wake(); }),
      files(setup.options.store, log),
      spill(setup.options.store, log, housekeeper),
      minutes(setup, counts, log) {}

LedgerParts::LedgerParts(const BusSetup& setup, Housekeeper& housekeeper)
    : refill(housekeeper), count(setup, journal) {}

RunningParts::RunningParts(const BusParts& parts)
    : bus(parts),
      end(bus),
      retries(bus.setup.clock, bus.gate, bus.housekeeper,
              [this](const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery) {
                runner.retry_due(subscriber, delivery);
              }),
      runner(bus, end, retries,
             [this](const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery, DispatchGuard& guard) {
               redelivery.run(subscriber, delivery, guard);
             }),
      redelivery(bus, end, runner),
      keys(bus, end) {}

}  // namespace tidings::detail
