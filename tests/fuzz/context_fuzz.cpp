#include <tidings/context.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz_check.hpp"

namespace {

bool is_visible_ascii(std::string_view text) {
  for (const char c : text) {
    if (c < '!' || c > '~') return false;
  }
  return true;
}

void check_correlation_id(std::string_view text) {
  const auto id = tidings::CorrelationId::parse(text);
  FUZZ_CHECK(id.has_value() == (!text.empty() && text.size() <= 128 && is_visible_ascii(text)));
  if (id) FUZZ_CHECK(id->to_string() == text && !id->empty());
  const auto event_id = tidings::EventId::parse(text);
  if (event_id) FUZZ_CHECK(tidings::EventId::parse(event_id->to_string()) == event_id);
}

void check_traceparent(std::string_view text) {
  const auto parent = tidings::TraceParent::parse(text);
  if (!parent) return;
  FUZZ_CHECK(text.size() >= 55 && parent->to_string().substr(2) == text.substr(2, 53));
  FUZZ_CHECK(tidings::TraceParent::parse(parent->to_string()) == parent);
}

/// One `name: value` a line.
tidings::Headers headers_of(std::string_view text) {
  tidings::Headers headers;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos) headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return headers;
}

void check_headers(const tidings::Headers& headers) {
  const tidings::Context expected = tidings::Context::from_headers(headers);
  FUZZ_CHECK(!expected.correlation_id.empty());
  const tidings::Headers outbound = expected.outbound_headers();
  for (const auto& header : outbound) {
    for (const char c : header.second) FUZZ_CHECK(c >= ' ' && c <= '~');
  }
  FUZZ_CHECK(tidings::Context::from_headers(outbound) == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_correlation_id(text);
  check_traceparent(text);
  check_headers(headers_of(text));
  return 0;
}
