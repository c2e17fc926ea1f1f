#pragma once

#include "ending/bus_parts.hpp"
#include "ending/delivery_end.hpp"
#include "publishing/stamper.hpp"
#include "publishing/unhandled.hpp"
#include "running/runner.hpp"

#include <tidings/bus.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace tidings::detail {

/// Throws Error(InvalidArgument) for an idempotency key that is not valid, or for more than one event.
void require_idempotency_key(const PublishOptions& options, std::size_t events);

/// Publishes into the journal: an event is accepted when its row is committed, and delivered only then.
/// Thread-safe.
class DurablePublisher {
 public:
  DurablePublisher(const BusParts& bus, DeliveryEnd& end, Runner& runner, const Stamper& stamper,
                   UnhandledEvents& unhandled)
      : bus_(bus), end_(end), runner_(runner), stamper_(stamper), unhandled_(unhandled) {}

  /// All or none. Inside a handler's transaction they join it. Throws Error.
  std::vector<PublishResult> publish(std::span<const Payload> payloads, const Topic& topic,
                                     const PublishOptions& options, Durability durability);
  /// In a transaction that somebody else ends. Throws Error.
  PublishResult publish_in(JournalTransaction& transaction, const Payload& payload,
                           const PublishOptions& options);

 private:
  struct DurableEvent;
  /// Each is made in its place, since it cannot be moved: a batch is one allocation.
  using DurableEvents = std::vector<std::optional<DurableEvent>>;

  void prepare(std::optional<DurableEvent>& event, const SubscriberList& list, const Payload& payload,
               const PublishOptions& options, DispatchGuard& guard);
  [[nodiscard]] StoredForm letter_form_of(const DurableEvent& event) const;
  void write_dead_letters(const SubscriberList& list, DurableEvent& event) const;
  std::vector<AppendRequest> append(const SubscriberList& list, DurableEvents& events,
                                    const PublishOptions& options, Durability durability, Placing& placing);
  void admit(const SubscriberList& list, DurableEvent& event, AppendRequest& request);
  bool takes_directly(Subscriber& subscriber, std::int64_t id);
  void leave_to_successor(const Subscriber& subscriber, std::int64_t id);
  void release_places(const SubscriberList& list, const DurableEvent& event);
  PublishResult queue(const SubscriberList& list, DurableEvent& event, const AppendRequest& request);
  void run(const SubscriberList& list, DurableEvent& event, const AppendRequest& request,
           DispatchGuard& guard, PublishResult& result);
  DeliveryOutcome run_inline(const std::shared_ptr<Subscriber>& subscriber, DurableEvent& event,
                             DeliveryFrame& frame, DispatchGuard& guard, OwedDeliveryHandle owed);
  static void end_observed(DurableEvent& event, const PublishResult& result) noexcept;

  std::vector<PublishResult> publish_within(JournalTransaction& transaction,
                                            std::span<const Payload> payloads, const Topic& topic,
                                            const PublishOptions& options, Durability durability);
  [[nodiscard]] HandlerTransaction* open_as(const JournalTransaction& transaction) const noexcept;
  std::vector<PublishResult> append_within(JournalTransaction& transaction, const SubscriberList& list,
                                           DurableEvents& events, const PublishOptions& options);
  DeliveryOutcome nobody_subscribes_within(JournalTransaction& transaction, const DurableEvent& event);

  const BusParts bus_;
  DeliveryEnd& end_;
  Runner& runner_;
  const Stamper& stamper_;
  UnhandledEvents& unhandled_;
  /// The handlers that an event is owed to whose deliveries are dead from the start: none.
  const std::shared_ptr<const HandlerNames> nobody_ =
      std::make_shared<const HandlerNames>(std::vector<std::string>());
};

}  // namespace tidings::detail
