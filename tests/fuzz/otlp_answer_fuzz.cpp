#include "otlp/response.hpp"
#include "sending/retry_after.hpp"

#include <tidings/detail/utf8.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidings::telemetry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const OtlpEncoding encoding : {OtlpEncoding::Protobuf, OtlpEncoding::Json}) {
    const ReceiverAnswer answer = read_answer(text, encoding);
    FUZZ_CHECK(answer.message.size() <= kMostReceiverText);
    FUZZ_CHECK(answer.rejected <= INT64_MAX);
    FUZZ_CHECK(read_refusal(text, encoding).size() <= kMostReceiverText);
  }
  const tidings::Timestamp now{};
  if (const auto wait = parse_retry_after(text, now))
    FUZZ_CHECK(wait->count() >= 0 && *wait <= kLongestRetryAfter);
  return 0;
}
