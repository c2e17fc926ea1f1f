#pragma once

#include "ending/handler_transaction.hpp"
#include "subscriptions/subscriber.hpp"

#include <tidings/dead_letter.hpp>
#include <tidings/detail/fork_generation.hpp>
#include <tidings/detail/stored_event.hpp>
#include <tidings/event_context.hpp>
#include <tidings/logging/error_description.hpp>

#include <cxxabi.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tidings::detail {

/// What is known of an exception that a handler threw. Texts are redacted and safe to print.
struct Failure {
  std::string error_type;
  std::string error_message;
  /// ErrorDescription::code.
  std::string error_code = {};
  /// Set when retrying is useless.
  std::optional<Reason> final_reason;
  /// The delay that the handler asked for, instead of the policy's backoff.
  std::optional<std::chrono::milliseconds> retry_after;
  /// The handler returned, and its transaction may have been committed all the same.
  bool in_doubt = false;
};

/// An event in the forms that its handlers want: each is made when first asked for. Lives as long as the
/// dispatch.
class PayloadForms {
 public:
  explicit PayloadForms(const Payload& payload) noexcept
      : payload_(payload), type_(payload.type), object_(payload.object) {}
  PayloadForms(const PayloadForms&) = delete;
  PayloadForms& operator=(const PayloadForms&) = delete;
  ~PayloadForms() = default;

  /// The event as an object of type `wanted`. Throws what the conversion throws.
  const void* as(const PayloadType* wanted) { return wanted == type_ ? object_ : convert(wanted); }
  /// The same, but null when the event does not fit that type.
  const void* try_as(const PayloadType* wanted);
  [[nodiscard]] const Payload& payload() const noexcept { return payload_; }

 private:
  struct Converted {
    const PayloadType* type;
    std::shared_ptr<const void> object;
  };

  /// What an event needs whose handlers want it in another form than its publisher gave it.
  struct Conversions {
    std::unique_ptr<const Json> json;
    std::vector<Converted> objects;
  };

  const void* convert(const PayloadType* wanted);
  const Json& json();
  [[nodiscard]] Conversions& conversions() {
    if (!conversions_) conversions_ = std::make_unique<Conversions>();
    return *conversions_;
  }

  const Payload& payload_;
  // Copies, which the compiler may keep in registers across the calls of handlers.
  const PayloadType* const type_;
  const void* const object_;
  std::unique_ptr<Conversions> conversions_;
};

[[nodiscard]] inline std::chrono::microseconds microseconds(Instant::duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration);
}

/// Without what a policy or the exception itself says of retries. Throws std::bad_alloc.
[[nodiscard]] Failure failure_of(const logging::ErrorDescription& error);

/// Puts the exception being handled into words: what a handler threw, or a conversion made for it.
[[nodiscard]] std::unique_ptr<Failure> describe_current_exception(const RetryPolicy& policy);

/// The handler ends its thread (pthread_exit, or a cancellation). A thread of the application may end; on a
/// worker this ends the process, with a message: a bus without its workers would hold events for ever.
void thread_ends_in_handler(HandlerTransaction* transaction) noexcept;
/// The handler forked, and its child came back out of it. A child has none of the bus's threads, and would
/// deliver the parent's events: on a worker it ends at once, with a message and status 70 (EX_SOFTWARE); in a
/// publish this throws ForkedChild.
[[noreturn]] void child_returns_from_handler();

/// Runs a handler once with the object that `event` returns, and ends the transaction that it may have asked
/// for. Null when it returned, else what it, `event` or the commit threw. This is the one place where
/// exceptions of handlers are caught, and those of conversions (PayloadForms::try_as only asks whether one
/// works). `generation` is that of the bus's process: see fork_generation().
template <class Event>
[[nodiscard]] inline std::unique_ptr<Failure> run_handler_with(const Event& event,
                                                               const Subscriber& subscriber,
                                                               const EventContext& context,
                                                               std::uint64_t generation,
                                                               HandlerTransaction* transaction = nullptr) {
  try {
    subscriber.user.function(event(), context);
    if (fork_generation() == generation) [[likely]] {
      if (transaction != nullptr) transaction->commit();
      return nullptr;
    }
  } catch (const abi::__forced_unwind&) {
    thread_ends_in_handler(transaction);
    throw;  // the C library ends the process when it is swallowed
  } catch (...) {
    if (fork_generation() == generation) {
      if (transaction != nullptr) transaction->roll_back();
      auto failure = describe_current_exception(subscriber.options.retry);
      failure->in_doubt = transaction != nullptr && transaction->in_doubt();
      return failure;
    }
  }
  child_returns_from_handler();
}

/// The same with an event that may have to be converted first.
[[nodiscard]] inline std::unique_ptr<Failure> run_handler(const Subscriber& subscriber, PayloadForms& forms,
                                                          const EventContext& context,
                                                          std::uint64_t generation,
                                                          HandlerTransaction* transaction = nullptr) {
  return run_handler_with([&] { return forms.as(subscriber.payload_type); }, subscriber, context, generation,
                          transaction);
}

}  // namespace tidings::detail
