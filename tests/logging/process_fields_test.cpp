#include <tidings/context.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/process_identity.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace tidings::logging {
namespace {

class ProcessFieldsTest : public testing::Test {
 protected:
  ProcessFieldsTest() {
    set_process_identity({.host = "web-7", .environment = "staging", .release = "orders@1.4.2"});
  }
  ~ProcessFieldsTest() override { set_process_identity({}); }

  const Capture capture_;
};

TEST_F(ProcessFieldsTest, TheyStandBehindTheServiceInOneOrder) {
  const ContextScope scope(Context::from_id("request-7"));
  capture_.logger({.service = "orders", .process_fields = ProcessFields::all()}).info("e", {{"a", 1}});
  auto record = nlohmann::ordered_json::parse(capture_.lines().at(0));
  record.erase("timestamp");
  EXPECT_EQ(record.dump(), R"({"level":"info","event":"e","service":"orders","environment":"staging",)"
                           R"("release":"orders@1.4.2","host":"web-7","pid":)" +
                               std::to_string(::getpid()) + R"(,"thread":)" + std::to_string(::gettid()) +
                               R"(,"correlation_id":"request-7","a":1})");
}

TEST_F(ProcessFieldsTest, ByDefaultThoseThatOnlyTheServiceKnowsAreThere) {
  capture_.logger().info("e");
  const Json record = capture_.only("e");
  EXPECT_EQ(record.at("environment"), "staging");
  EXPECT_EQ(record.at("release"), "orders@1.4.2");
  EXPECT_FALSE(record.contains("host") || record.contains("pid") || record.contains("thread"));
}

TEST_F(ProcessFieldsTest, WhatIsNotSaidIsAbsent) {
  set_process_identity({});
  capture_.logger({.process_fields = ProcessFields::all()}).info("e");
  EXPECT_FALSE(capture_.only("e").contains("environment"));
  EXPECT_FALSE(capture_.only("e").contains("release"));
  EXPECT_TRUE(capture_.only("e").contains("host"));
}

TEST_F(ProcessFieldsTest, AUsersFieldIsRenamedOnlyWhereTheRecordHasThatOne) {
  capture_.logger({.process_fields = ProcessFields{.host = true}}).info("e", {{"host", "db1"}, {"pid", 1}});
  EXPECT_EQ(capture_.only("e").at("host"), "web-7");
  EXPECT_EQ(capture_.only("e").at("host_1"), "db1");
  EXPECT_EQ(capture_.only("e").at("pid"), 1);
}

TEST_F(ProcessFieldsTest, EachRecordHasTheThreadThatWroteIt) {
  const Logger log = capture_.logger({.process_fields = ProcessFields::all()});
  log.info("here");
  std::thread([&] { log.info("there"); }).join();
  EXPECT_NE(capture_.only("here").at("thread"), capture_.only("there").at("thread"));
}

TEST_F(ProcessFieldsTest, AForkedChildWritesItsOwnId) {
  const Logger log = capture_.logger({.process_fields = ProcessFields::all()});
  log.info("before");
  const pid_t child = ::fork();
  if (child == 0) {
    log.info("after");
    ::_exit(capture_.only("after").at("pid") == ::getpid() ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(ProcessFieldsTest, ConsoleLinesHaveThemAtTheEnd) {
  set_process_identity({.host = "web-7", .release = "r1"});
  const ProcessFields fields{.host = true};
  testing::internal::CaptureStderr();
  Logger({.service = "orders", .level = Level::Info, .format = Format::Console, .process_fields = fields})
      .info("e", {{"a", 1}});
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find(" a=1 service=orders host=web-7 release=r1\n"), std::string::npos) << line;
}

}  // namespace
}  // namespace tidings::logging
