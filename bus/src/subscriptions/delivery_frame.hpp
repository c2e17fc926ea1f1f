#pragma once

#include "subscriptions/subscriber.hpp"

#include <tidings/context.hpp>
#include <tidings/detail/stored_event.hpp>
#include <tidings/event_context.hpp>
#include <tidings/observer.hpp>

#include <cstdint>
#include <new>

namespace tidings::detail {

/// Makes an event ambient on the calling thread while its handlers run, and holds the context they are given.
class DeliveryFrame {
 public:
  DeliveryFrame(const Payload& payload, const Metadata& metadata, const HandlerIdentity& first)
      : context_(metadata, payload.event_type, payload.schema_version, first) {
    ambient_.event = &metadata;
    ambient_.event_type = payload.event_type;
    ambient_.attempt = 1;
    ambient_.bound = &context_.bound_;
    ambient_.previous = ambient_frame;
    ambient_frame = &ambient_;
  }
  ~DeliveryFrame() { ambient_frame = ambient_.previous; }
  DeliveryFrame(const DeliveryFrame&) = delete;
  DeliveryFrame& operator=(const DeliveryFrame&) = delete;

  /// Turns to another handler.
  void turn_to(const Subscriber& subscriber) noexcept { turn_to(subscriber.identity); }
  /// `handler` must outlive this.
  void turn_to(const HandlerIdentity& handler) noexcept {
    context_.identity_ = &handler;
    ambient_.handler = &handler.handler;
  }
  /// 1 at first.
  void set_attempt(std::uint32_t attempt) noexcept {
    context_.attempt_ = attempt;
    ambient_.attempt = attempt;
  }
  /// What the handler gets when it asks for its transaction; null: an error.
  void offer(HandlerTransaction* transaction) noexcept { context_.transaction_ = transaction; }

  /// An observer follows the attempt that begins. `span` has a trace.
  void open_span(const ObservedSpan& span) noexcept {
    const auto* const opened = new (&place_.span) ObservedSpan(span);
    ambient_.span = &*opened->trace;
  }
  void close_span() noexcept { ambient_.span = nullptr; }
  /// Null: nobody follows the attempt.
  [[nodiscard]] const ObservedSpan* span() const noexcept {
    return ambient_.span != nullptr ? &place_.span : nullptr;
  }

  [[nodiscard]] const EventContext& context() const noexcept { return context_; }

 private:
  /// Filled only while a span is open: a publish without an observer has no time to clear it.
  union SpanPlace {
    SpanPlace() noexcept {}  // NOLINT(modernize-use-equals-default): that would be deleted
    ObservedSpan span;
  };

  EventContext context_;
  AmbientFrame ambient_;
  SpanPlace place_;
};

}  // namespace tidings::detail
