#include "logging/record_schema.hpp"

#include "line_sink.hpp"
#include "variable.hpp"

#include <tidings/context.hpp>
#include <tidings/logging/spdlog_capture.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace tidings::logging {
namespace {

using test::RecordSchema;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::filesystem::path kRoot =
    std::filesystem::path(TIDINGS_RECORD_SCHEMA).parent_path().parent_path().parent_path();

void add_matches(const std::string& text, const std::regex& expression, std::set<std::string>& names) {
  for (std::sregex_iterator match(text.begin(), text.end(), expression), end; match != end; ++match) {
    for (std::size_t group = 1; group < match->size(); ++group) names.insert(match->str(group));
  }
}

/// The names of the records that the sources of tidings write.
std::set<std::string> names_in_sources() {
  const std::vector<std::regex> forms = {
      std::regex("Level::\\w+,\\s*\"(\\w+)\""),
      std::regex("kRecord = \"(\\w+)\""),
      std::regex("(?:took_long|write_audit)\\(\"(\\w+)\""),
      std::regex("stopped \\? \"(\\w+_\\w+)\"\\s*: \"(\\w+_\\w+)\""),
      std::regex("line\\.level, \"(\\w+)\""),
      std::regex("log(?:ger)?\\.(?:info|warning|error|critical)\\(\\s*\"(\\w+)\""),
      std::regex("\\\\\"event\\\\\":\\\\\"(\\w+)\\\\\"")};
  std::set<std::string> names;
  for (const char* folder : {"bus/src", "deadletter/src", "logging/src", "telemetry/src"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kRoot / folder)) {
      if (entry.path().extension() != ".cpp") continue;
      const std::string text = content_of(entry.path());
      for (const std::regex& form : forms) add_matches(text, form, names);
    }
  }
  return names;
}

/// The names in the first column of the tables of docs/logging.md.
std::set<std::string> names_in_document() {
  std::set<std::string> names;
  std::ifstream document(kRoot / "docs/logging.md");
  bool inside = false;
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("## ")) inside = line == "## What the bus logs";
    if (inside && line.starts_with("| `"))
      add_matches(line.substr(0, line.find('|', 1)), std::regex("`(\\w+)`"), names);
  }
  return names;
}

std::set<std::string> without(std::set<std::string> names, const std::set<std::string>& others) {
  for (const std::string& other : others) names.erase(other);
  return names;
}

TEST(RecordSchemaTest, SaysSomethingAboutEveryRecordThatTheSourcesName) {
  const std::set<std::string> written = names_in_sources();
  EXPECT_GE(written.size(), 38U);
  EXPECT_THAT(without(written, RecordSchema().names()), IsEmpty()) << "not in the schema";
  EXPECT_THAT(without(RecordSchema().names(), written), IsEmpty()) << "written nowhere";
}

TEST(RecordSchemaTest, NamesWhatTheDocumentNames) {
  EXPECT_THAT(without(names_in_document(), RecordSchema().names()), IsEmpty()) << "not in the schema";
  EXPECT_THAT(without(RecordSchema().names(), names_in_document()), IsEmpty()) << "not in docs/logging.md";
}

TEST(RecordSchemaTest, RefusesWhatIsMissingOrOfAnotherType) {
  const RecordSchema schema;
  const Json good{{"timestamp", "2026-11-21T09:30:00.123456Z"},
                  {"level", "info"},
                  {"event", "redrive_claimed"},
                  {"letters", 3}};
  EXPECT_EQ(schema.problems_of(good), "");
  for (const char* required : {"timestamp", "level", "event", "letters"}) {
    Json record = good;
    record.erase(required);
    EXPECT_THAT(schema.problems_of(record), HasSubstr(required));
  }
  for (const Json& other : {Json("3"), Json(3.5), Json(-1), Json(nullptr)}) {
    Json record = good;
    record["letters"] = other;
    EXPECT_NE(schema.problems_of(record), "") << other;
  }
  Json record = good;
  record["level"] = "warning";
  EXPECT_NE(schema.problems_of(record), "") << "that record is always of level info";
  record["event"] = "somebody_elses";
  EXPECT_EQ(schema.problems_of(record), "");
}

TEST(RecordSchemaTest, RecordsOfUsersAreAsItSays) {
  const Capture capture;
  const ContextScope scope(Context::from_id("request-7").with({{"tenant", "acme"}}));
  const Logger log = capture.logger({.service = "orders",
                                     .name = "import",
                                     .process_fields = ProcessFields::all(),
                                     .source_from = Level::Trace});
  log.error("e", {error_of(std::runtime_error("x")), {"rows", 3}, {"note", nullptr}});
  log.info("named_like_tidings", {{"event_id", 7}, {"handler", false}});
  test::expect_documented_records(capture);
  EXPECT_THAT(capture.lines(), SizeIs(2));
}

TEST(RecordSchemaTest, RecordsOfTheLoggerItselfAreAsItSays) {
  const Capture capture;
  const Variable level("TIDINGS_LOG_LEVEL", "loud");
  const Logger log = capture.logger();
  spdlog::logger others("http.client", make_spdlog_sink(log));
  others.warn("retrying");
  test::expect_documented_records(capture);
  EXPECT_EQ(capture.count("log_configuration_ignored"), 1U);
  EXPECT_EQ(capture.count("log_message"), 1U);
}

}  // namespace
}  // namespace tidings::logging
