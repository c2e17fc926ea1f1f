#pragma once

#include "ending/bus_parts.hpp"
#include "queue/owed_event.hpp"
#include "subscriptions/delivery_frame.hpp"

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/event_context.hpp>
#include <tidings/journal.hpp>
#include <tidings/redrive.hpp>

#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace tidings::detail {

/// The transaction of one attempt, if its handler asks for it: its delivery ends in it, and what the
/// thread publishes durably meanwhile joins it. Lives on the stack of the handler's thread.
class HandlerTransaction {
 public:
  /// Offers itself to the frame's handler, if there is a delivery that a transaction can end: one that is
  /// owed, or of a letter.
  HandlerTransaction(const BusParts& bus, DeliveryFrame& frame, OwedDeliveryHandle* owed,
                     const ClaimedLetter* letter = nullptr) noexcept;
  /// Rolls back what is open.
  ~HandlerTransaction();
  HandlerTransaction(const HandlerTransaction&) = delete;
  HandlerTransaction& operator=(const HandlerTransaction&) = delete;

  /// The innermost that this thread has open on that bus, or null.
  [[nodiscard]] static HandlerTransaction* of_this_thread(const BusSetup& bus) noexcept;
  [[nodiscard]] static bool any_on_this_thread() noexcept;
  /// Throws Error(CalledInHandler) on a thread that has one open: `what` would wait for it.
  static void require_none_here(const char* what);

  /// Begins at first use. Throws Error.
  DeliveryTransaction& open(const EventContext& context);
  [[nodiscard]] DeliveryTransaction& journal() const noexcept { return *transaction_; }
  /// An event is published in what is open, under that reserved id.
  void published(std::int64_t journal_id) { published_.push_back(journal_id); }
  /// Each call of published_one() from here on counts an event of that type, if this is committed.
  void counts_published(const std::shared_ptr<HandlerCount>& type);
  void published_one() noexcept { ++counted_.back().events; }
  /// The letter is stored in what is open: that a delivery gave up is told once this is committed.
  void gave_up(DeadLetter letter) {
    patiently([&] { dead_.reserve(dead_.size() + 1); });  // the letter is stored: nothing may throw
    dead_.push_back(std::move(letter));
  }

  /// Ends the delivery in what is open, and takes it from its owner: `owed` is empty afterwards. Throws
  /// Error, and then it is still open.
  void commit();
  void roll_back() noexcept;
  [[nodiscard]] bool committed() const noexcept { return committed_; }
  /// Whether the outcome of its commit is unknown.
  [[nodiscard]] bool in_doubt() const noexcept { return in_doubt_; }

 private:
  struct PublishedEvents {
    std::shared_ptr<HandlerCount> type;
    std::uint64_t events = 0;
  };

  void end_delivery();
  void settle_letter();
  void end() noexcept;

  const BusParts& bus_;
  DeliveryFrame& frame_;
  OwedDeliveryHandle* const owed_;
  const ClaimedLetter* const letter_;
  std::thread::id thread_;
  std::unique_ptr<DeliveryTransaction> transaction_;  // set while it is open
  std::vector<std::int64_t> published_;
  std::vector<PublishedEvents> counted_;
  std::vector<DeadLetter> dead_;
  HandlerTransaction* outer_ = nullptr;
  Instant asked_at_{};
  Instant began_at_{};
  bool committed_ = false;
  bool in_doubt_ = false;
};

}  // namespace tidings::detail
