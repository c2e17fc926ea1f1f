#pragma once

#include "ending/bus_parts.hpp"
#include "ending/delivery_end.hpp"
#include "publishing/durable_publisher.hpp"
#include "publishing/stamper.hpp"
#include "publishing/unhandled.hpp"
#include "running/runner.hpp"

#include <tidings/bus.hpp>
#include <tidings/logging/error_description.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::detail {

/// Why a letter is made by hand.
struct LetterCause {
  const logging::ErrorDescription& error;
  bool permanent = false;
};

/// Publishes: stamps an event, runs its inline handlers, and queues it for the others. What is durable goes
/// to DurablePublisher. Thread-safe.
class Publisher {
 public:
  Publisher(const BusParts& bus, DeliveryEnd& end, Runner& runner)
      : bus_(bus),
        end_(end),
        runner_(runner),
        stamper_(bus.setup),
        process_generation_(bus.setup.process_generation),
        durability_(bus.setup.options.durability),
        max_causation_depth_(bus.setup.options.max_causation_depth),
        unhandled_(bus, end),
        durable_(bus, end, runner, stamper_, unhandled_) {}

  PublishResult publish(const Payload& payload, const Topic& topic, const PublishOptions& options);
  std::vector<PublishResult> publish_batch(std::span<const Payload> payloads, const Topic& topic,
                                           const PublishOptions& options);
  /// Bus::store_dead_letter.
  PublishResult store_dead_letter(const Payload& payload, const Topic& topic, std::string_view handler,
                                  const LetterCause& cause, const PublishOptions& options);
  /// In a transaction that somebody else ends. Throws Error.
  PublishResult publish_in(JournalTransaction& transaction, const Payload& payload,
                           const PublishOptions& options) {
    return durable_.publish_in(transaction, payload, options);
  }

 private:
  /// What a publish has prepared for its queued subscribers before the first handler runs.
  struct QueuedPart {
    EventPointer event;
    std::vector<std::optional<std::string>> ordering_keys;  // one for each queued subscriber, or none at all
  };

  PublishResult publish_in_memory(const Payload& payload, const Topic& topic, const PublishOptions& options);
  [[nodiscard]] bool is_plain(const SubscriberList& list, const Payload& payload,
                              const Metadata& metadata) const;
  [[nodiscard]] bool is_plain_unrecorded(const SubscriberList& list, const Payload& payload,
                                         const Metadata& metadata) const;
  void deliver_plainly(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                       DispatchGuard& guard, PublishResult& result);
  /// What an inline delivery costs besides.
  struct Care {
    bool timed = false;
    bool observed = false;
  };

  const SubscriberList* deliver(const SubscriberList& list, const Payload& payload, Metadata& metadata,
                                DispatchGuard& guard, PublishResult& result);
  void deliver_stamped(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                       DispatchGuard& guard, PublishResult& result, bool observed);
  void deliver_to_all(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                      DispatchGuard& guard, PublishResult& result, bool observed);
  [[nodiscard]] bool count_by_call(const SubscriberList& list, const Payload& payload,
                                   DispatchGuard& guard) noexcept;
  void count_published(const Payload& payload) noexcept;
  void cut_loop(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                DispatchGuard& guard, PublishResult& result);
  QueuedPart prepare_queued(const SubscriberList& list, PayloadForms& forms, const Metadata& metadata,
                            DispatchGuard& guard);
  void reserve_places(const SubscriberList& list);
  Subscriber* try_reserve_places(const SubscriberList& list);
  void wait_or_refuse(Subscriber& full);
  DeliveryOutcome deliver_inline(const std::shared_ptr<Subscriber>& entry, PayloadForms& forms,
                                 DeliveryFrame& frame, DispatchGuard& guard, Care care);
  DeliveryOutcome deliver_timed(const std::shared_ptr<Subscriber>& subscriber, const Payload& payload,
                                DeliveryFrame& frame, DispatchGuard& guard);
  DeliveryOutcome plain_failed(const std::shared_ptr<Subscriber>& subscriber, const Payload& payload,
                               DeliveryFrame& frame, std::unique_ptr<Failure> failure);
  DeliveryOutcome inline_refused(Subscriber& subscriber, const Payload& payload, const Metadata& metadata);

  const BusParts bus_;
  DeliveryEnd& end_;
  Runner& runner_;
  // Copies, since each publish reads them.
  const Stamper stamper_;
  const std::uint64_t process_generation_;
  const Durability durability_;
  const std::uint32_t max_causation_depth_;
  UnhandledEvents unhandled_;
  DurablePublisher durable_;
};

}  // namespace tidings::detail
