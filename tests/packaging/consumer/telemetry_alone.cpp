#include <tidings/telemetry/exporter.hpp>

#include <chrono>

int main() {
  tidings::telemetry::ExporterOptions options;
  options.traces.url = "http://127.0.0.1:9/v1/traces";  // where nobody listens
  options.traces.compression = tidings::telemetry::Compression::Gzip;
  tidings::telemetry::Exporter exporter(options);
  tidings::telemetry::SpanData span;
  span.attributes.push_back({"order_id", std::int64_t{42}});
  exporter.add(span);
  return !exporter.stop(std::chrono::milliseconds(0)) && exporter.dropped() == 1 ? 0 : 1;
}
