#include "variable.hpp"

#include <tidings/logging/logger.hpp>

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

namespace tidings::logging {
namespace {

using detail::configuration_of;

Json outputs_of(LoggerOptions options) {
  return configuration_of(Logger(std::move(options))).at("log_outputs");
}

class ConfigurationTest : public testing::Test {
 protected:
  ConfigurationTest() : file_(std::filesystem::path(testing::TempDir()) / "configuration_test.log") {}
  ~ConfigurationTest() override { std::filesystem::remove(file_); }

  const std::filesystem::path file_;
};

TEST_F(ConfigurationTest, ALoggerSaysWhatIsInEffectWhereNothingWasSaid) {
  const Json fields = configuration_of(Logger(LoggerOptions{}));
  EXPECT_EQ(fields.at("log_level"), "info");
  EXPECT_EQ(fields.at("log_outputs"), Json::array({"stderr"}));
  EXPECT_EQ(fields.at("log_process_fields"), "environment,release");
  EXPECT_EQ(fields.at("log_source_from"), "off");
  EXPECT_EQ(fields.at("log_redaction"), "secrets");
  EXPECT_EQ(fields.at("error_redaction"), "secrets");
  EXPECT_TRUE(fields.at("spdlog_version").get<std::string>().starts_with("1."));
  EXPECT_FALSE(fields.at("fmt_version").get<std::string>().empty());
}

TEST_F(ConfigurationTest, AFileTellsItsPathItsRotationAndItsQueue) {
  const auto file =
      file_sink({.path = file_, .max_bytes = 1000, .max_age = std::chrono::hours(24), .keep = 3});
  EXPECT_EQ(outputs_of({.sinks = {file}}),
            Json::array({file_.string() + " max_bytes=1000 max_age_s=86400 keep=3"}));
  EXPECT_EQ(outputs_of({.sinks = {file_sink({.path = file_})}}), Json::array({file_.string()}));
  EXPECT_EQ(outputs_of({.sinks = {file_sink({.path = file_, .queue_bytes = 65536})}}),
            Json::array({file_.string() + " queue_bytes=65536"}));
}

TEST_F(ConfigurationTest, ARelativePathIsToldAsTheFileThatItNames) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(file_.parent_path());
  const auto sink = file_sink({.path = file_.filename()});
  std::filesystem::current_path(before);
  EXPECT_EQ(sink->destination(), file_.string());
}

TEST_F(ConfigurationTest, WhatIsSpecialOfAnOutputOrARouteIsTold) {
  const auto personal =
      std::make_shared<const Redactor>(RedactorOptions{.profile = RedactionProfile::PersonalData});
  Route audit{.logger = "tidings.audit", .redactor = personal, .propagate = false};
  audit.sinks = {file_sink({.path = file_})};
  const Route silent{.logger = "noise", .propagate = false};
  EXPECT_EQ(outputs_of({.sinks = {stdout_sink(), {stderr_sink(), Format::Console, Level::Error}},
                        .routes = {audit, silent}}),
            Json::array({"stdout", "stderr format=console level=error", "noise=none propagate=false",
                         "tidings.audit=" + file_.string() + " redaction=personal_data propagate=false"}));
}

TEST_F(ConfigurationTest, SinksOfOthersAreNamedByTheirKind) {
  class Own final : public RecordSink {
    void write(const VisibleRecord& /*record*/) override {}
  };
  const auto of_spdlog =
      std::make_shared<spdlog::logger>("orders", std::make_shared<spdlog::sinks::null_sink_mt>());
  EXPECT_EQ(outputs_of({.sinks = {std::make_shared<Own>()}}), Json::array({"custom"}));
  EXPECT_EQ(outputs_of({.sinks = {std::make_shared<spdlog::sinks::null_sink_mt>()}}),
            Json::array({"spdlog"}));
  EXPECT_EQ(outputs_of({.spdlog_logger = of_spdlog}), Json::array({"spdlog logger=orders"}));
}

TEST_F(ConfigurationTest, WhatTheEnvironmentChoseIsTold) {
  const std::string destinations = "stdout,tidings.audit=" + file_.string();
  const Variable output("TIDINGS_LOG_OUTPUT", destinations.c_str());
  const Variable rotation("TIDINGS_LOG_ROTATION", "size=1K,keep=2");
  const Variable source("TIDINGS_LOG_SOURCE", "warning");
  const Variable process("TIDINGS_LOG_PROCESS_FIELDS", "host,pid");
  const Json fields = configuration_of(Logger(LoggerOptions{.redactor = nullptr}));
  EXPECT_EQ(fields.at("log_outputs"), Json::array({"stdout", "tidings.audit=" + file_.string() +
                                                                 " max_bytes=1024 keep=2 propagate=false"}));
  EXPECT_EQ(fields.at("log_source_from"), "warning");
  EXPECT_EQ(fields.at("log_process_fields"), "host,pid");
  EXPECT_EQ(fields.at("log_redaction"), "none");
}

}  // namespace
}  // namespace tidings::logging
