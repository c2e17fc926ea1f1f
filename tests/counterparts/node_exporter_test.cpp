#include <tidings/telemetry/metrics_text.hpp>

#include "architecture/command.hpp"
#include "telemetry/sample_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace tidings::telemetry::test {
namespace {

using ::testing::HasSubstr;

TEST(NodeExporter, GivesTheMetricsOfAFile) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("tidings-node-exporter-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  write_metrics_file(folder / "shop.prom", sample_metrics());
  const auto result =
      architecture::run_command("/usr/bin/python3 '" TIDINGS_NODE_EXPORTER "' '" + folder.string() + "'");
  std::filesystem::remove_all(folder);
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_THAT(result.output, HasSubstr("\nnode_textfile_scrape_error 0\n"));
  EXPECT_THAT(result.output,
              HasSubstr("\ntidings_events_published_total{event_type=\"orders.order_placed\"} 12\n"));
  EXPECT_THAT(result.output,
              HasSubstr("\ntidings_queue_depth{event_type=\"*\",handler=\"a\\\"b\\\\c\"} 0\n"));
  EXPECT_THAT(result.output, HasSubstr("\ntidings_commit_duration_seconds_bucket{le=\"+Inf\"} 2\n"));
  EXPECT_THAT(result.output, HasSubstr("\ntidings_commit_duration_seconds_sum 0.006\n"));
}

}  // namespace
}  // namespace tidings::telemetry::test
