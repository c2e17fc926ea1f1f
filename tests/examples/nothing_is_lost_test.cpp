#include "examples/service_run.hpp"

#include <tidings/deadletter/operations.hpp>
#include <tidings/deadletter/reader.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace webhooks {
namespace {

using tidings::deadletter::Filter;
using tidings::deadletter::Reader;

/// The project's own input, and the file that TIDINGS_REAL_EVENTS names, if it does.
std::vector<std::string> inputs() {
  std::vector<std::string> paths = {TIDINGS_WEBHOOKS_SAMPLE};
  const char* real_events = std::getenv("TIDINGS_REAL_EVENTS");
  if (real_events != nullptr && *real_events != '\0') paths.emplace_back(real_events);
  return paths;
}

std::int64_t lines_in(const std::string& path) {
  std::ifstream stream(path);
  std::int64_t lines = 0;
  for (std::string line; std::getline(stream, line);) ++lines;
  return lines;
}

Filter letters_of(const nlohmann::json& handler) {
  Filter filter{.handler = handler.at("handler").get<std::string>()};
  if (handler.at("event_type") != "*") filter.event_type = handler.at("event_type").get<std::string>();
  return filter;
}

class NothingIsLost : public ::testing::TestWithParam<std::string> {
 protected:
  NothingIsLost() : run_(run_service(folder_, shell_word(GetParam()))) {}

  [[nodiscard]] const nlohmann::json& handlers() const { return run_.summary.at("handlers"); }

  WorkFolder folder_;
  ServiceRun run_;
};

TEST_P(NothingIsLost, EveryLineIsAnEventOrRefused) {
  EXPECT_THAT(run_.status, ::testing::AnyOf(0, 65)) << run_.messages;
  const auto refused = static_cast<std::int64_t>(run_.summary.at("refused_lines").size());
  EXPECT_EQ(run_.summary.at("events").get<std::int64_t>() + refused, lines_in(GetParam()));
}

TEST_P(NothingIsLost, PublishedIsHandledPlusDeadLettersForEveryHandler) {
  auto letters = Reader::open(folder_ / "webhooks.db");
  ASSERT_EQ(handlers().size(), 12U);
  std::int64_t letters_of_all = 0;
  for (const auto& handler : handlers()) {
    const std::int64_t dead = letters.count(letters_of(handler));
    EXPECT_EQ(handler.at("published"), handler.at("handled").get<std::int64_t>() + dead) << handler;
    EXPECT_EQ(handler.at("dead_letters"), dead) << handler;
    letters_of_all += dead;
  }
  EXPECT_EQ(letters.count({}), letters_of_all) << "letters of handlers that the summary does not know";
}

TEST_P(NothingIsLost, AHandlerOfAllEventsSeesAllEvents) {
  for (const auto& handler : handlers()) {
    if (handler.at("event_type") != "*") continue;
    EXPECT_EQ(handler.at("published"), run_.summary.at("events")) << handler;
  }
}

TEST_P(NothingIsLost, FailuresAreRetriedAndSomeAreFinal) {
  std::int64_t retries = 0;
  for (const auto& handler : handlers()) retries += handler.at("retries").get<std::int64_t>();
  EXPECT_GT(retries, 0);
  auto letters = Reader::open(folder_ / "webhooks.db");
  EXPECT_GT(letters.count({.reason = tidings::Reason::Exhausted}), 0);
  EXPECT_GT(letters.count({.reason = tidings::Reason::Permanent}), 0);
}

TEST_P(NothingIsLost, EveryDeadLetterKeepsItsPayloadAndItsLine) {
  auto letters = Reader::open(folder_ / "webhooks.db");
  for (const auto& stored : letters.list({}, 1000).letters) {
    EXPECT_NO_THROW(
        static_cast<void>(tidings::decode_data(stored.letter.data.bytes, stored.letter.data.encoding)));
    ASSERT_EQ(stored.letter.metadata.fields.size(), 1U);
    EXPECT_EQ(stored.letter.metadata.fields.begin()->name, "line");
  }
}

INSTANTIATE_TEST_SUITE_P(Inputs, NothingIsLost, ::testing::ValuesIn(inputs()),
                         [](const auto& input) { return input.index == 0 ? "Sample" : "RealEvents"; });

TEST(Sample, NothingIsLostWhenLettersOfAnEarlierRunFailAgain) {
  const WorkFolder folder;
  ASSERT_EQ(run_service(folder, "'" TIDINGS_WEBHOOKS_SAMPLE "'").status, 65);
  auto desk = tidings::deadletter::Operations::open(folder / "webhooks.db", {"ann", "desk"});
  const auto marked = desk.redrive({}, {}, {});
  ASSERT_GT(marked.progress.changed, 0);
  const auto run = run_service(folder, "/dev/null");
  EXPECT_EQ(run.status, 0) << run.messages;
  auto letters = Reader::open(folder / "webhooks.db");
  const auto request = letters.redrive(marked.id).value();
  EXPECT_EQ(request.succeeded + request.failed, marked.progress.changed);
  EXPECT_GT(request.failed, 0);
}

TEST(Sample, HasALetterForEachHandlerOfAStructThatAnEventDoesNotFit) {
  const WorkFolder folder;
  ASSERT_EQ(run_service(folder, "'" TIDINGS_WEBHOOKS_SAMPLE "'").status, 65);
  auto letters = Reader::open(folder / "webhooks.db");
  EXPECT_EQ(letters.count({.handler = "label_issue", .reason = tidings::Reason::Undecodable}), 1);
  EXPECT_EQ(letters.count({.handler = "announce", .reason = tidings::Reason::Undecodable}), 1);
}

}  // namespace
}  // namespace webhooks
