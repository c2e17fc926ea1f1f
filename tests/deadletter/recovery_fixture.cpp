#include "deadletter/recovery_fixture.hpp"

namespace tidings::deadletter {
namespace {

/// A look that leaves no file behind.
SQLite::Database look_into(const std::filesystem::path& path) {
  return {"file://" + path.native() + "?immutable=1", SQLite::OPEN_READONLY | SQLite::OPEN_URI};
}

}  // namespace

void RecoveryTest::SetUp() {
  {
    const auto opened = open({.spill_reserve = 0});
    auto all = letters(1, static_cast<std::uint64_t>(kLetters));
    // One that goes over many pages, and another that goes over two.
    all[10].error_message = std::string(40'000, 'e');
    all[60].data = encode_data({{"order_id", 61}, {"text", std::string(5'000, 'x')}});
    static_cast<void>(store(*opened, all));
    static_cast<void>(acquire(*opened));
    std::vector<SampleEvent> events;
    for (std::int64_t number = 1; number <= kEvents; ++number) {
      events.emplace_back(number).key = "key-" + std::to_string(number);
    }
    append(*opened, events);
    JournalBatch batch;
    for (std::int64_t number = 1; number <= kEvents; number += 2)
      batch.changed.push_back(contract::done_delivery(number, "ship"));
    static_cast<void>(opened->journal()->commit(batch));
    opened->journal()->release(true);
  }
  execute(
      "UPDATE dead_letters SET reprocessed_at = 1, resolution = 'discarded' WHERE id % 10 = 0;INSERT INTO"
      " tidings_audit (at, user, host, verb, filter, letters) VALUES (1, 'ann', 'desk', 'discard', '{}',"
      " 12);INSERT INTO tidings_redrives VALUES (1, 1, 'ann@desk', NULL, 2.0, NULL, 1, 0, 0, 'open', NULL);"
      "INSERT INTO tidings_minutes WITH RECURSIVE minutes (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM "
      "minutes"
      " WHERE n < 60) SELECT n * 60000000, 's', 't', 'h', 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "
      "0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM minutes");
  sound_ = read_file(database());
}

std::vector<RecoveryTest::Page> RecoveryTest::pages() const {
  SQLite::Database connection(database().native(), SQLite::OPEN_READWRITE);
  SQLite::Statement row(connection, "SELECT pageno, name, pagetype, ncell FROM dbstat ORDER BY pageno");
  std::vector<Page> all;
  while (row.executeStep()) {
    all.push_back({static_cast<std::size_t>(row.getColumn(0).getInt64()), row.getColumn(1).getString(),
                   row.getColumn(2).getString(), row.getColumn(3).getInt64()});
  }
  return all;
}

void RecoveryTest::replace_page(std::size_t number, const std::string& bytes) const {
  std::string content = sound_;
  content.replace((number - 1) * kPageSize, kPageSize, bytes);
  write_file(database(), content);
}

RecoveryReport RecoveryTest::recover_here() const {
  std::filesystem::remove(recovered());
  const auto before = contents_of(folder_.path());
  auto report = recover(database(), recovered());
  auto after = contents_of(folder_.path());
  EXPECT_EQ(after.erase(recovered().filename()), 1U);
  EXPECT_EQ(after, before);
  EXPECT_EQ(mode_of(recovered()), 0600U);
  EXPECT_EQ(look_into(recovered()).execAndGet("PRAGMA integrity_check").getString(), "ok");
  return report;
}

std::int64_t RecoveryTest::in_result(const std::string& sql) const {
  return look_into(recovered()).execAndGet(sql).getInt64();
}

void RecoveryTest::expect_everything(const RecoveryReport& report) const {
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(report.of("dead_letters").saved(), kLetters);
  EXPECT_EQ(report.of("tidings_journal").saved(), kEvents);
  EXPECT_EQ(report.of("tidings_journal_deliveries").saved(), (kEvents + 1) / 2);
  EXPECT_EQ(report.of("tidings_idempotency_keys").saved(), kEvents);
  EXPECT_EQ(report.of("tidings_audit").saved(), 1);
  EXPECT_EQ(report.of("tidings_redrives").saved(), 1);
  EXPECT_EQ(in_result("SELECT count(*) FROM dead_letters WHERE reprocessed_at IS NULL"), kLetters * 9 / 10);
  EXPECT_EQ(in_result("SELECT sum(unresolved) FROM tidings_causes"), kLetters * 9 / 10);
}

}  // namespace tidings::deadletter
