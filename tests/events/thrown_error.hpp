#pragma once

#include <tidings/error.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace tidings {

/// The error that `call` throws; nothing, and a failed test, when it returns.
template <class Call>
std::optional<Error> thrown_error(Call call) {
  try {
    static_cast<void>(call());
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return std::nullopt;
}

/// Expects an error of this code whose message is printable and says `part`.
template <class Call>
void expect_error(ErrorCode code, const std::string& part, Call call) {
  const auto error = thrown_error(call);
  if (!error) return;
  const std::string message = error->what();
  EXPECT_EQ(to_string(error->code()), to_string(code));
  EXPECT_NE(message.find(part), std::string::npos) << message << "\n  lacks: " << part;
  for (const char c : message) EXPECT_TRUE(c >= ' ' && c <= '~') << "unprintable character in: " << message;
}

}  // namespace tidings
