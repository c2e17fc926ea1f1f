#pragma once

#include "bus/parts.hpp"
#include "publishing/publisher.hpp"
#include "recovery/journal_duties.hpp"

#include <tidings/bus.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/metrics.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::detail {

/// What Bus hides: the parts of one bus, and how it begins, stops and is looked at. Shared by publishers,
/// workers, the housekeeper, and Subscriptions that outlive the bus. Thread-safe.
class BusCore : public std::enable_shared_from_this<BusCore> {
 public:
  explicit BusCore(BusOptions options);
  ~BusCore();
  BusCore(const BusCore&) = delete;
  BusCore& operator=(const BusCore&) = delete;

  void start();
  PublishResult publish(const Payload& payload, std::size_t slot, const PublishOptions& options) {
    return publisher_.publish(payload, subscriptions_.topics.find(slot), options);
  }
  PublishResult publish_named(const Payload& payload, const PublishOptions& options) {
    return publisher_.publish(payload, subscriptions_.topics.find(payload.event_type), options);
  }
  std::vector<PublishResult> publish_batch(std::span<const Payload> payloads, std::size_t slot,
                                           const PublishOptions& options) {
    return publisher_.publish_batch(payloads, subscriptions_.topics.find(slot), options);
  }
  PublishResult store_dead_letter(const Payload& payload, std::string_view handler, const LetterCause& cause,
                                  const PublishOptions& options) {
    return publisher_.store_dead_letter(payload, subscriptions_.topics.find(payload.event_type), handler,
                                        cause, options);
  }
  PublishResult publish_in(JournalTransaction& transaction, const Payload& payload,
                           const PublishOptions& options) {
    return publisher_.publish_in(transaction, payload, options);
  }
  void notify();
  std::shared_ptr<Subscriber> subscribe(SubscriberSpec spec);
  void unsubscribe(const std::shared_ptr<Subscriber>& subscriber) noexcept;
  void upcast(std::string_view event_type, int from_version, Upcasters::Step step);
  RedriveRequest redrive(const LetterFilter& filter, const RedriveOptions& options);
  StopReport stop(std::chrono::milliseconds deadline);
  /// What the destructor of Bus does: stops, and waits for as long as it takes.
  void shut_down() noexcept;
  bool wait_idle(std::chrono::milliseconds timeout);
  Snapshot snapshot() const;
  Metrics metrics();
  [[nodiscard]] const BusSetup& setup() const noexcept { return setup_; }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  using Subscribers = OwedCount::Subscribers;

  void open_journal();
  [[nodiscard]] std::optional<Instant> do_duties(Instant now);
  [[nodiscard]] std::optional<Instant> do_other_duties(Instant now);
  void begin_draining(const std::shared_ptr<Subscriber>& subscriber);
  void drain(Subscriber& subscriber, SteadyTime deadline);
  void close(const std::shared_ptr<Subscriber>& subscriber);
  [[nodiscard]] std::vector<std::string> running_handlers() const;
  StopReport stop_now(std::chrono::milliseconds deadline);
  [[nodiscard]] StopReport report_stop(const Subscribers& subscribers) const;
  [[nodiscard]] bool is_quiet(SteadyTime deadline, bool& in_time);
  [[nodiscard]] HandlerSnapshot snapshot_of(const Subscriber& subscriber, std::uint64_t owed) const;

  const BusSetup setup_;
  PublishGate gate_{setup_};
  TopicParts subscriptions_{setup_};
  PayloadParts payloads_{setup_};
  Retirement retirement_;
  LetterParts letters_;
  LedgerParts ledger_;
  Redriver redriver_;
  RunningParts running_;
  Publisher publisher_;
  JournalDuties journal_duties_;

  Mutex stop_mutex_;  // one stop at a time
  bool stopped_ TIDINGS_GUARDED_BY(stop_mutex_) = false;

  // Last, so that the threads end before what they use.
  Housekeeper housekeeper_;
  WorkerPool pool_;
};

}  // namespace tidings::detail
