#include <tidings/dead_letter.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz_check.hpp"

namespace {

/// Whatever was accepted is written as a line that says the same.
void check_round_trip(const tidings::DeadLetter& letter) {
  const std::string line = to_json_line(letter);
  for (const char c : line) FUZZ_CHECK(c >= ' ' && c <= '~');
  const tidings::DeadLetter again = tidings::parse_json_line(line);
  FUZZ_CHECK(again.metadata == letter.metadata && again.attempts == letter.attempts);
  FUZZ_CHECK(again.ordering_key == letter.ordering_key && again.error_message == letter.error_message);
  FUZZ_CHECK(again.data.bytes == letter.data.bytes && again.data.encoding == letter.data.encoding);
  FUZZ_CHECK(to_json_line(again) == line);
}

/// Any bytes may end up in an error text.
void check_hostile_texts(std::string_view text) {
  tidings::DeadLetter letter;
  letter.error_message = text;
  letter.ordering_key = std::string(text);
  letter.data = {.bytes = std::string(text), .encoding = tidings::DataEncoding::Json, .problem = {}};
  letter.error_fingerprint = tidings::error_fingerprint(text, text, text);
  FUZZ_CHECK(letter.error_fingerprint.size() == 16);
  const tidings::DeadLetter again = tidings::parse_json_line(to_json_line(letter));
  FUZZ_CHECK(again.data.bytes == text && again.error_message == text && again.ordering_key == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_hostile_texts(text);
  try {
    check_round_trip(tidings::parse_json_line(text));
  } catch (const tidings::Error& error) {
    FUZZ_CHECK(error.code() == tidings::ErrorCode::NotDecodable);
    for (const char* c = error.what(); *c != '\0'; ++c) FUZZ_CHECK(*c >= ' ' && *c <= '~');
  }
  return 0;
}
