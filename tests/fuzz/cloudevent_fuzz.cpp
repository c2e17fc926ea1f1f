#include <tidings/cloudevents.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "fuzz_check.hpp"

namespace {

using tidings::CloudEvent;

/// Only Error(NotDecodable) may come out of bad input, with a message that is safe to print.
template <class Parse>
auto parsed(Parse parse) -> std::optional<decltype(parse())> {
  try {
    return parse();
  } catch (const tidings::Error& error) {
    FUZZ_CHECK(error.code() == tidings::ErrorCode::NotDecodable);
    for (const char* c = error.what(); *c != '\0'; ++c) FUZZ_CHECK(*c >= ' ' && *c <= '~');
    return std::nullopt;
  }
}

/// Whatever was accepted can be written, and says the same when it is read again.
void check_round_trip(const CloudEvent& event) {
  const tidings::Json written = to_cloudevent_json(event);
  const CloudEvent again = tidings::from_cloudevent_json(written);
  FUZZ_CHECK(again.metadata == event.metadata);
  FUZZ_CHECK(event.metadata.foreign_id ? written.at("id") == *event.metadata.foreign_id
                                       : written.at("id") == event.metadata.event_id.to_string());
  FUZZ_CHECK(again.type == event.type && again.schema_version == event.schema_version);
  FUZZ_CHECK(again.binary == event.binary && again.has_binary == event.has_binary);
  FUZZ_CHECK(again.data.is_discarded() == event.data.is_discarded());
  FUZZ_CHECK(to_cloudevent_json(again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto event = parsed([text] { return tidings::parse_cloudevent(text); })) check_round_trip(*event);
  const auto batch = parsed([text] { return tidings::parse_cloudevent_batch(text); });
  if (!batch) return 0;
  for (const CloudEvent& event : *batch) check_round_trip(event);
  return 0;
}
