#pragma once

#include <tidings/telemetry/span.hpp>

#include <fstream>
#include <memory>
#include <mutex>
#include <string>

namespace tidings::telemetry {
class Tracer;
}

namespace webhooks {

/// The spans of a run in a file, each a line of OTLP's JSON: for who has no receiver of traces at hand.
class TraceFile {
 public:
  /// Throws tidings::Error if the file cannot be written.
  explicit TraceFile(const std::string& path);

  void add(const tidings::telemetry::SpanData& span);

 private:
  std::mutex mutex_;
  std::ofstream file_;
};

/// A tracer that records every trace in the file.
std::shared_ptr<tidings::telemetry::Tracer> trace_into(const std::string& path);

}  // namespace webhooks
