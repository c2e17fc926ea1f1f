#pragma once

#include "telemetry/receiver.hpp"

#include <tidings/clock.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/telemetry/exporter.hpp>

#include "logging/record_schema.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace tidings::telemetry {

/// A receiver, a clock that only the test moves, and what is logged.
class ExporterTest : public ::testing::Test {
 public:
  ~ExporterTest() override { ::tidings::test::expect_documented_records(capture_); }

 protected:
  [[nodiscard]] ExporterOptions options() {
    ExporterOptions options;
    options.traces.url = receiver_.url("/v1/traces");
    options.resource = {{{"service.name", "orders"}}};
    options.logger = capture_.logger();
    options.clock = clock_;
    options.random = [] { return ~std::uint64_t{0}; };  // the longest of all waits
    return options;
  }

  [[nodiscard]] static SpanData span(const std::string& name) {
    SpanData span;
    span.context.trace_id.bytes[0] = 1;
    span.context.span_id.bytes[0] = 1;
    span.name = name;
    return span;
  }

  /// Until the exporter's thread waits for the clock.
  void await_idle() { clock_->await_waiter(); }
  /// Lets time pass, and the exporter do what is due then.
  void pass(std::chrono::milliseconds time) {
    await_idle();
    clock_->advance(time);
    await_idle();
  }
  /// Has the exporter send what it has, and waits until it is sent or lost.
  void send(Exporter& exporter) { EXPECT_TRUE(exporter.flush(kLong)); }

  static constexpr std::chrono::hours kLong{1};
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  logging::Capture capture_;
  Receiver receiver_;
};

}  // namespace tidings::telemetry
