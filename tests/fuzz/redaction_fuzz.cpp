#include <tidings/logging/redactor.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz_check.hpp"

namespace {

using tidings::logging::RedactionProfile;
using tidings::logging::Redactor;

/// What is not masked stands in the text as it did, in the same order.
bool keeps_the_rest(std::string_view text, std::string_view redacted) {
  constexpr std::string_view kMask = "[redacted]";
  for (std::size_t at = 0; !redacted.empty();) {
    const std::size_t mask = redacted.find(kMask);
    const std::string_view piece = redacted.substr(0, mask);
    at = text.find(piece, at);
    if (at == std::string_view::npos) return false;
    at += piece.size();
    redacted.remove_prefix(mask == std::string_view::npos ? redacted.size() : mask + kMask.size());
  }
  return true;
}

void check(const Redactor& redactor, std::string_view text) {
  std::string redacted = "untouched";
  const bool found = redactor.redact_text_into(text, redacted);
  FUZZ_CHECK(found || redacted == "untouched");
  if (found) FUZZ_CHECK(keeps_the_rest(text, redacted));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Redactor secrets;
  static const Redactor personal({.profile = RedactionProfile::PersonalData});
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(secrets, text);
  check(personal, text);
  return 0;
}
