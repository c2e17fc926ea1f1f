#pragma once

#include "otlp/messages.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::telemetry {

/// What a receiver says of a request that it has taken.
struct ReceiverAnswer {
  /// How many of the items it did not take, and never will.
  std::uint64_t rejected = 0;
  /// Why; without rejected items a warning. At most kMostReceiverText bytes, unsafe to print.
  std::string message = {};
};

inline constexpr std::size_t kMostReceiverText = 500;

/// Of an answer with status 200: Export{Trace,Logs,Metrics}ServiceResponse. What cannot be read counts as
/// nothing said, since the request was taken. Never throws but std::bad_alloc.
[[nodiscard]] ReceiverAnswer read_answer(std::string_view body, OtlpEncoding encoding);
/// Of an answer with another status: google.rpc.Status, or else the body itself if it is text.
[[nodiscard]] std::string read_refusal(std::string_view body, OtlpEncoding encoding);

}  // namespace tidings::telemetry
