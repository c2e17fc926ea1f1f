#include "deadletter/store_fixture.hpp"

#include "file/boot_clock.hpp"
#include "schema/database_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace tidings::deadletter {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReaderTest : public StoreTest {
 protected:
  void store_all(const std::vector<DeadLetter>& letters) const {
    for (const auto& outcome : store(*open(), letters)) ASSERT_EQ(outcome.place, Place::Stored);
  }
  [[nodiscard]] Reader reader(std::chrono::milliseconds timeout = std::chrono::seconds(10)) const {
    return Reader::open(database(), {timeout});
  }
  [[nodiscard]] std::string refusal(ErrorCode code) const {
    const auto before = contents_of(folder_.path());
    const auto message = error_of(code, [&] { static_cast<void>(reader()); });
    EXPECT_EQ(contents_of(folder_.path()), before);
    EXPECT_THAT(message, HasSubstr(database()));
    return message;
  }
  [[nodiscard]] static std::vector<std::int64_t> ids(const Page& page) {
    std::vector<std::int64_t> result;
    for (const auto& stored : page.letters) result.push_back(stored.id);
    return result;
  }
};

TEST_F(ReaderTest, MakesNoFileWhenTheDatabaseIsMissing) {
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("no such file"));
  EXPECT_THAT(contents_of(folder_.path()), IsEmpty());
}

TEST_F(ReaderTest, RefusesWhatHoldsNoDeadLetters) {
  write_file(database(), "");
  EXPECT_THAT(refusal(ErrorCode::ForeignDatabase), HasSubstr("it is empty"));
  write_file(database(), std::string(3000, 'x'));
  EXPECT_THAT(refusal(ErrorCode::ForeignDatabase), HasSubstr("not an SQLite database"));
  std::filesystem::remove(database());
  execute("CREATE TABLE users (name TEXT)");
  EXPECT_THAT(refusal(ErrorCode::ForeignDatabase), HasSubstr("another application's"));
  std::filesystem::remove(database());
  std::filesystem::create_directory(database());
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("is a directory"));
}

TEST_F(ReaderTest, RefusesANewerSchemaAndAnOlderOne) {
  static_cast<void>(open());
  execute("UPDATE tidings_meta SET value = '99' WHERE key = 'schema_version'");
  EXPECT_THAT(refusal(ErrorCode::NewerSchema), HasSubstr("newer tidings"));
}

TEST_F(ReaderTest, RefusesATruncatedDatabase) {
  store_all(letters(1, 100));
  std::filesystem::resize_file(database(), std::filesystem::file_size(database()) / 2);
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("damaged"));
}

TEST_F(ReaderTest, RefusesATimeoutThatIsNone) {
  store_all({letter(1)});
  static_cast<void>(
      error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(reader(std::chrono::milliseconds(0))); }));
}

TEST_F(ReaderTest, LeavesNoTraceWhenNoServiceRuns) {
  store_all(letters(1, 3));
  const auto before = contents_of(folder_.path());
  auto opened = reader();
  EXPECT_EQ(opened.count({}), 3);
  EXPECT_THAT(opened.list({}, 10).letters, SizeIs(3));
  EXPECT_EQ(contents_of(folder_.path()), before);
}

TEST_F(ReaderTest, SeesWhatAServiceWritesMeanwhile) {
  store_all({letter(1)});
  auto opened = reader();
  EXPECT_EQ(opened.count({}), 1);
  {
    const auto service = open();
    static_cast<void>(store(*service, {letter(2)}));
    EXPECT_EQ(opened.count({}), 2);
    static_cast<void>(store(*service, {letter(3)}));
    EXPECT_EQ(opened.count({}), 3);
  }
  EXPECT_EQ(opened.count({}), 3);
  store_all({letter(4)});
  EXPECT_EQ(opened.count({}), 4);
}

TEST_F(ReaderTest, IsNotHeldUpByAWriter) {
  store_all({letter(1)});
  SQLite::Database writer(database().native(), SQLite::OPEN_READWRITE);
  writer.exec("BEGIN IMMEDIATE; DELETE FROM dead_letters");
  EXPECT_EQ(reader(std::chrono::milliseconds(50)).count({}), 1);
}

TEST_F(ReaderTest, GivesUpOnADatabaseThatIsLocked) {
  store_all({letter(1)});
  SQLite::Database owner(database().native(), SQLite::OPEN_READWRITE);
  owner.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; DELETE FROM dead_letters");
  const auto message = error_of(ErrorCode::DatabaseBusy,
                                [&] { static_cast<void>(reader(std::chrono::milliseconds(5)).count({})); });
  EXPECT_THAT(message, HasSubstr("another process holds the database"));
}

TEST_F(ReaderTest, GivesUpOnAQueryThatTakesTooLong) {
  {
    const auto opened = open();
    static_cast<void>(store(*opened, {letter(1)}));
  }
  execute(
      "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) INSERT INTO"
      " dead_letters SELECT i, i, event_type, schema_version, event_data, data_encoding, data_note,"
      " attributes, source, handler, service, reason, error_type, error_message, i, correlation_id,"
      " causation_id, causation_depth, traceparent, tracestate, ordering_key, published_at, failed_at,"
      " retry_count, attempts, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
      " NULL, i, NULL FROM dead_letters, n WHERE id = 1");
  EXPECT_THAT(error_of(ErrorCode::DatabaseBusy,
                       [&] {
                         auto opened = reader(std::chrono::milliseconds(5));
                         static_cast<void>(opened.groups({}, 10));
                       }),
              HasSubstr("longer than its timeout"));
  EXPECT_EQ(reader().count({}), 50'000);
}

TEST_F(ReaderTest, SaysWhoMayReadADatabaseThatIsInUse) {
  const auto service = open({.file_mode = 0660});
  static_cast<void>(store(*service, {letter(1)}));
  ASSERT_EQ(::chmod(database().c_str(), 0644), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  EXPECT_TRUE(succeeded(run_in_child([&] {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return false;
    if (::geteuid() != 65534) static_cast<void>(::chmod((database().native() + "-wal").c_str(), 0));
    EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(reader()); }),
                HasSubstr("run as the service's user or group"));
    return true;
  })));
}

TEST_F(ReaderTest, SaysThatTheFileIsGone) {
  store_all({letter(1)});
  auto opened = reader();
  std::filesystem::remove(database());
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(opened.count({})); }),
              HasSubstr("was deleted"));
  EXPECT_FALSE(std::filesystem::exists(database()));
}

TEST_F(ReaderTest, PagesFromNewestToOldestWithoutGapsOrRepeats) {
  std::vector<DeadLetter> same_time;
  for (std::uint64_t i = 1; i <= 7; ++i) {
    same_time.push_back(letter(i));
    same_time.back().failed_at = failed_at(i / 3);
  }
  store_all(same_time);
  auto opened = reader();
  std::vector<std::int64_t> seen;
  std::optional<Page::Cursor> next;
  do {
    const auto page = opened.list({.resolved = false, .until = failed_at(100)}, 2, next);
    for (const auto id : ids(page)) seen.push_back(id);
    next = page.next;
  } while (next);
  EXPECT_THAT(seen, ElementsAre(7, 6, 5, 4, 3, 2, 1));
}

TEST_F(ReaderTest, HasNoNextPageWhenTheLastIsJustFull) {
  store_all(letters(1, 4));
  auto opened = reader();
  EXPECT_FALSE(opened.list({}, 4).next.has_value());
  EXPECT_TRUE(opened.list({}, 3).next.has_value());
  for (const std::size_t limit : {std::size_t{0}, std::size_t{10'001}}) {
    static_cast<void>(
        error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(opened.list({}, limit)); }));
    static_cast<void>(
        error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(opened.groups({}, limit)); }));
  }
}

TEST_F(ReaderTest, FindsByNumberAndTheOldest) {
  store_all({letter(5), letter(2), letter(9)});
  auto opened = reader();
  EXPECT_EQ(opened.find(1).value().letter.metadata.event_id, event_id(5));
  EXPECT_FALSE(opened.find(4).has_value());
  EXPECT_EQ(opened.oldest({}).value().id, 2);
  EXPECT_EQ(opened.oldest({.since = failed_at(3)}).value().id, 1);
  EXPECT_FALSE(opened.oldest({.since = failed_at(10)}).has_value());
}

TEST_F(ReaderTest, ReadsHowALetterWasResolved) {
  store_all({letter(1)});
  execute(
      "UPDATE dead_letters SET redrive_requested_at = 5, reprocessed_at = 7, resolution = 'superseded',"
      " edited_from = '019a0000-0000-7000-8000-000000000009'");
  const auto stored = reader().find(1).value();
  EXPECT_EQ(stored.redrive_requested_at, Timestamp(std::chrono::microseconds(5)));
  EXPECT_EQ(stored.reprocessed_at, Timestamp(std::chrono::microseconds(7)));
  EXPECT_EQ(stored.resolution, Resolution::Superseded);
  EXPECT_EQ(stored.edited_from, event_id(9));
}

TEST_F(ReaderTest, EveryResolutionHasAName) {
  for (const auto resolution : {Resolution::Reprocessed, Resolution::Discarded, Resolution::Superseded}) {
    EXPECT_EQ(parse_resolution(to_string(resolution)), resolution);
  }
  EXPECT_FALSE(parse_resolution("Reprocessed").has_value());
}

TEST_F(ReaderTest, CountsTheBytesThatWaitInEverySpillFile) {
  static_cast<void>(open({.spill_path = folder_.path("old.jsonl")}));
  static_cast<void>(open());
  EXPECT_EQ(reader().spill_bytes(), 0U);
  EXPECT_EQ(reader().spill_path(), spill());
  write_file(folder_.path("old.jsonl"), "12345");
  EXPECT_EQ(reader().spill_bytes(), 5U);
  EXPECT_EQ(reader().spill_path(), folder_.path("old.jsonl"));
  write_file(spill(), "123");
  EXPECT_EQ(reader().spill_bytes(), 8U);
  EXPECT_EQ(reader().spill_path(), spill());
}

/// Letters 1 to 5 of two services, marked one microsecond after the other.
class IdleServiceTest : public ReaderTest {
 protected:
  void SetUp() override {
    store_all(letters(1, 5));
    execute(
        "UPDATE dead_letters SET redrive_requested_at = id;"
        "UPDATE dead_letters SET service = 'billing' WHERE id IN (2, 4)");
  }
  [[nodiscard]] std::vector<std::string> idle_services() const {
    std::vector<std::string> names;
    for (const auto& each : reader().idle_services(later_)) names.push_back(each.service);
    return names;
  }

  const Timestamp later_ = failed_at(100);
};

TEST_F(IdleServiceTest, ThoseThatWereAskedFirstComeFirst) {
  const auto services = reader().idle_services(later_);
  ASSERT_THAT(services, SizeIs(2));
  EXPECT_EQ(services[0].service, letter(1).service);
  EXPECT_EQ(services[0].letters, 3);
  EXPECT_TRUE(services[0].exact);
  EXPECT_EQ(services[0].since, Timestamp(std::chrono::microseconds(1)));
  EXPECT_EQ(services[1].service, "billing");
  EXPECT_EQ(services[1].letters, 2);
}

TEST_F(IdleServiceTest, OnlyLettersThatWereMarkedBeforeTheTimeCount) {
  const auto services = reader().idle_services(Timestamp(std::chrono::microseconds(2)));
  ASSERT_THAT(services, SizeIs(1));
  EXPECT_EQ(services[0].letters, 1);
  execute("UPDATE dead_letters SET redrive_requested_at = NULL");
  EXPECT_THAT(idle_services(), IsEmpty());
}

TEST_F(IdleServiceTest, OneThatHoldsALetterIsNotIdle) {
  const auto claim = [&](const std::string& boot, std::int64_t until) {
    execute("UPDATE dead_letters SET claimed_by = '" + boot +
            "/42/1', claimed_until = " + std::to_string(until) + " WHERE id = 2");
  };
  claim(boot_id(), boot_time_now() + 60'000'000);
  EXPECT_THAT(idle_services(), ElementsAre(letter(1).service));
  claim(boot_id(), boot_time_now() - 1);
  EXPECT_THAT(idle_services(), SizeIs(2));
  claim("5b6a7f1e-0000-4000-8000-000000000000", boot_time_now() + 60'000'000);
  EXPECT_THAT(idle_services(), SizeIs(2));
}

TEST_F(IdleServiceTest, OneThatDeliveredOrFailedALetterSinceIsNotIdle) {
  auto failed = letter(101);
  failed.service = "billing";
  store_all({failed});
  EXPECT_THAT(idle_services(), ElementsAre(letter(1).service));
  execute("UPDATE dead_letters SET reprocessed_at = failed_at, resolution = 'discarded' WHERE id = 6");
  EXPECT_THAT(idle_services(), SizeIs(2));
  execute("UPDATE dead_letters SET resolution = 'reprocessed' WHERE id = 6");
  EXPECT_THAT(idle_services(), ElementsAre(letter(1).service));
}

TEST_F(IdleServiceTest, WhatComesFromTheFutureSaysNothing) {
  store_all({letter(100'000)});
  EXPECT_THAT(idle_services(), SizeIs(2));
}

TEST_F(IdleServiceTest, CountsNoFurtherThanTenThousand) {
  store_all(letters(1'000, 11'100));
  execute("UPDATE dead_letters SET redrive_requested_at = 7, service = 'billing'");
  const auto services = reader().idle_services(failed_at(20'000));
  EXPECT_EQ(services.front().letters, 10'000);
  EXPECT_FALSE(services.front().exact);
}

}  // namespace
}  // namespace tidings::deadletter
