#include <tidings/detail/fork_generation.hpp>
#include <tidings/ids.hpp>

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <thread>
#include <unordered_set>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace tidings {
namespace {

constexpr std::string_view kVector = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";  // RFC 9562, appendix A.6

Timestamp at_milliseconds(std::int64_t count) { return Timestamp(std::chrono::milliseconds(count)); }

std::uint64_t milliseconds_of(const EventId& id) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 6; ++i) value = value << 8U | id.bytes()[i];
  return value;
}

/// The state of the generator is the thread's: a new thread has seen no other clock.
template <class Call>
void on_fresh_thread(Call call) {
  std::thread(call).join();
}

TEST(EventId, ReadsTheTestVectorInEitherCase) {
  const auto id = EventId::parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->to_string(), kVector);
  EXPECT_EQ(id, EventId::parse(kVector));
  EXPECT_EQ(milliseconds_of(*id), 1645557742000U);
}

TEST(EventId, WritesExactlyThirtySixCharacters) {
  char text[38] = {};
  text[36] = text[37] = '!';
  EventId::parse(kVector)->write_to(text);
  EXPECT_EQ(std::string_view(text, 36), kVector);
  EXPECT_EQ(std::string_view(text + 36, 2), "!!");
}

TEST(EventId, RefusesEverythingElse) {
  for (const std::string_view text :
       {"", "017f22e2", "017f22e279b07cc398c4dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff", "017f22e2+79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "{017f22e2-79b0-7cc3-98c4-dc0c0c0739}",
        "017f22e-279b0-7cc3-98c4-dc0c0c07398f", " 17f22e2-79b0-7cc3-98c4-dc0c0c07398f"}) {
    EXPECT_FALSE(EventId::parse(text)) << text;
  }
}

TEST(EventId, TheNilIdIsNoEvents) {
  EXPECT_TRUE(EventId().is_nil());
  EXPECT_EQ(EventId().to_string(), "00000000-0000-0000-0000-000000000000");
  EXPECT_FALSE(EventId::parse(kVector)->is_nil());
}

TEST(EventId, IsOrderedAsItsTextIs) {
  const auto low = *EventId::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  const auto high = *EventId::parse("ff7f22e2-79b0-7cc3-98c4-000000000000");
  EXPECT_LT(low, high);
  EXPECT_EQ(low < high, low.to_string() < high.to_string());
}

TEST(EventId, HashesApart) {
  const auto ids = sequential_id_source();
  std::set<std::size_t> hashes;
  for (int i = 0; i < 1000; ++i) hashes.insert(std::hash<EventId>()(ids->next(at_milliseconds(1))));
  EXPECT_EQ(hashes.size(), 1000U);
}

TEST(UuidV7, HasTheTimeTheVersionAndTheVariant) {
  on_fresh_thread([] {
    const EventId id = uuid_v7_source()->next(at_milliseconds(1645557742000));
    EXPECT_EQ(id.to_string().substr(0, 15), "017f22e2-79b0-7");
    EXPECT_EQ(id.bytes()[8] & 0xC0, 0x80);
    const EventId next = uuid_v7_source()->next(at_milliseconds(1645557742001));
    EXPECT_EQ(milliseconds_of(next), 1645557742001U);
  });
}

TEST(UuidV7, StrictlyIncreasesWithinOneMillisecond) {
  on_fresh_thread([] {
    const auto ids = uuid_v7_source();
    EventId last = ids->next(at_milliseconds(1'800'000'000'000));
    for (int i = 0; i < 200'000; ++i) {
      const EventId next = ids->next(at_milliseconds(1'800'000'000'000));
      ASSERT_LT(last, next);
      last = next;
    }
  });
}

TEST(UuidV7, KeepsCountingWhenTheClockStepsBack) {
  on_fresh_thread([] {
    const auto ids = uuid_v7_source();
    const EventId before = ids->next(at_milliseconds(1'800'000'000'000));
    const EventId after = ids->next(at_milliseconds(1'700'000'000'000));
    EXPECT_LT(before, after);
    EXPECT_EQ(milliseconds_of(after), 1'800'000'000'000U);
    EXPECT_EQ(milliseconds_of(ids->next(at_milliseconds(1'800'000'000'001))), 1'800'000'000'001U);
  });
}

TEST(UuidV7, HoldsAnyTimeWithinItsFortyEightBits) {
  on_fresh_thread([] {
    EXPECT_EQ(milliseconds_of(uuid_v7_source()->next(Timestamp::min())), 0U);
    EXPECT_EQ(milliseconds_of(uuid_v7_source()->next(Timestamp::max())), (std::uint64_t{1} << 48U) - 1);
  });
}

TEST(UuidV7, ThreadsNeverMakeTheSameId) {
  std::vector<std::vector<EventId>> made(4);
  std::vector<std::thread> threads;
  for (auto& ids : made) {
    threads.emplace_back([&ids] {
      for (int i = 0; i < 20'000; ++i)
        ids.push_back(uuid_v7_source()->next(at_milliseconds(1'800'000'000'000)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::unordered_set<EventId> all;
  for (const auto& ids : made) all.insert(ids.begin(), ids.end());
  EXPECT_EQ(all.size(), 80'000U);
}

/// What a forked child of this process answers.
template <class Answer>
Answer answer_of_child(Answer (*ask)()) {
  int channel[2];
  EXPECT_EQ(::pipe(channel), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Answer answer = ask();
    ::_exit(::write(channel[1], &answer, sizeof answer) == sizeof answer ? 0 : 1);
  }
  Answer answer{};
  EXPECT_EQ(::read(channel[0], &answer, sizeof answer), static_cast<ssize_t>(sizeof answer));
  ::close(channel[0]);
  ::close(channel[1]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return answer;
}

TEST(Fork, AChildDrawsOtherRandomNumbers) {
  static_cast<void>(random_bits());
  const auto drawn_by_child = answer_of_child<std::uint64_t>([] { return random_bits(); });
  EXPECT_NE(drawn_by_child, random_bits());
}

TEST(Fork, AChildMakesOtherAndLaterIds) {
  constexpr auto kNext = [] { return uuid_v7_source()->next(at_milliseconds(4'000'000'000'000)).bytes(); };
  const EventId before(kNext());
  const EventId made_by_child(answer_of_child<EventId::Bytes>(kNext));
  EXPECT_LT(before, made_by_child);
  EXPECT_NE(EventId(kNext()), made_by_child);
}

TEST(Fork, AChildHasAGenerationOfItsOwn) {
  detail::watch_forks();
  const std::uint64_t own = detail::fork_generation();
  EXPECT_NE(own, 0U);
  EXPECT_NE(answer_of_child<std::uint64_t>([] { return detail::fork_generation(); }), own);
  EXPECT_EQ(detail::fork_generation(), own);
}

TEST(SequentialIds, CountInTheLastBytesOfTheGivenTime) {
  const auto ids = sequential_id_source();
  EXPECT_EQ(ids->next(at_milliseconds(1645557742000)).to_string(), "017f22e2-79b0-7000-8000-000000000001");
  EXPECT_EQ(ids->next(at_milliseconds(1645557742000)).to_string(), "017f22e2-79b0-7000-8000-000000000002");
  EXPECT_EQ(ids->next(at_milliseconds(0)).to_string(), "00000000-0000-7000-8000-000000000003");
}

TEST(SequentialIds, SourcesCountApart) {
  const auto first = sequential_id_source();
  EXPECT_EQ(first->next({}), sequential_id_source()->next({}));
}

TEST(RandomBits, DifferByThreadAndCall) {
  std::set<std::uint64_t> drawn;
  for (int i = 0; i < 4; ++i) {
    on_fresh_thread([&drawn] {
      for (int j = 0; j < 1000; ++j) drawn.insert(random_bits());
    });
  }
  EXPECT_EQ(drawn.size(), 4000U);
}

TEST(RandomBits, SetEveryBitHalfTheTime) {
  constexpr int kDraws = 20'000;
  std::array<int, 64> ones{};
  for (int i = 0; i < kDraws; ++i) {
    const std::uint64_t bits = random_bits();
    for (unsigned bit = 0; bit < 64; ++bit) ones[bit] += static_cast<int>(bits >> bit & 1U);
  }
  // Eight standard deviations: not even once in the life of a test suite.
  for (const int count : ones) EXPECT_NEAR(count, kDraws / 2, 566);
}

}  // namespace
}  // namespace tidings
