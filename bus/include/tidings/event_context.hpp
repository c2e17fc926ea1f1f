#pragma once

#include <tidings/metadata.hpp>

#include <cstdint>
#include <string>
#include <string_view>

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
  std::string service;
  std::string event_type;
  std::string handler;
  std::uint32_t max_attempts = 1;
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
  ~EventContext() = default;

  [[nodiscard]] const Metadata& metadata() const noexcept { return metadata_; }
  [[nodiscard]] std::string_view event_type() const noexcept { return event_type_; }
  [[nodiscard]] int schema_version() const noexcept { return schema_version_; }
  [[nodiscard]] std::string_view service() const noexcept { return identity_->service; }
  [[nodiscard]] std::string_view handler() const noexcept { return identity_->handler; }
  /// 1 for the first.
  [[nodiscard]] std::uint32_t attempt() const noexcept { return attempt_; }
  [[nodiscard]] std::uint32_t max_attempts() const noexcept { return identity_->max_attempts; }
  /// `EVENT_ID/HANDLER`: the same for every attempt of this delivery and for no other delivery. Use it to
  /// recognise repeats.
  [[nodiscard]] std::string idempotency_key() const;

 private:
  friend class detail::DeliveryFrame;
  friend DeliveryTransaction& detail::open_transaction(const EventContext& context);

  const Metadata& metadata_;
  std::string_view event_type_;
  const detail::HandlerIdentity* identity_;
  int schema_version_;
  std::uint32_t attempt_;
  /// Null if the delivery is neither journalled nor a redrive.
  detail::HandlerTransaction* transaction_ = nullptr;
};

}  // namespace tidings
