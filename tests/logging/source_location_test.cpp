#include "line_sink.hpp"

#include <tidings/logging/capture.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/logging/timing_block.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidings::logging {
namespace {

constexpr const char* kThisFile = "logging/source_location_test.cpp";

TEST(SourceLocationTest, ARecordSaysWhereItWasLogged) {
  const Capture capture;
  const Logger log = capture.logger({.source_from = Level::Trace});
  const int line = __LINE__ + 1;
  log.info("e", {{"a", 1}});
  EXPECT_EQ(capture.only("e").at("source_file"), kThisFile);
  EXPECT_EQ(capture.only("e").at("source_line"), line);
  EXPECT_EQ(capture.only("e").at("source_function"), "TestBody");
}

TEST(SourceLocationTest, EveryWayToLogSaysIt) {
  const Capture capture;
  const Logger log = capture.logger({.source_from = Level::Trace});
  const std::vector<Field> fields = {{"a", 1}};
  const int first = __LINE__ + 1;
  log.trace("e");
  log.debug("e");
  log.info("e");
  log.warning("e");
  log.error("e");
  log.critical("e");
  log.log(Level::Info, "e", {{"a", 1}});
  log.log(Level::Info, "e", fields);
  int line = first;
  for (const Json& record : capture.records()) {
    EXPECT_EQ(record.at("source_line"), line++);
    EXPECT_EQ(record.at("source_function"), "TestBody");
  }
  EXPECT_EQ(line, first + 8);
}

TEST(SourceLocationTest, ATimingBlockSaysWhereItBegan) {
  const Capture capture;
  const Logger log = capture.logger({.source_from = Level::Info});
  const int line = __LINE__ + 1;
  { const TimingBlock timing(log, Level::Info, "e"); }
  EXPECT_EQ(capture.only("e").at("source_file"), kThisFile);
  EXPECT_EQ(capture.only("e").at("source_line"), line);
}

/// Logs for its callers.
void refuse(const Logger& log, SourceLocation source = SourceLocation::current()) {
  log.warning("refused", {}, source);
}

TEST(SourceLocationTest, AFunctionThatLogsForOthersPassesTheirPlaceOn) {
  const Capture capture;
  const Logger log = capture.logger({.source_from = Level::Info});
  const int line = __LINE__ + 1;
  refuse(log);
  EXPECT_EQ(capture.only("refused").at("source_line"), line);
  EXPECT_EQ(capture.only("refused").at("source_function"), "TestBody") << "the caller's, not `refuse`";
}

TEST(SourceLocationTest, APlaceWithoutAFunctionIsTold) {
  const Capture capture;
  capture.logger({.source_from = Level::Info}).info("e", {}, SourceLocation{"import/catalogue.cpp", 7});
  EXPECT_EQ(capture.only("e").at("source_line"), 7);
  EXPECT_FALSE(capture.only("e").contains("source_function"));
}

TEST(SourceLocationTest, OnlyFromTheLevelAskedForOn) {
  const Capture capture;
  const Logger log = capture.logger({.source_from = Level::Warning});
  log.info("quiet");
  log.warning("loud");
  capture.logger().critical("by_default");
  EXPECT_FALSE(capture.only("quiet").contains("source_file"));
  EXPECT_TRUE(capture.only("loud").contains("source_file"));
  EXPECT_FALSE(capture.only("by_default").contains("source_line"));
}

TEST(SourceLocationTest, TidingsOwnRecordsDoNotSayIt) {
  const Capture capture;
  detail::log_reserved(capture.logger({.source_from = Level::Trace}), Level::Error, "own", {});
  EXPECT_FALSE(capture.only("own").contains("source_file"));
}

TEST(SourceLocationTest, TheyStandBehindTheErrorAndBeforeFieldsOfOnesOwn) {
  const Capture capture;
  capture.logger({.source_from = Level::Info})
      .error("e", {error_of(std::runtime_error("x")), {"source_line", "mine"}});
  std::vector<std::string> keys;
  const auto record = nlohmann::ordered_json::parse(capture.lines().at(0));
  for (const auto& [key, value] : record.items()) keys.push_back(key);
  EXPECT_EQ(keys,
            (std::vector<std::string>{"timestamp", "level", "event", "error_type", "error", "source_file",
                                      "source_line", "source_function", "source_line_1"}));
}

TEST(SourceLocationTest, AFileIsNamedWithTheFolderItIsIn) {
  const auto short_of = [](const char* file) { return SourceLocation{file, 1, nullptr}.short_file(); };
  EXPECT_EQ(short_of("/build/orders/import/catalogue.cpp"), "import/catalogue.cpp");
  EXPECT_EQ(short_of("import/catalogue.cpp"), "import/catalogue.cpp");
  EXPECT_EQ(short_of("catalogue.cpp"), "catalogue.cpp");
  EXPECT_EQ(short_of("/catalogue.cpp"), "catalogue.cpp");
  EXPECT_EQ(short_of("../catalogue.cpp"), "catalogue.cpp");
  EXPECT_EQ(short_of("src/../catalogue.cpp"), "catalogue.cpp");
  EXPECT_EQ(short_of("./catalogue.cpp"), "catalogue.cpp");
  EXPECT_EQ(short_of("src//catalogue.cpp"), "catalogue.cpp");
  EXPECT_EQ(short_of(""), "");
  EXPECT_EQ(short_of(nullptr), "");
}

}  // namespace
}  // namespace tidings::logging
