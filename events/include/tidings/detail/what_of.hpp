#pragma once

#include <exception>

namespace tidings::detail {

/// What an exception says of itself. Users write exceptions whose what() returns a null pointer; a string
/// made of that is undefined behaviour. Not for users.
[[nodiscard]] inline const char* what_of(const std::exception& error) noexcept {
  const char* const what = error.what();
  return what != nullptr ? what : "(no message: what() returned a null pointer)";
}

}  // namespace tidings::detail
