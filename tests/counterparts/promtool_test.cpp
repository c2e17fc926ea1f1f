#include <tidings/telemetry/counters.hpp>
#include <tidings/telemetry/metrics_text.hpp>

#include "architecture/command.hpp"
#include "telemetry/sample_metrics.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

// Prometheus' own tool on what tidings writes. It says what is valid, and what is named against its customs.

namespace tidings::telemetry::test {
namespace {

TEST(Promtool, FindsNothingWrongWithTheMetrics) {
  CounterRegistry own;
  own.counter("shop_refused", "Orders refused.", {{"reason", "no \"stock\"\n\\"}}).add(3);
  const auto path =
      std::filesystem::temp_directory_path() / ("tidings-promtool-" + std::to_string(::getpid()) + ".prom");
  write_metrics_file(path, sample_metrics(), {.own = &own});
  const auto result = architecture::run_command("promtool check metrics < '" + path.string() + "'");
  std::filesystem::remove(path);
  EXPECT_EQ(result.exit_status, 0) << result.output;
  EXPECT_EQ(result.output, "");
}

}  // namespace
}  // namespace tidings::telemetry::test
