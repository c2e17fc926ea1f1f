#include <tidings/logging/capture.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace tidings::logging {
namespace {

bool is_one_ascii_line(const std::string& line) {
  return std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

const std::string& hostile_text() {
  static constexpr char kBytes[] =
      "nul\0 crlf\r\n{\"level\":\"forged\"} ansi\x1b[2J bad\xff\xc3 quote\" \\ del\x7f";
  static const std::string text(kBytes, sizeof(kBytes) - 1);
  return text;
}

TEST(HostileInputTest, HostileTextsStayOneParseableLine) {
  const Capture capture;
  const Json nested = {{"k", hostile_text()}, {hostile_text(), 1}};
  capture.logger().bind({{"bound", hostile_text()}}).info("e", {{"own", hostile_text()}, {"nested", nested}});
  ASSERT_TRUE(is_one_ascii_line(capture.lines().at(0)));
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("level"), "info");
  EXPECT_EQ(record.at("own").get<std::string>().substr(0, 4), std::string("nul\0", 4));
}

TEST(HostileInputTest, HostileNamesAndEventsStayOneParseableLine) {
  const Capture capture;
  capture.logger().info(hostile_text(), {{hostile_text(), 1}, {"", 2}, {"\",\"level\":\"forged", 3}});
  ASSERT_TRUE(is_one_ascii_line(capture.lines().at(0)));
  const Json record = capture.records().at(0);
  EXPECT_EQ(record.at("level"), "info");
  EXPECT_EQ(record.at(""), 2);
  EXPECT_EQ(record.size(), 6U);
}

TEST(HostileInputTest, AMebibyteIsCutAndSaysSo) {
  const Capture capture;
  const std::string huge(1'048'576, 'x');
  capture.logger().info("e", {{"text", huge}, {"nested", Json{{"text", huge}}}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("text"), std::string(65'536, 'x') + " ... (1048576 bytes in all)");
  EXPECT_EQ(record.at("nested").at("text"), record.at("text"));
}

TEST(HostileInputTest, TheLimitOfATextCanBeChosenAndIsNotExceededByACharacter) {
  const Capture capture;
  capture.logger({.max_text_bytes = 64}).info("e", {{"text", std::string(63, 'x') + "\xc3\xa9"}});
  EXPECT_EQ(capture.only("e").at("text"), std::string(63, 'x') + " ... (65 bytes in all)");
}

TEST(HostileInputTest, ASecretAtTheCutIsMaskedFirst) {
  const Capture capture;
  capture.logger({.max_text_bytes = 64}).info("e", {{"text", std::string(55, ' ') + "4111111111111111"}});
  EXPECT_EQ(capture.only("e").at("text").get<std::string>().find('4'), std::string::npos);
}

TEST(HostileInputTest, JsonNestedTenThousandDeepIsCut) {
  const Capture capture;
  Json deep = 1;
  for (int level = 0; level < 10'000; ++level) deep = Json::array({std::move(deep)});
  const Logger log = capture.logger();
  log.info("e", {{"deep", deep}});
  EXPECT_EQ(capture.count("e"), 1U);
  EXPECT_NE(capture.lines().at(0).find("[nested too deeply]"), std::string::npos);
  EXPECT_EQ(log.dropped(), 0U);
}

TEST(HostileInputTest, BinaryAndNonFiniteValuesAreWritten) {
  const Capture capture;
  const Json binary = Json::binary({1, 2, 3});
  capture.logger().info("e", {{"bytes", binary},
                              {"nan", std::numeric_limits<double>::quiet_NaN()},
                              {"nested", Json{{"inf", std::numeric_limits<double>::infinity()}}}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("bytes"), "[3 bytes]");
  EXPECT_EQ(record.at("nan"), nullptr);
  EXPECT_EQ(record.at("nested").at("inf"), nullptr);
}

TEST(HostileInputTest, EmptyStructuresAreWritten) {
  const Capture capture;
  capture.logger().info(
      "e", {{"array", Json::array()}, {"object", Json::object()}, {"mix", Json{1, "a", true, nullptr}}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("array"), Json::array());
  EXPECT_EQ(record.at("object"), Json::object());
  EXPECT_EQ(record.at("mix"), (Json{1, "a", true, nullptr}));
}

TEST(HostileInputTest, ALazyFieldThatThrowsIsNamedAndTheRecordIsWritten) {
  const Capture capture;
  capture.logger().info("e", {{"a", []() -> int { throw std::runtime_error("no value"); }},
                              {"b", []() -> int { throw 1; }},
                              {"c", 3}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("a"), "[unavailable: no value]");
  EXPECT_EQ(record.at("b"), "[unavailable: the lazy field threw]");
  EXPECT_EQ(record.at("c"), 3);
}

Value ever_lazier() { return Value::Lazy(ever_lazier); }

TEST(HostileInputTest, AFieldThatStaysLazyEnds) {
  const Capture capture;
  capture.logger().info("e", {{"a", ever_lazier}, {"b", Value::Lazy()}});
  EXPECT_EQ(capture.only("e").at("a"), "[unavailable: a lazy field that stays lazy]");
  EXPECT_EQ(capture.only("e").at("b"), "[unavailable: bad_function_call]");
}

}  // namespace
}  // namespace tidings::logging
