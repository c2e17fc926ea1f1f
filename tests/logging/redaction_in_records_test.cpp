#include <tidings/logging/capture.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace tidings::logging {
namespace {

std::shared_ptr<const Redactor> redactor_with(std::vector<std::string> paths, Redaction action) {
  return std::make_shared<const Redactor>(RedactorOptions{.paths = std::move(paths), .action = action});
}

TEST(RedactionInRecordsTest, DeniedNamesAreMaskedWhereverTheyComeFrom) {
  const Capture capture;
  const Json user = {{"name", "ada"}, {"passwd", "x"}};
  capture.logger().bind({{"api_key", "k"}}).info("e", {{"password", "p"}, {"user", user}, {"token", [] {
                                                                                             return "t";
                                                                                           }}});
  const Json record = capture.only("e");
  for (const char* name : {"api_key", "password", "token"}) EXPECT_EQ(record.at(name), "[redacted]") << name;
  EXPECT_EQ(record.at("user"), (Json{{"name", "ada"}, {"passwd", "[redacted]"}}));
}

TEST(RedactionInRecordsTest, TextsAreScanned) {
  const Capture capture;
  capture.logger().error("e", {error_of(std::runtime_error("login with password=hunter2")),
                               {"url", "http://a:b@c"},
                               {"list", Json{"token: x"}}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("error"), "login with password=[redacted]");
  EXPECT_EQ(record.at("url"), "http://a:[redacted]@c");
  EXPECT_EQ(record.at("list").at(0), "token: [redacted]");
}

TEST(RedactionInRecordsTest, PathsBeginAtTheFieldsName) {
  const Capture capture;
  const Json customer = {{"email", "a@b.c"}, {"id", 7}};
  capture.logger({.redactor = redactor_with({"/customer/email", "/plain"}, Redaction::Mask)})
      .info("e", {{"customer", customer}, {"plain", "x"}, {"email", "kept"}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("customer"), (Json{{"email", "[redacted]"}, {"id", 7}}));
  EXPECT_EQ(record.at("plain"), "[redacted]");
  EXPECT_EQ(record.at("email"), "kept");
}

TEST(RedactionInRecordsTest, RemovalTakesNamesToo) {
  const Capture capture;
  const Json user = {{"name", "ada"}, {"token", "x"}};
  capture.logger({.redactor = redactor_with({"/plain"}, Redaction::Remove)})
      .info("e", {{"password", "p"}, {"plain", 1}, {"user", user}, {"only", Json{{"cvv", 1}}}});
  const Json record = capture.only("e");
  EXPECT_FALSE(record.contains("password"));
  EXPECT_FALSE(record.contains("plain"));
  EXPECT_EQ(record.at("user"), (Json{{"name", "ada"}}));
  EXPECT_EQ(record.at("only"), Json::object());
}

TEST(RedactionInRecordsTest, WithoutARedactorAllIsWritten) {
  const Capture capture;
  capture.logger({.redactor = nullptr})
      .info("e", {{"password", "p"}, {"text", "token=x"}, {"json", Json{{"cvv", 1}}}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("password"), "p");
  EXPECT_EQ(record.at("text"), "token=x");
  EXPECT_EQ(record.at("json").at("cvv"), 1);
}

TEST(RedactionInRecordsTest, LoggersGiveTheirRedactorAway) {
  EXPECT_EQ(Logger().redactor(), default_redactor());
  EXPECT_EQ(Capture().logger({.redactor = nullptr}).redactor(), nullptr);
}

}  // namespace
}  // namespace tidings::logging
