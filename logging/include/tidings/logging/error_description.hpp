#pragma once

#include <exception>
#include <string>
#include <vector>

namespace tidings::logging {

/// A description of a thrown exception. Texts are as the exception gave them: neither sanitized nor redacted.
struct ErrorDescription {
  /// The exception's type as C++ source spells it, e.g. `std::runtime_error`; for diagnosis, not for use by
  /// programs.
  std::string type;
  /// `what()`; for a thrown string the string; empty for anything else that is not a std::exception.
  std::string message;
  /// What the exception was thrown from (std::nested_exception), outermost first, as `type: message`. At
  /// most 16.
  std::vector<std::string> causes;
  /// Of the first of all these that is a std::system_error (a std::filesystem::filesystem_error is one): the
  /// category's name and the value, `generic:111`. Empty: none is.
  std::string code = {};
};

/// Describes anything thrown, including values that are not a std::exception. A null pointer gives an empty
/// description.
[[nodiscard]] ErrorDescription describe_error(const std::exception_ptr& error);
[[nodiscard]] ErrorDescription describe_error(const std::exception& error);

}  // namespace tidings::logging
