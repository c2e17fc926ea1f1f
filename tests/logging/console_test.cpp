#include "line_sink.hpp"
#include "output/rendering.hpp"
#include "record/record_builder.hpp"

#include <tidings/logging/logger.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace tidings::logging {
namespace {

/// One console line of an Info record `e`, without time and heading.
std::string fields_of(std::vector<Field> fields) {
  const auto sink = std::make_shared<LineSink>();
  const Logger log(LoggerOptions{.level = Level::Info, .format = Format::Console, .sinks = {sink}});
  log.log(Level::Info, "e", fields);
  const std::string line = sink->lines().at(0);
  constexpr std::size_t heading = 27 + 1 + 8 + 1 + 26;  // time, level, event
  return line.substr(heading, line.size() - heading - 1);
}

std::string field(Value value) {
  std::vector<Field> fields;
  fields.push_back({"f", std::move(value)});
  return fields_of(std::move(fields)).substr(3);
}

TEST(ConsoleTest, ALineIsAlignedAndReadsAsKeysAndValues) {
  const auto sink = std::make_shared<LineSink>();
  const auto clock = std::make_shared<ManualClock>();
  const Logger log(LoggerOptions{.service = "orders",
                                 .name = "import",
                                 .level = Level::Info,
                                 .format = Format::Console,
                                 .sinks = {sink},
                                 .clock = clock});
  log.warning("rows_skipped", {{"rows", 3}, {"ratio", 0.5}, {"why", "no id"}});
  EXPECT_EQ(sink->lines().at(0),
            "2026-01-01T00:00:00.000000Z warning  rows_skipped               logger=import rows=3 ratio=0.5 "
            "why=\"no id\" service=orders\n");
}

TEST(ConsoleTest, EveryKindOfValueIsWritten) {
  EXPECT_EQ(field(nullptr), "null");
  EXPECT_EQ(field(true), "true");
  EXPECT_EQ(field(-3), "-3");
  EXPECT_EQ(field(1.0), "1.0");
  EXPECT_EQ(field(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(field(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(field(Json{{"a", {1, "x"}}}), R"({"a":[1,"x"]})");
  EXPECT_EQ(field([] { return "lazy"; }), "lazy");
}

TEST(ConsoleTest, TextsAreQuotedOnlyWhenNeeded) {
  EXPECT_EQ(field("plain/text:1.5,a+b@c"), "plain/text:1.5,a+b@c");
  EXPECT_EQ(field(""), "\"\"");
  EXPECT_EQ(field("two words"), "\"two words\"");
  EXPECT_EQ(field("a=b"), "\"a=b\"");
  EXPECT_EQ(field("say \"x\" \\"), R"("say \"x\" \\")");
  EXPECT_EQ(field("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
}

TEST(ConsoleTest, TerminalsCannotBeCommanded) {
  EXPECT_EQ(field("\x1b[2J\x07"), R"("\x1b[2J\x07")");
  EXPECT_EQ(field("a\r\nb\tc"), R"("a\r\nb\tc")");
  EXPECT_EQ(field(std::string("a\0b", 3)), R"("a\x00b")");
  EXPECT_EQ(field("\xc2\x9b"
                  "2J"),
            R"("\x9b2J")")
      << "the one-character form of ESC [";
  EXPECT_EQ(field("\xff"), "\"\xef\xbf\xbd\"");
}

TEST(ConsoleTest, TextCannotBeHiddenOrReordered) {
  EXPECT_EQ(field("\xe2\x80\xae"
                  "x"),
            R"("\u{202e}x")")
      << "right-to-left override";
  EXPECT_EQ(field("a\xe2\x80\x8b"), R"("a\u{200b}")") << "zero width space";
  EXPECT_EQ(field("\xf3\xa0\x80\x81"), R"("\u{e0001}")") << "tag character";
  EXPECT_EQ(field("\xe2\x80\xa8"), R"("\u{2028}")") << "line separator";
}

TEST(ConsoleTest, NamesAreEscapedToo) {
  EXPECT_EQ(fields_of([] {
              std::vector<Field> fields;
              fields.push_back({"a b\x1b", 1});
              return fields;
            }()),
            R"( "a b\x1b"=1)");
}

TEST(ConsoleTest, SecretsAreRedacted) {
  EXPECT_EQ(field("password=x"), "\"password=[redacted]\"");
  std::vector<Field> fields;
  fields.push_back({"token", "x"});
  EXPECT_EQ(fields_of(std::move(fields)), " token=[redacted]");
}

std::string rendered(bool colour) {
  detail::RecordBuilder builder;
  builder.begin(Timestamp(), Level::Error, "e", "", "");
  std::string line;
  render_console(builder.record(), {.colour = colour}, line);
  return line;
}

TEST(ConsoleTest, ColoursAreThereWhenWantedOnly) {
  EXPECT_EQ(rendered(false).find('\x1b'), std::string::npos);
  EXPECT_EQ(rendered(true).find("\x1b[2m1970-01-01T00:00:00.000000Z\x1b[0m \x1b[31merror   \x1b[0m"), 0U);
}

}  // namespace
}  // namespace tidings::logging
