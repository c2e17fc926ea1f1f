#include <tidings/logging/capture.hpp>
#include <tidings/logging/redactor.hpp>
#include <tidings/logging/sink.hpp>

#include "logging/corpus.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace tidings::logging {
namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(RedactionCorpusTest, IsLarge) {
  EXPECT_GE(secret_lines().size(), 200U);
  EXPECT_GE(innocent_lines().size(), 200U);
}

TEST(RedactionCorpusTest, EveryLineHoldsItsSecret) {
  for (const auto& [secret, line] : secret_lines()) EXPECT_TRUE(holds(line, secret)) << line;
}

TEST(RedactionCorpusTest, NoSecretComesThrough) {
  for (const auto& [secret, line] : secret_lines()) {
    const std::string redacted = default_redactor()->redact_text(line);
    EXPECT_FALSE(holds(redacted, secret)) << line << "\n" << redacted;
  }
}

TEST(RedactionCorpusTest, WhatIsInnocentStaysAsItIs) {
  for (const std::string& line : innocent_lines()) EXPECT_EQ(default_redactor()->redact_text(line), line);
}

TEST(RedactionCorpusTest, RedactingTwiceChangesNothingMore) {
  for (const auto& [secret, line] : secret_lines()) {
    const std::string once = default_redactor()->redact_text(line);
    EXPECT_EQ(default_redactor()->redact_text(once), once) << line;
  }
}

// What is JSON in a line as JSON, where it holds more than text.
std::optional<Json> json_of(const std::string& line) {
  Json value = Json::parse(line, nullptr, false);
  return value.is_discarded() || value.is_string() ? std::nullopt : std::optional(std::move(value));
}

TEST(RedactionCorpusTest, NoSecretComesThroughAsJson) {
  int seen = 0;
  for (const auto& [secret, line] : secret_lines()) {
    const auto value = json_of(line);
    if (!value) continue;
    ++seen;
    const std::string redacted = default_redactor()->redact(*value).dump();
    EXPECT_FALSE(holds(redacted, secret)) << line << "\n" << redacted;
  }
  EXPECT_GE(seen, 20);
}

TEST(RedactionCorpusTest, WhatIsInnocentStaysAsJson) {
  int seen = 0;
  for (const std::string& line : innocent_lines()) {
    const auto value = json_of(line);
    if (!value) continue;
    ++seen;
    EXPECT_EQ(default_redactor()->redact(*value), *value);
  }
  EXPECT_GE(seen, 10);
}

// A number as a number, and all else as it is.
Value value_of(const std::string& line) {
  auto value = json_of(line);
  if (!value) return nullptr;
  if (value->is_number_unsigned()) return value->get<std::uint64_t>();
  if (value->is_number_integer()) return value->get<std::int64_t>();
  if (value->is_number_float()) return value->get<double>();
  return *std::move(value);
}

// One record that has the line wherever text can be: a field, JSON, an error and its cause.
void log_everywhere(const Logger& log, const std::string& line) {
  const Json document = {{"lines", {line, {{"line", line}}, json_of(line).value_or(nullptr)}}};
  const ErrorDescription error{"std::runtime_error", line, {"std::logic_error: " + line}};
  log.bind({{"bound", line}})
      .error("line", {{"line", line}, {"document", document}, {"problem", error}, {"value", value_of(line)}});
}

std::string strings_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>() + "\n";
  std::string all;
  for (const Json& part : value)
    all += part.is_primitive() && !part.is_string() ? part.dump() + "\n" : strings_of(part);
  return all;
}

TEST(RedactionCorpusTest, NoSecretComesThroughInAnyRecord) {
  for (const Format format : {Format::Json, Format::Console}) {
    Capture capture;
    // The clock is set: the digits of no time are those of a secret.
    const Logger log = capture.logger({.format = format, .clock = std::make_shared<ManualClock>()});
    for (const auto& [secret, line] : secret_lines()) {
      capture.clear();
      log_everywhere(log, line);
      const std::string written = capture.lines().at(0);
      EXPECT_FALSE(holds(written, secret)) << written;
      if (format == Format::Console) continue;
      EXPECT_FALSE(holds(strings_of(Json::parse(written)), secret)) << written;
    }
  }
}

TEST(RedactionCorpusTest, WhatIsInnocentStaysInEveryRecord) {
  Capture capture;
  for (const std::string& line : innocent_lines()) {
    capture.clear();
    log_everywhere(capture.logger(), line);
    const Json record = capture.only("line");
    EXPECT_EQ(record.at("line"), line);
    EXPECT_EQ(record.at("bound"), line);
    const Json value = json_of(line).value_or(nullptr);
    EXPECT_EQ(record.at("document"), (Json{{"lines", {line, {{"line", line}}, value}}}));
    EXPECT_EQ(record.at("value"), value);
  }
}

/// Fails with a text.
class FailingSink final : public RecordSink {
 public:
  void write(const VisibleRecord&) override { throw std::runtime_error(text); }
  std::string text;
};

TEST(RedactionCorpusTest, NoSecretComesThroughInTheNoticeOfALoss) {
  for (const auto& [secret, line] : secret_lines()) {
    const auto sink = std::make_shared<FailingSink>();
    sink->text = line;
    testing::internal::CaptureStderr();
    Logger({.level = Level::Info, .sinks = {sink}}).info("e");
    const std::string notice = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(holds(notice, "1 log record(s) lost")) << notice;
    EXPECT_FALSE(holds(notice, secret)) << notice;
  }
}

}  // namespace
}  // namespace tidings::logging
