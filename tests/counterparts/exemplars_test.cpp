#include <tidings/bus.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/telemetry/exemplars.hpp>
#include <tidings/telemetry/metrics_text.hpp>
#include <tidings/telemetry/tracer.hpp>

#include "architecture/command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>

namespace tidings::telemetry::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// A service with a queued handler whose attempts are measured, and its /metrics.
class ServiceWithExemplars {
 public:
  ServiceWithExemplars()
      : bus_({.service = "shop",
              .logger = capture_.logger(),
              .telemetry = {.metrics = true,
                            .observer = std::make_shared<Tracer>([this](const SpanData& span) { note(span); },
                                                                 TracerOptions{.exemplars = exemplars_})}}) {
    note_ = bus_.subscribe("shop.paid", "note", [](const Json&) {}, {.dispatch = Dispatch::Queued});
    server_.Get("/metrics", [this](const httplib::Request& request, httplib::Response& response) {
      const auto format = metrics_format_for(request.get_header_value("Accept"));
      std::ostringstream text;
      write_metrics(text, bus_.metrics(), format, {.exemplars = exemplars_.get()});
      response.set_content(text.str(), std::string(content_type(format)));
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    serving_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~ServiceWithExemplars() {
    server_.stop();
    serving_.join();
  }

  void publish() {
    bus_.publish("shop.paid", Json{{"order", 7}});
    EXPECT_TRUE(bus_.wait_idle(30s));
  }
  /// What Prometheus keeps of it.
  [[nodiscard]] std::string scraped() const {
    const auto result =
        architecture::run_command("/usr/bin/python3 '" TIDINGS_EXEMPLARS "' " + std::to_string(port_));
    EXPECT_EQ(result.exit_status, 0) << result.output;
    return result.output;
  }
  /// The attempt's.
  [[nodiscard]] SpanContext span() const {
    const std::lock_guard lock(mutex_);
    return span_;
  }

 private:
  void note(const SpanData& span) {
    const std::lock_guard lock(mutex_);
    if (span.name == "process shop.paid") span_ = span.context;
  }

  mutable std::mutex mutex_;
  SpanContext span_;
  const logging::Capture capture_;
  const std::shared_ptr<Exemplars> exemplars_ = std::make_shared<Exemplars>();
  Bus bus_;
  Subscription note_;
  httplib::Server server_;
  int port_ = 0;
  std::thread serving_;
};

TEST(PrometheusExemplars, LeadFromABucketToTheTraceOfAnAttempt) {
  ServiceWithExemplars service;
  service.publish();
  const TraceParent span{service.span().trace_id.bytes, service.span().span_id.bytes, 1};
  EXPECT_THAT(service.scraped(), HasSubstr("note {\"span_id\": \"" + span.parent_id_text() +
                                           "\", \"trace_id\": \"" + span.trace_id_text() + "\"}"));
}

}  // namespace
}  // namespace tidings::telemetry::test
