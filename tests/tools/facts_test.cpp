#include "check_dead_letters/facts.hpp"

#include "tools/report_fixture.hpp"

#include <tidings/error.hpp>

#include <gtest/gtest.h>

#include <filesystem>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::minutes;

TEST(Facts, AnswerSurvivesTheWayBetweenProcesses) {
  Answer answer = answer_of("a\xff.db", 7);
  answer.facts.unresolved = 12;
  answer.facts.groups = {group_of(4, "not UTF-8: \xff\n")};
  answer.facts.more_groups = true;
  answer.facts.newest = {letter_of(23, minutes(3)), letter_of(22, minutes(4))};
  answer.facts.unknown_names = {{"handler", "shop", {"ship"}}};
  answer.facts.spill_bytes = 512;
  answer.facts.spill_paths = {"a.jsonl", "b.jsonl"};
  answer.facts.sizes = {4096, 8192};
  answer.facts.journal = {12'345, false, kNow - minutes(2)};
  answer.facts.unserved = {unserved_of("ship"), unserved_of("")};
  answer.facts.more_unserved = true;
  const Answer result = decode_answer(encode_answer(answer));
  EXPECT_EQ(result.path, answer.path);
  EXPECT_FALSE(result.failure);
  EXPECT_EQ(result.facts.unresolved_in_window, 7);
  EXPECT_EQ(result.facts.unresolved, 12);
  EXPECT_EQ(result.facts.oldest, answer.facts.oldest);
  EXPECT_EQ(result.facts.newest, answer.facts.newest);
  EXPECT_EQ(result.facts.spill_bytes, 512U);
  EXPECT_EQ(result.facts.spill_paths, answer.facts.spill_paths);
  EXPECT_EQ(result.facts.sizes.database, 4096U);
  EXPECT_EQ(result.facts.sizes.wal, 8192U);
  EXPECT_EQ(result.facts.spill_path, "a\xff.db.spill.jsonl");
  EXPECT_TRUE(result.facts.more_groups);
  EXPECT_EQ(result.facts.journal.events, 12'345);
  EXPECT_FALSE(result.facts.journal.exact);
  EXPECT_EQ(result.facts.journal.oldest_published_at, kNow - minutes(2));
  EXPECT_EQ(result.facts.unserved, answer.facts.unserved);
  EXPECT_TRUE(result.facts.more_unserved);
  EXPECT_EQ(result.facts.unknown_names.at(0).near.at(0), "ship");
  // A second trip compares all fields of the groups too.
  EXPECT_EQ(encode_answer(result), encode_answer(answer));
  EXPECT_EQ(result.facts.groups.at(0).sample_error, "not UTF-8: \xff\n");
}

TEST(Facts, WhatIsNotThereStaysNotThere) {
  const Answer answer = answer_of("a.db", 0);
  const Answer result = decode_answer(encode_answer(answer));
  EXPECT_FALSE(result.facts.oldest);
}

TEST(Facts, FailureSurvivesTheWayBetweenProcesses) {
  const Answer result = decode_answer(encode_answer(failed_answer_of("a.db")));
  ASSERT_TRUE(result.failure);
  EXPECT_EQ(result.failure->code, "database_unusable");
  EXPECT_EQ(result.failure->message, "a.db does not exist; check the path");
}

TEST(Facts, FailureThatDoesNotNameItsDatabaseGetsTheName) {
  const std::string absolute = std::filesystem::absolute("a").string();
  EXPECT_EQ(failed_answer("a", "database_busy", "a lock is held").failure->message, "a: a lock is held");
  EXPECT_EQ(failed_answer("a", "database_busy", "cannot read " + absolute).failure->message,
            "cannot read " + absolute);
  EXPECT_EQ(failed_answer("a", "database_busy", "").failure->code, "database_busy");
}

TEST(Facts, DamagedAnswerIsRefused) {
  const std::string whole = encode_answer(answer_of("a.db", 7));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(static_cast<void>(decode_answer(whole.substr(0, length))), Error) << length;
  }
}

}  // namespace
}  // namespace tidings::check_dead_letters
