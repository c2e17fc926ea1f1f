#include "deadletter/store_fixture.hpp"

#include <optional>

namespace tidings::deadletter {
namespace {

/// A store whose -wal file counts as large from 200 KiB on.
class WalUpkeepTest : public StoreTest {
 protected:
  static constexpr std::uint64_t kThreshold = 200UL * 1024;

  void SetUp() override {
    StoreInternals internals;
    internals.large_wal = kThreshold;
    store_ = open_store(database(), {}, internals);
  }
  /// Holds an old state of the database.
  void begin_reading() {
    reader_.emplace(database().native(), SQLite::OPEN_READONLY);
    reader_->exec("BEGIN; SELECT count(*) FROM dead_letters");
  }
  void grow() {
    for (int i = 0; i < 20; ++i, number_ += 20)
      static_cast<void>(store(*store_, letters(number_, number_ + 19)));
  }
  [[nodiscard]] std::uint64_t wal_size() const {
    return std::filesystem::file_size(database().native() + "-wal");
  }

  std::shared_ptr<Store> store_;
  std::optional<SQLite::Database> reader_;
  std::uint64_t number_ = 1;
};

TEST_F(WalUpkeepTest, AFileThatAReaderHoldsIsToldWhenNothingMoves) {
  begin_reading();
  grow();
  ASSERT_GT(wal_size(), kThreshold);
  EXPECT_FALSE(store_->look_after_files().wal_is_held);  // it might be a reader of the moment
  const SinkFiles files = store_->look_after_files();
  EXPECT_TRUE(files.wal_is_held);
  EXPECT_EQ(files.wal_bytes, wal_size());
  EXPECT_EQ(files.wal_freed, 0U);
}

TEST_F(WalUpkeepTest, AFileIsEmptiedWhenItsReaderHasGone) {
  begin_reading();
  grow();
  static_cast<void>(store_->look_after_files());
  const auto before = wal_size();
  reader_.reset();
  const SinkFiles files = store_->look_after_files();
  EXPECT_FALSE(files.wal_is_held);
  EXPECT_EQ(files.wal_freed, before);
  EXPECT_EQ(wal_size(), 0U);
  EXPECT_EQ(Reader::open(database()).count({}), static_cast<std::int64_t>(number_ - 1));
}

TEST_F(WalUpkeepTest, PublishersAreNotHeldUp) {
  begin_reading();
  grow();
  SQLite::Database writer(database().native(), SQLite::OPEN_READWRITE);
  writer.exec("BEGIN IMMEDIATE");
  reader_.reset();
  EXPECT_EQ(store_->look_after_files().wal_freed, 0U);  // at once, though somebody writes
  writer.exec("ROLLBACK");
  EXPECT_GT(store_->look_after_files().wal_freed, 0U);
}

TEST_F(WalUpkeepTest, AnOrdinaryFileIsLeft) {
  static_cast<void>(store(*store_, letters(1, 3)));
  const auto before = wal_size();
  ASSERT_GT(before, 0U);
  const SinkFiles files = store_->look_after_files();
  EXPECT_EQ(files.wal_freed, 0U);
  EXPECT_EQ(wal_size(), before);
}

TEST_F(WalUpkeepTest, LargeIsMoreThanWritingExplains) {
  constexpr std::uint64_t kMebibyte = 1024UL * 1024;
  EXPECT_FALSE(is_wal_large(64 * kMebibyte, 0));
  EXPECT_TRUE(is_wal_large(65 * kMebibyte, 64 * kMebibyte));
  EXPECT_FALSE(is_wal_large(65 * kMebibyte, 65 * kMebibyte));
  EXPECT_TRUE(is_wal_large(1025 * kMebibyte, 5000 * kMebibyte));
}

}  // namespace
}  // namespace tidings::deadletter
