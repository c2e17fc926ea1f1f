#include "attempt.hpp"

#include <tidings/error.hpp>
#include <tidings/logging/redactor.hpp>
#include <tidings/logging/text.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <typeinfo>
#include <utility>

namespace tidings::detail {

namespace {

constexpr std::size_t kMaxErrorBytes = 4096;
constexpr std::size_t kMaxErrorTypeBytes = 200;

/// Marks what went wrong before the handler was reached.
struct ConversionFailed {
  std::exception_ptr cause;
};

std::string demangle(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  return status == 0 && name ? std::string(name.get()) : std::string(type.name());
}

std::string current_exception_type() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  return type == nullptr ? "unknown" : logging::sanitize_text(demangle(*type), kMaxErrorTypeBytes);
}

std::string printable(std::string_view message) {
  return logging::sanitize_text(logging::default_redactor()->redact_text(message), kMaxErrorBytes);
}

bool says_permanent(const RetryPolicy& policy) {
  for (const ExceptionMatcher matches : policy.permanent) {
    if (matches()) return true;
  }
  if (!policy.retry_if) return false;
  try {
    return !policy.retry_if(std::current_exception());
  } catch (...) {
    return false;  // A predicate that fails must not cost the delivery its retries.
  }
}

std::unique_ptr<Failure> describe_conversion(const ConversionFailed& conversion, const RetryPolicy& policy) {
  try {
    std::rethrow_exception(conversion.cause);
  } catch (...) {
    auto failure = describe_current_exception(policy);
    failure->final_reason = Reason::Undecodable;
    return failure;
  }
}

}  // namespace

std::unique_ptr<Failure> describe_current_exception(const RetryPolicy& policy) {
  auto failure = std::make_unique<Failure>();
  failure->error_type = current_exception_type();
  try {
    throw;
  } catch (const ConversionFailed& conversion) {
    return describe_conversion(conversion, policy);
  } catch (const Permanent& error) {
    failure->error_message = printable(error.what());
    failure->final_reason = Reason::Permanent;
    return failure;
  } catch (const RetryAfter& error) {
    failure->error_message = printable(error.what());
    failure->retry_after = error.delay();
  } catch (const std::exception& error) {
    failure->error_message = printable(error.what());
  } catch (const std::string& text) {
    failure->error_message = printable(text);
  } catch (const char* text) {
    failure->error_message = printable(text != nullptr ? text : "");
  } catch (...) {
    failure->error_message = "not a std::exception";
  }
  if (says_permanent(policy)) failure->final_reason = Reason::Permanent;
  return failure;
}

const void* PayloadForms::convert(const PayloadType* wanted) {
  try {
    if (wanted == &kPayloadType<Json>) return &json();
    auto& objects = conversions().objects;
    for (const Converted& form : objects) {
      if (form.type == wanted) return form.object.get();
    }
    objects.push_back({wanted, wanted->decode(json())});
    return objects.back().object.get();
  } catch (...) {
    throw ConversionFailed{std::current_exception()};
  }
}

const void* PayloadForms::try_as(const PayloadType* wanted) {
  try {
    return as(wanted);
  } catch (const ConversionFailed&) {
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
