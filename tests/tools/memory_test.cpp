#include "check_dead_letters/probe.hpp"
#include "tools/dead_letters_fixture.hpp"

#include <fstream>
#include <functional>

namespace tidings::dead_letters {
namespace {

/// The most memory that this process had, in bytes.
std::int64_t peak() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  }
  return 0;
}

/// By how much a call raised it.
std::int64_t peak_of(const std::function<void()>& call) {
  std::ofstream("/proc/self/clear_refs") << "5";
  const auto before = peak();
  EXPECT_GT(before, 0);
  call();
  return peak() - before;
}

/// Five letters of 20 MB: a payload, and attempts.
class LargeLettersTest : public DeadLettersTest {
 protected:
  static constexpr std::int64_t kMost = 16LL * 1024 * 1024;

  void SetUp() override {
    database_ = make_database("large.db");
    const auto opened = deadletter::Store::open(database_, {.spill_reserve = 0});
    for (int i = 0; i < 5; ++i) {
      auto letter = letter_that_failed(std::chrono::minutes(1));
      letter.data.bytes = "\"" + std::string(15'000'000, 'x') + "\"";
      letter.attempts.front().error_message = std::string(5'000'000, 'e');
      store_letters(*opened, {letter});
    }
  }
};

TEST_F(LargeLettersTest, AreListedAndGroupedWithoutReadingThem) {
  for (const char* verb : {"list", "groups"}) {
    Answer answer;
    EXPECT_LT(peak_of([&] { answer = call({verb}); }), kMost) << verb;
    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_THAT(answer.out, testing::HasSubstr("send_receipt"));
  }
}

TEST_F(LargeLettersTest, AreCheckedWithoutReadingThem) {
  const check_dead_letters::Probe probe{.selection = {}, .verbosity = 3, .now = wall_now()};
  check_dead_letters::Answer answer;
  EXPECT_LT(peak_of([&] { answer = check_dead_letters::ask(database_, probe); }), kMost);
  EXPECT_FALSE(answer.failure);
  EXPECT_EQ(answer.facts.newest.size(), 5U);
  EXPECT_TRUE(answer.facts.oldest);
}

TEST_F(LargeLettersTest, AreNamedByTheirEventWithoutReadingThem) {
  const auto event =
      reader().list({}, 1, {}, deadletter::ListOrder::NewestFirst, deadletter::LetterParts::Summary);
  const std::string id = event.letters.front().letter.metadata.event_id.to_string();
  Answer answer;
  EXPECT_LT(peak_of([&] { answer = call({"list", "--event-id", id}); }), kMost);
  EXPECT_EQ(answer.status, 0) << answer.err;
}

}  // namespace
}  // namespace tidings::dead_letters
