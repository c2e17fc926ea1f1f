#pragma once

#include <exception>

namespace tidings::detail {

/// The message of an exception. Some users' exceptions return a null pointer from what(); making a string of
/// that is undefined behaviour. Not for users.
[[nodiscard]] inline const char* what_of(const std::exception& error) noexcept {
  const char* const what = error.what();
  return what != nullptr ? what : "(no message: what() returned a null pointer)";
}

}  // namespace tidings::detail
