#pragma once

#include <tidings/context.hpp>
#include <tidings/metadata.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace tidings {

class DeliveryTransaction;
class EventContext;

namespace detail {
class DeliveryFrame;
class HandlerTransaction;

/// The transaction in which the delivery of `context` will end; begins it if necessary. For journals: users
/// call tidings::deadletter::transaction(). Throws Error.
[[nodiscard]] DeliveryTransaction& open_transaction(const EventContext& context);

/// The part of a delivery that is the same for every event: the identity of its handler.
struct HandlerIdentity {
  std::string handler;  // first, so that its address is that of the whole: each delivery notes both
  std::string service;
  std::string event_type;
  std::uint32_t max_attempts = 1;
  bool redrive = false;
};
}  // namespace detail

/// The facts about a delivery, besides the event, that its handler can read. Valid until the handler returns;
/// copy what is needed longer (copies of `metadata()` own what they hold).
class EventContext {
 public:
  EventContext(const Metadata& metadata, std::string_view event_type, int schema_version,
               const detail::HandlerIdentity& identity, std::uint32_t attempt = 1) noexcept
      : metadata_(metadata),
        event_type_(event_type),
        identity_(&identity),
        schema_version_(schema_version),
        attempt_(attempt) {}
  EventContext(const EventContext&) = delete;
  EventContext& operator=(const EventContext&) = delete;
  ~EventContext() {
    if (bound_ != nullptr) [[unlikely]]
      forget_bound();
  }

  [[nodiscard]] const Metadata& metadata() const noexcept { return metadata_; }
  [[nodiscard]] std::string_view event_type() const noexcept { return event_type_; }
  /// What the handler has subscribed: event_type(), or `*` if it is a handler of all events.
  [[nodiscard]] std::string_view subscribed_type() const noexcept { return identity_->event_type; }
  [[nodiscard]] int schema_version() const noexcept { return schema_version_; }
  [[nodiscard]] std::string_view service() const noexcept { return identity_->service; }
  [[nodiscard]] std::string_view handler() const noexcept { return identity_->handler; }
  /// 1 for the first. A redrive goes on counting: that of a letter with three attempts is the fourth.
  [[nodiscard]] std::uint32_t attempt() const noexcept { return attempt_; }
  /// The number of the last attempt: PublishOptions::max_attempts, else RetryPolicy::max_attempts; in a
  /// redrive, which is a single attempt, attempt().
  [[nodiscard]] std::uint32_t max_attempts() const noexcept {
    return metadata_.max_attempts != 0 ? metadata_.max_attempts : identity_->max_attempts;
  }
  /// Whether a dead letter is being delivered again: because somebody asked for it (`dead-letters retry`,
  /// Bus::redrive), or because a shutdown had left it over. Retries and recovery after a crash are no
  /// redrives.
  [[nodiscard]] bool is_redrive() const noexcept { return identity_->redrive; }
  /// `EVENT_ID/HANDLER`: the same for every attempt of this delivery and for no other delivery. Use it to
  /// recognise repeats.
  [[nodiscard]] std::string idempotency_key() const;

  /// Adds a field to every record that is logged on this thread during this attempt, to those about its
  /// failure (`handler_failed`, `handler_exhausted_retries`), and to the attempt in its letter. The next
  /// attempt begins without it, and events that are published do not inherit it. The rules of ContextFields
  /// hold: throws Error(InvalidArgument). Only on the thread that the handler was called on.
  void bind(std::string_view name, ContextValue value) const { bind({{name, std::move(value)}}); }
  void bind(std::initializer_list<ContextField> fields) const;
  /// What was bound during this attempt.
  [[nodiscard]] ContextFields bound() const;

 private:
  friend class detail::DeliveryFrame;
  friend DeliveryTransaction& detail::open_transaction(const EventContext& context);

  [[nodiscard]] bool has_bound() const noexcept {
    return bound_ != nullptr && bound_->handler == &identity_->handler && bound_->attempt == attempt_;
  }
  void forget_bound() noexcept;

  const Metadata& metadata_;
  std::string_view event_type_;
  const detail::HandlerIdentity* identity_;
  int schema_version_;
  std::uint32_t attempt_;
  /// Null if the delivery is neither journalled nor a redrive.
  detail::HandlerTransaction* transaction_ = nullptr;
  /// Of the last handler and attempt that bound any; null: none did. Owned.
  mutable detail::BoundFields* bound_ = nullptr;
};

}  // namespace tidings
