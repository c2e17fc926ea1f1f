#include <tidings/telemetry/span.hpp>

int main() {
  tidings::telemetry::SpanData span;
  span.attributes.push_back({"order_id", std::int64_t{42}});
  return std::get<std::int64_t>(span.attributes.at(0).value) == 42 ? 0 : 1;
}
