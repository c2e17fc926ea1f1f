#include "operations/key_set.hpp"

#include "deadletter/store_fixture.hpp"

#include <sqlite3.h>
#include <sys/resource.h>

#include <csignal>
#include <set>

namespace tidings::deadletter {
namespace {

using testing::HasSubstr;

constexpr std::size_t kMebibyte = 1024 * 1024;

/// A key that is too large for many of them to stay in memory.
std::string large_key(int number) { return std::to_string(number) + std::string(kMebibyte, 'x'); }

TEST(KeySet, KnowsWhatWasInserted) {
  KeySet keys;
  EXPECT_FALSE(keys.contains("a"));
  EXPECT_TRUE(keys.insert("a"));
  EXPECT_FALSE(keys.insert("a"));
  EXPECT_TRUE(keys.contains("a"));
  EXPECT_FALSE(keys.contains("A"));
}

TEST(KeySet, ComparesWholeKeys) {
  using namespace std::string_literals;
  KeySet keys;
  std::set<std::string> expected;
  for (const auto& key : {""s, "\0"s, "\0\0"s, "a"s, "a\0"s, "a\0b"s, "\xff\xfe"s, large_key(1),
                          large_key(1) + "y", ""s, "a\0"s, large_key(1)}) {
    EXPECT_EQ(keys.insert(key), expected.insert(key).second) << key.substr(0, 10);
  }
}

TEST(KeySet, TakesLittleMemoryForManyKeys) {
  const auto before = sqlite3_memory_used();
  KeySet keys;
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(keys.insert(large_key(i)));
  EXPECT_GT(sqlite3_memory_used() - before, kMebibyte);
  EXPECT_LT(sqlite3_memory_used() - before, 16 * kMebibyte);
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(keys.contains(large_key(i)));
  EXPECT_FALSE(keys.contains(large_key(64)));
}

TEST(KeySet, SaysWhatToDoWhenItsFileCannotBeWritten) {
  const int status = run_in_child([] {
    static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
    const rlimit limit{kMebibyte, kMebibyte};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
    const auto message = error_of(ErrorCode::DatabaseUnusable, [] {
      KeySet keys;
      for (int i = 0; i < 64; ++i) static_cast<void>(keys.insert(large_key(i)));
    });
    EXPECT_THAT(message, HasSubstr("or name another folder: SQLITE_TMPDIR=/folder (SQLite: "));
    return true;
  });
  EXPECT_TRUE(succeeded(status));
}

}  // namespace
}  // namespace tidings::deadletter
