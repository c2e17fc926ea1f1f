#include <tidings/detail/what_of.hpp>
#include <tidings/logging/error_description.hpp>

#include <cxxabi.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <utility>

namespace tidings::logging {

namespace {

constexpr std::size_t kMaxCauses = 16;

std::string source_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  std::string result = status == 0 && name ? name.get() : type.name();
  constexpr std::string_view kInlineNamespace = "std::__cxx11::";
  for (std::size_t at = result.find(kInlineNamespace); at != std::string::npos;
       at = result.find(kInlineNamespace)) {
    result.replace(at, kInlineNamespace.size(), "std::");
  }
  return result;
}

std::exception_ptr cause_of(const std::exception& error) noexcept {
  const auto* nested = dynamic_cast<const std::nested_exception*>(&error);
  return nested == nullptr ? nullptr : nested->nested_ptr();
}

// std::throw_with_nested throws a type of its own that derives from the one meant.
std::string type_of(const std::exception& error) {
  constexpr std::string_view kWrapper = "std::_Nested_exception<";
  std::string name = source_name(typeid(error));
  if (name.starts_with(kWrapper) && name.ends_with('>')) {
    name = name.substr(kWrapper.size(), name.size() - kWrapper.size() - 1);
    while (name.ends_with(' ')) name.pop_back();
  }
  return name;
}

std::string code_of(const std::exception& error) {
  const auto* const failed = dynamic_cast<const std::system_error*>(&error);
  if (failed == nullptr) return {};
  return std::string(failed->code().category().name()) + ":" + std::to_string(failed->code().value());
}

struct Step {
  ErrorDescription description;
  std::exception_ptr cause;
};

std::string current_type() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  return type == nullptr ? "unknown" : source_name(*type);
}

Step describe_one(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return {{type_of(exception), tidings::detail::what_of(exception), {}, code_of(exception)},
            cause_of(exception)};
  } catch (const std::string& text) {
    return {{"std::string", text, {}}, nullptr};
  } catch (const char* text) {
    return {{"const char*", text == nullptr ? "" : text, {}}, nullptr};
  } catch (...) {
    return {{current_type(), {}, {}}, nullptr};
  }
}

void add_causes(std::exception_ptr cause, ErrorDescription& description) {
  while (cause && description.causes.size() < kMaxCauses) {
    Step step = describe_one(cause);
    if (description.code.empty()) description.code = std::move(step.description.code);
    description.causes.push_back(step.description.message.empty()
                                     ? step.description.type
                                     : step.description.type + ": " + step.description.message);
    cause = step.cause;
  }
}

}  // namespace

ErrorDescription describe_error(const std::exception_ptr& error) {
  if (!error) return {};
  Step step = describe_one(error);
  add_causes(step.cause, step.description);
  return std::move(step.description);
}

ErrorDescription describe_error(const std::exception& error) {
  ErrorDescription description{type_of(error), tidings::detail::what_of(error), {}, code_of(error)};
  add_causes(cause_of(error), description);
  return description;
}

}  // namespace tidings::logging
