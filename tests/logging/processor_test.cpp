#include <tidings/context.hpp>
#include <tidings/logging/capture.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace tidings::logging {
namespace {

Logger processed(const Capture& capture, std::vector<Processor> processors) {
  return capture.logger({.service = "orders", .processors = std::move(processors)});
}

TEST(ProcessorTest, MayAddChangeAndRemoveFields) {
  const Capture capture;
  const Logger log = processed(capture, {[](Record& record) {
                                 const std::string host = "a host name that is longer than a small string";
                                 record.set("host", host);
                                 record.set("rows", 2);
                                 return record.remove("noise") && !record.remove("unknown");
                               }});
  log.info("e", {{"rows", 1}, {"noise", "x"}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("host"), "a host name that is longer than a small string");
  EXPECT_EQ(record.at("rows"), 2);
  EXPECT_FALSE(record.contains("noise"));
}

TEST(ProcessorTest, MayDropARecord) {
  const Capture capture;
  const Logger log = processed(capture, {[](Record& record) { return record.event() != "noise"; }});
  log.info("noise");
  log.info("signal");
  EXPECT_EQ(capture.records().size(), 1U);
  EXPECT_EQ(log.dropped(), 0U) << "dropped on purpose is not lost";
}

TEST(ProcessorTest, RunInTheirOrderAndTheFirstThatDropsIsTheLast) {
  const Capture capture;
  int later_calls = 0;
  const Logger log = processed(capture, {[](Record& record) {
                                           record.set("step", 1);
                                           return true;
                                         },
                                         [](Record& record) { return record.find("step")->to_json() != 1; },
                                         [&](Record&) { return ++later_calls != 0; }});
  log.info("e");
  EXPECT_EQ(later_calls, 0);
  EXPECT_TRUE(capture.lines().empty());
}

TEST(ProcessorTest, SeesReservedFieldsAndCannotChangeThem) {
  const Capture capture;
  const ContextScope scope(Context::from_id("request-7"));
  const Logger log = processed(capture, {[](Record& record) {
                                 EXPECT_EQ(record.find("correlation_id")->text(), "request-7");
                                 EXPECT_EQ(record.find("service")->text(), "orders");
                                 EXPECT_EQ(record.find("handler"), nullptr);
                                 EXPECT_EQ(record.level(), Level::Warning);
                                 EXPECT_FALSE(record.remove("service"));
                                 record.set("service", "forged");
                                 return true;
                               }});
  log.warning("e");
  EXPECT_EQ(capture.only("e").at("service"), "orders");
  EXPECT_EQ(capture.only("e").at("service_1"), "forged");
}

TEST(ProcessorTest, MaySetAnError) {
  const Capture capture;
  const Logger log = processed(capture, {[](Record& record) {
                                 record.set("error", error_of(std::runtime_error("added later")).value);
                                 return true;
                               }});
  log.info("e");
  EXPECT_EQ(capture.only("e").at("error"), "added later");
}

TEST(ProcessorTest, LazyFieldsOfADroppedRecordAreNotEvaluated) {
  const Capture capture;
  int calls = 0;
  processed(capture, {[](Record&) { return false; }}).info("e", {{"n", [&] { return ++calls; }}});
  EXPECT_EQ(calls, 0);
}

TEST(ProcessorTest, WhatItAddsIsRedacted) {
  const Capture capture;
  const Logger log = processed(capture, {[](Record& record) {
                                 record.set("api_key", "k");
                                 return true;
                               }});
  log.info("e");
  EXPECT_EQ(capture.only("e").at("api_key"), "[redacted]");
}

TEST(ProcessorTest, OneThatThrowsCostsTheFieldsAndNotTheRecord) {
  const Capture capture;
  const ContextScope scope(Context::from_id("request-7"));
  const Logger log =
      processed(capture, {[](Record&) -> bool { throw std::runtime_error("processor broken"); }});
  log.info("e", {{"email", "a@b.c"}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("processor_error"), "processor broken");
  EXPECT_EQ(record.at("correlation_id"), "request-7");
  EXPECT_FALSE(record.contains("email")) << "a processor might have hidden it";
}

TEST(ProcessorTest, OneThatThrowsAnythingIsSurvived) {
  const Capture capture;
  processed(capture, {[](Record&) -> bool { throw 42; }}).info("e");
  EXPECT_TRUE(capture.only("e").contains("processor_error"));
}

TEST(ProcessorTest, AnEmptyOneIsPassedOver) {
  const Capture capture;
  processed(capture, {Processor()}).info("e");
  EXPECT_EQ(capture.count("e"), 1U);
}

}  // namespace
}  // namespace tidings::logging
