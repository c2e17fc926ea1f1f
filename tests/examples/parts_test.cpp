#include "examples/service_run.hpp"
#include "webhooks/delivery.hpp"
#include "webhooks/downstreams.hpp"
#include "webhooks/handlers.hpp"
#include "webhooks/ledger.hpp"
#include "webhooks/line_reader.hpp"
#include "webhooks/report.hpp"

#include <tidings/clock.hpp>
#include <tidings/retry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <system_error>

namespace webhooks {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LineReader, CountsLinesAndNeedsNoEndOfTheLast) {
  std::istringstream input("one\n\nthree");
  LineReader lines(input, 100);
  EXPECT_EQ(lines.next()->text, "one");
  EXPECT_EQ(lines.next()->text, "");
  const auto last = lines.next();
  EXPECT_EQ(last->text, "three");
  EXPECT_EQ(last->number, 3U);
  EXPECT_FALSE(lines.next());
}

TEST(LineReader, KeepsNoMoreOfALineThanItsLimitAndGoesOnAfterIt) {
  std::istringstream input("12345\n123456\n1");
  LineReader lines(input, 5);
  EXPECT_FALSE(lines.next()->too_long);
  const auto long_line = lines.next();
  EXPECT_TRUE(long_line->too_long);
  EXPECT_EQ(long_line->text, "12345");
  EXPECT_EQ(lines.next()->text, "1");
}

TEST(Delivery, IsNotMadeFromALineThatIsTooLong) {
  EXPECT_THROW(static_cast<void>(parse_delivery({.number = 1, .text = "{}", .too_long = true})),
               MalformedLine);
}

TEST(RateLimit, SaysHowLongTheWindowStillRuns) {
  const auto clock = std::make_shared<tidings::ManualClock>();
  RateLimit limit(2, 100ms, clock);
  limit.admit();
  clock->advance(30ms);
  limit.admit();
  try {
    limit.admit();
    FAIL() << "the third call was admitted";
  } catch (const tidings::RetryAfter& refusal) {
    EXPECT_EQ(refusal.delay(), 70ms);
    clock->advance(refusal.delay());
  }
  EXPECT_NO_THROW(limit.admit());
}

TEST(Downstreams, RefuseForGoodWhatTheyWillNeverTake) {
  Newsletter newsletter;
  EXPECT_THROW(newsletter.add("", "a/b 1.0"), tidings::Permanent);
  ActivityPage page;
  EXPECT_THROW(page.show("a/b", true, "github.push"), tidings::Permanent);
  EXPECT_THAT(page.entries(), IsEmpty());
}

TEST(Delivery, HasTheIdThatItsSenderKnowsItBy) {
  const auto delivery = parse_delivery({.number = 1, .text = R"({"id": "7d0c", "type": "a", "data": 1})"});
  EXPECT_EQ(delivery.id, "7d0c");
}

TEST(ActivityPage, AppendsToItsFileAndSaysWhichOneItCannotWrite) {
  const WorkFolder folder;
  ActivityPage page(folder / "page");
  page.show("a/b", false, "github.push");
  page.show("a/c", false, "github.fork");
  std::ifstream written(folder / "page");
  std::string first;
  std::getline(written, first);
  EXPECT_EQ(first, "a/b: github.push");

  ActivityPage nowhere(folder / "none/page");
  EXPECT_THAT([&] { nowhere.show("a/b", false, "github.push"); },
              ::testing::ThrowsMessage<std::system_error>(::testing::HasSubstr("none/page: No such file")));
  EXPECT_THAT(nowhere.entries(), IsEmpty());
}

TEST(Report, IsBalancedOnlyIfEveryHandlerIs) {
  const Account whole{.event_type = "a", .handler = "b", .published = 5, .handled = 3, .dead_letters = 2};
  Account one_lost = whole;
  --one_lost.handled;
  Account one_too_many = whole;
  ++one_too_many.handled;
  EXPECT_TRUE((Report{.accounts = {whole, whole}}.is_balanced()));
  EXPECT_FALSE((Report{.accounts = {one_lost, one_too_many}}.is_balanced()));
  Account of_earlier_runs = whole;
  of_earlier_runs.handled += 4;
  of_earlier_runs.redriven = 4;
  EXPECT_TRUE(of_earlier_runs.is_balanced());
}

class Handler : public ::testing::Test {
 protected:
  Downstreams to_{std::make_shared<tidings::ManualClock>()};
};

TEST_F(Handler, OfBuildsLeavesADeletedBranchAlone) {
  start_build(to_, {.repository = {"a/b", false}, .sender = {"c"}, .ref = "refs/heads/x", .head_commit = {}});
  EXPECT_THAT(to_.builds.messages(), IsEmpty());
}

TEST_F(Handler, OfMentionsTellsEachOnce) {
  tell_mentioned(to_, {{"comment", {{"body", "@ada, see @grace-h! mail@"}, {"user", {{"login", "c"}}}}}});
  EXPECT_THAT(to_.chat.posted(), ElementsAre("@ada, @grace-h: c mentioned you"));
}

TEST_F(Handler, OfActivityLeavesOutWhatBelongsToNoRepository) {
  EXPECT_EQ(repository_of({{"organization", "a"}}), "");
  EXPECT_EQ(repository_of(nullptr), "");
  EXPECT_EQ(repository_of({{"repository", {{"full_name", "a/b"}}}}), "a/b");
}

}  // namespace
}  // namespace webhooks
