#include "running/attempt.hpp"

#include "event/misfit.hpp"
#include "threads/worker_pool.hpp"

#include <tidings/detail/patiently.hpp>
#include <tidings/error.hpp>
#include <tidings/logging/error_description.hpp>
#include <tidings/logging/redactor.hpp>
#include <tidings/logging/text.hpp>

#include <cxxabi.h>
#include <sysexits.h>
#include <unistd.h>

#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace tidings::detail {

namespace {

constexpr std::size_t kMaxErrorBytes = 4096;
constexpr std::size_t kMaxErrorTypeBytes = 200;
constexpr std::size_t kMaxPlaceBytes = 500;

/// Marks what went wrong before the handler was reached.
struct ConversionFailed {
  std::exception_ptr cause;
  /// In which field, if that is known.
  std::string place = {};
};

/// An event that could not be converted for lack of memory may fit all the same.
void rethrow_if_short_of_memory(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    return;
  }
}

/// The message and those of the exceptions that it was thrown from: the letter is to name the first cause.
std::string with_causes(const logging::ErrorDescription& error) {
  std::string text = error.message;
  for (const std::string& cause : error.causes) (text += "; caused by ") += cause;
  return text;
}

void describe(const logging::ErrorDescription& error, Failure& failure) {
  failure.error_type = logging::sanitize_text(error.type, kMaxErrorTypeBytes);
  failure.error_message = logging::printable_error(with_causes(error), kMaxErrorBytes);
  if (!error.code.empty()) failure.error_code = logging::sanitize_text(error.code, kMaxErrorTypeBytes);
}

bool says_permanent(const RetryPolicy& policy) {
  for (const ExceptionMatcher matches : policy.permanent) {
    if (matches()) return true;
  }
  if (!policy.retry_if) return false;
  try {
    return !policy.retry_if(std::current_exception());
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    return false;  // A predicate that fails must not cost the delivery its retries.
  }
}

std::unique_ptr<Failure> describe_conversion(const ConversionFailed& conversion, const RetryPolicy& policy) {
  try {
    std::rethrow_exception(conversion.cause);
  } catch (const std::bad_alloc&) {
    return describe_current_exception(policy);  // the data may be as it should
  } catch (...) {
    auto failure = describe_current_exception(policy);
    failure->final_reason = Reason::Undecodable;
    if (!conversion.place.empty()) {
      failure->error_message = patiently([&] {
        return logging::sanitize_text(
            failure->error_message + " (" + logging::printable_error(conversion.place, kMaxPlaceBytes) + ")",
            kMaxErrorBytes);
      });
    }
    return failure;
  }
}

/// Best effort: for want of memory the place is left out.
std::string place_of_misfit(const Json& data, const PayloadType& type, const std::exception_ptr& error) {
  try {
    return describe_misfit(data, type, error);
  } catch (const std::bad_alloc&) {
    return "";
  }
}

std::shared_ptr<const void> decoded(const PayloadType& wanted, const Json& json) {
  try {
    return wanted.decode(json);
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    const std::exception_ptr error = std::current_exception();
    throw ConversionFailed{error, place_of_misfit(json, wanted, error)};
  }
}

/// Without what the policy says of it. Each catch gives the exception itself: throwing it once more to
/// describe it would cost as much as all the rest.
std::unique_ptr<Failure> put_current_exception_into_words() {
  auto failure = std::make_unique<Failure>();
  try {
    throw;
  } catch (const Permanent& error) {
    describe(logging::describe_error(error), *failure);
    failure->final_reason = Reason::Permanent;
  } catch (const RetryAfter& error) {
    describe(logging::describe_error(error), *failure);
    failure->retry_after = error.delay();
  } catch (const std::exception& error) {
    describe(logging::describe_error(error), *failure);
  } catch (...) {
    describe(logging::describe_error(std::current_exception()), *failure);
    if (failure->error_message.empty()) failure->error_message = "not a std::exception";
  }
  return failure;
}

}  // namespace

Failure failure_of(const logging::ErrorDescription& error) {
  Failure failure;
  describe(error, failure);
  if (failure.error_message.empty()) failure.error_message = "not a std::exception";
  return failure;
}

std::unique_ptr<Failure> describe_current_exception(const RetryPolicy& policy) {
  try {
    throw;
  } catch (const ConversionFailed& conversion) {
    return describe_conversion(conversion, policy);
  } catch (...) {
    auto failure = patiently(put_current_exception_into_words);
    if (!failure->final_reason && says_permanent(policy)) failure->final_reason = Reason::Permanent;
    return failure;
  }
}

void thread_ends_in_handler(HandlerTransaction* transaction) noexcept {
  if (transaction != nullptr) transaction->roll_back();
  if (!WorkerPool::on_worker()) return;
  static constexpr std::string_view kWhy =
      "tidings: a queued handler ended its thread (pthread_exit, or a cancellation), which is the bus's: "
      "handlers return or throw; the process ends\n";
  static_cast<void>(::write(STDERR_FILENO, kWhy.data(), kWhy.size()));
  std::abort();
}

void child_returns_from_handler() {
  if (!WorkerPool::on_worker()) {
    throw Error(
        ErrorCode::ForkedChild,
        "a handler forked, and its child came back out of it: this bus belongs to the parent process; "
        "a child calls _exit or exec");
  }
  static constexpr std::string_view kWhy =
      "tidings: a queued handler forked, and its child came back out of it (did an exec fail?); the bus "
      "belongs to the parent process: the child ends\n";
  static_cast<void>(::write(STDERR_FILENO, kWhy.data(), kWhy.size()));
  ::_exit(EX_SOFTWARE);
}

const void* PayloadForms::convert(const PayloadType* wanted) {
  try {
    if (wanted == &kPayloadType<Json>) return &json();
    auto& objects = conversions().objects;
    for (const Converted& form : objects) {
      if (form.type == wanted) return form.object.get();
    }
    objects.push_back({wanted, decoded(*wanted, json())});
    return objects.back().object.get();
  } catch (const ConversionFailed&) {
    throw;
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    throw ConversionFailed{std::current_exception()};
  }
}

const void* PayloadForms::try_as(const PayloadType* wanted) {
  try {
    return as(wanted);
  } catch (const ConversionFailed& conversion) {
    rethrow_if_short_of_memory(conversion.cause);
    return nullptr;
  }
}

const Json& PayloadForms::json() {
  if (payload_.type == &kPayloadType<Json>) return *static_cast<const Json*>(payload_.object);
  auto& json = conversions().json;
  if (!json) json = std::make_unique<const Json>(payload_.type->encode(payload_.object));
  return *json;
}

}  // namespace tidings::detail
