#pragma once

#include "ending/bus_parts.hpp"
#include "queue/delivery.hpp"
#include "subscriptions/subscriber.hpp"

#include <tidings/bus.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/detail/stored_event.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace tidings::detail {

/// What became of one delivery, for the publisher.
enum class DeliveryOutcome : std::uint8_t {
  Handled,
  Scheduled,  ///< It is queued, waits for a retry, or stays owed; or its letter waits for the database.
  Dead,       ///< Its letter is stored.
  Dropped,    ///< Its handler was unsubscribed meanwhile, and it is not durable.
};

inline void count(PublishResult& result, DeliveryOutcome outcome) noexcept {
  if (outcome == DeliveryOutcome::Handled) ++result.handled;
  if (outcome == DeliveryOutcome::Scheduled) ++result.scheduled;
  if (outcome == DeliveryOutcome::Dead) ++result.dead;
}

/// Where a delivery ends: handled, dead, or handed back. Each end lets the journal know, passes the ordering
/// key on, gives the queue's place back, and asks for what the journal has in its stead. An inline delivery
/// has no place and no key; what is handed back keeps its key. Three ends are elsewhere: an event that is
/// dead as it is published durably (DurablePublisher), the journal's part of a handler's transaction
/// (HandlerTransaction), and the result of a redrive (Redelivery). Thread-safe.
class DeliveryEnd {
 public:
  explicit DeliveryEnd(const BusParts& bus) : bus_(bus) {}

  // --- of a delivery in a queue ---

  /// Its handler returned.
  void handled(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery);
  /// It ends without having been handled: its letter is handed over. With Reason::Shutdown a durable one
  /// stays owed instead.
  void dead(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery, Reason reason);
  /// The ordering key is dead: the delivery was not taken into the queue, and has its place still.
  [[nodiscard]] DeliveryOutcome parked(const std::shared_ptr<Subscriber>& subscriber,
                                       const Delivery& delivery);
  /// The queue takes no more: as `parked`.
  [[nodiscard]] DeliveryOutcome refused(const std::shared_ptr<Subscriber>& subscriber,
                                        const Delivery& delivery);
  /// It waited behind another of its key, or in a queue that closes. `redrive_end` is for redrives.
  void hand_back(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery, Reason reason,
                 RedriveResult::End redrive_end);
  /// An ordering key passes on, or is dead with all that waits behind it. The last step of every end but that
  /// of the place.
  void end_key(const std::shared_ptr<Subscriber>& subscriber, const std::string& key, KeyOutcome outcome,
               Reason reason, RedriveResult::End redrive_end);
  /// Gives a place back; what waits in the journal may have the room.
  void release_place(Subscriber& subscriber);

  // --- of a delivery without a queue. `owed` is empty unless the event is durable ---

  /// An inline handler returned, or a delivery that was read from the journal has its letter already: nothing
  /// is owed any more.
  void ended(const OwedDeliveryHandle& owed);

  /// The subscriber closed after this publish was accepted. A durable delivery stays in the journal. Any
  /// other is dropped if its owner unsubscribed, and becomes a letter if the bus stops. `state` may be null.
  [[nodiscard]] DeliveryOutcome not_delivered(const Subscriber& subscriber, const Payload& payload,
                                              const Metadata& metadata, const DeliveryState* state);
  /// An inline handler gave up.
  [[nodiscard]] DeliveryOutcome inline_dead(const Subscriber& subscriber, const Payload& payload,
                                            const Metadata& metadata, Reason reason,
                                            const DeliveryState& state);
  /// A durable delivery of a closed subscriber, or of a bus that stops, stays owed. A handler subscribed
  /// under that name since may have read past it, and goes back.
  void leave_in_journal(const Subscriber& subscriber, const OwedDeliveryHandle& owed);
  /// The same for a delivery that was never in memory.
  void leave_to_successor(const Subscriber& subscriber, std::int64_t journal_id);

  // --- letters ---

  /// The letter of a delivery of an event in memory, whose stored form is found or made.
  [[nodiscard]] DeadLetter letter_of(const HandlerIdentity& handler, const Payload& payload,
                                     const Metadata& metadata, Reason reason, const DeliveryState* state,
                                     const StoredEvent* stored = nullptr) const;
  /// Hands a letter over and waits for its commit, but not inside a handler's transaction, which that commit
  /// would wait for. Returns Dead or Scheduled.
  [[nodiscard]] DeliveryOutcome bury(DeadLetter letter, const OwedDeliveryHandle& owed = {});
  /// Hands over the letter of a row that was read back.
  void bury_row(const OwedDelivery& row, const OwedDeliveryHandle& owed, Reason reason);
  /// Logs and counts that a delivery gave up, and counts what a stop settles.
  void gave_up(const DeadLetter& letter);
  /// Commits the letters that still wait.
  void flush_letters();
  /// Letters with reason `shutdown` since the bus stopped.
  [[nodiscard]] std::size_t settled() const noexcept { return settled_.load(); }

 private:
  [[nodiscard]] DeliveryOutcome not_delivered(const Subscriber& subscriber, const Delivery& delivery);
  void end_in_queue(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery,
                    std::optional<Reason> dead_of);
  void hand_over_letter(const Subscriber& subscriber, const Delivery& delivery, Reason reason);
  void keep_order_of_letters(const DeadLetter& letter, bool durable);
  [[nodiscard]] StoredForm letter_form_of(const Payload& payload, const HandlerIdentity& handler,
                                          const EventId& event_id, const DeliveryState* state,
                                          const StoredEvent* stored) const;
  [[nodiscard]] std::optional<StoredForm> journalled_form(const HandlerIdentity& handler,
                                                          const OwedDeliveryHandle& owed) const;

  const BusParts bus_;
  std::atomic<std::size_t> settled_{0};
};

}  // namespace tidings::detail
