#include "deadletter/store_fixture.hpp"

#include "schema/database_file.hpp"

#include <thread>

namespace tidings::deadletter {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

TEST_F(StoreTest, CreatesADatabaseThatSaysWhoseItIs) {
  const auto store = open();
  EXPECT_EQ(store->path(), database());
  EXPECT_EQ(store->location(), database());
  EXPECT_EQ(query("PRAGMA application_id"), std::to_string(0x54696467));
  EXPECT_EQ(query("PRAGMA user_version"), "3");
  EXPECT_EQ(query("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(query("SELECT value FROM tidings_meta WHERE key = 'schema_version'"), "3");
  EXPECT_EQ(query("SELECT value FROM tidings_meta WHERE key = 'owner'"), "tidings");
}

TEST_F(StoreTest, KeepsLettersFromOneOpeningToTheNext) {
  EXPECT_THAT(places(store(*open(), letters(1, 2))), Each(Place::Stored));
  EXPECT_THAT(places(store(*open(), letters(2, 3))), ElementsAre(Place::AlreadyStored, Place::Stored));
  EXPECT_THAT(stored_events(), ElementsAre(event_id(1), event_id(2), event_id(3)));
}

TEST_F(StoreTest, LeavesOneFileAndAnEmptySpillWhenItIsClosed) {
  static_cast<void>(store(*open(), letters(1, 3)));
  EXPECT_FALSE(file_exists(wal_path(database())));
  EXPECT_EQ(read_file(spill()), "");
}

TEST_F(StoreTest, SyncsCommitsAndOverwritesDeletedContent) {
  static_cast<void>(open());
  Connection connection(database(), Access::ReadWrite, {}, {});
  EXPECT_EQ(connection.integer("PRAGMA synchronous"), 2);
  EXPECT_EQ(connection.integer("PRAGMA secure_delete"), 1);
}

TEST_F(StoreTest, TakesAPathThatLooksLikeAUriAsAPath) {
  for (const char* name : {"file:orders.db?mode=memory", "what?.db", "100%.db", "#.db", ":memory:", " "}) {
    const auto opened = Store::open(folder_.path(name));
    EXPECT_THAT(places(store(*opened, {letter(1)})), ElementsAre(Place::Stored)) << name;
    EXPECT_TRUE(std::filesystem::is_regular_file(folder_.path(name))) << name;
  }
}

TEST_F(StoreTest, ARelativePathSurvivesAChangeOfDirectory) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  const auto opened = Store::open("orders.db");
  std::filesystem::current_path(before);
  EXPECT_EQ(opened->path(), database());
  EXPECT_THAT(places(store(*opened, {letter(1)})), ElementsAre(Place::Stored));
  EXPECT_TRUE(std::filesystem::exists(database()));
}

TEST_F(StoreTest, ALinkToADatabaseIsThatDatabase) {
  static_cast<void>(open());
  std::filesystem::create_symlink(database(), folder_.path("link.db"));
  const auto opened = Store::open(folder_.path("link.db"));
  EXPECT_EQ(opened->path(), database());
  EXPECT_EQ(opened->spill_path(), spill());
}

TEST_F(StoreTest, StoresHostileTextAsText) {
  DeadLetter hostile = letter(1);
  hostile.error_message = "'); DROP TABLE dead_letters; --";
  hostile.handler = "x' OR '1'='1";
  hostile.metadata.fields = ContextFields::of_stored({{"tenant", "\"}, {\"x\": \xFF\x01"}});
  const auto opened = open();
  EXPECT_THAT(places(store(*opened, {hostile})), ElementsAre(Place::Stored));
  const auto read = Reader::open(database()).find(1).value();
  EXPECT_EQ(read.letter.error_message, hostile.error_message);
  EXPECT_EQ(read.letter.handler, hostile.handler);
  EXPECT_EQ(query("SELECT json_valid(attributes) FROM dead_letters"), "1");
}

TEST_F(StoreTest, LeavesOutAPayloadThatNestsTooDeeplyAndSaysSo) {
  const auto nested = [](std::uint64_t number, std::size_t depth) {
    DeadLetter deep = letter(number);
    deep.data.bytes = std::string(depth, '[') + std::string(depth, ']');
    return deep;
  };
  DeadLetter cbor = letter(3);
  cbor.data = {std::string(kMaxJsonDepth + 1, '\x81') + '\x01', DataEncoding::Cbor, {}};
  const auto opened = open();
  static_cast<void>(store(*opened, {nested(1, kMaxJsonDepth), nested(2, kMaxJsonDepth + 1), cbor}));
  auto reader = Reader::open(database());
  EXPECT_EQ(reader.find(1)->letter.data.bytes, nested(1, kMaxJsonDepth).data.bytes);
  for (const std::int64_t id : {2, 3}) {
    const auto read = reader.find(id).value().letter;
    EXPECT_EQ(read.data.encoding, DataEncoding::None);
    EXPECT_EQ(read.data.problem, "the payload nests deeper than 1000 levels");
    EXPECT_EQ(read.error_message, letter(1).error_message);
  }
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE json_valid(event_data)"), "1");
}

TEST_F(StoreTest, ManyThreadsMayStoreAtOnce) {
  const auto opened = open();
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint64_t i = 1; i <= 10; ++i) {
        EXPECT_THAT(places(store(*opened, {letter(thread * 100 + i)})), ElementsAre(Place::Stored));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Reader::open(database()).count({}), 40);
}

TEST_F(StoreTest, ProcessesThatCreateTheDatabaseTogetherLoseNothing) {
  const auto write = [&](std::uint64_t first) {
    const auto opened = open();
    for (std::uint64_t i = 0; i < 20; ++i) {
      if (places(store(*opened, {letter(first + i)})) != std::vector{Place::Stored}) return false;
    }
    return true;
  };
  const pid_t one = start_child([&] { return write(1000); });
  const pid_t other = start_child([&] { return write(2000); });
  EXPECT_TRUE(succeeded(status_of(one)));
  EXPECT_TRUE(succeeded(status_of(other)));
  EXPECT_EQ(Reader::open(database()).count({}), 40);
  EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
}

TEST_F(StoreTest, IsNotForAForkedChild) {
  auto opened = open();
  static_cast<void>(store(*opened, {letter(1)}));
  const int status = run_in_child([&] {
    const auto message =
        error_of(ErrorCode::ForkedChild, [&] { static_cast<void>(store(*opened, {letter(2)})); });
    static_cast<void>(
        error_of(ErrorCode::ForkedChild, [&] { static_cast<void>(opened->dead_keys("a", "b", "c")); }));
    opened.reset();
    return message.find("open one of its own") != std::string::npos;
  });
  EXPECT_TRUE(succeeded(status));
  EXPECT_THAT(places(store(*opened, {letter(3)})), ElementsAre(Place::Stored));
  EXPECT_THAT(stored_events(), ElementsAre(event_id(1), event_id(3)));
  EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
}

TEST_F(StoreTest, RemembersEverySpillFileThatWasInUse) {
  static_cast<void>(open({.spill_path = folder_.path("a.jsonl")}));
  static_cast<void>(open({.spill_path = folder_.path("b.jsonl")}));
  static_cast<void>(open({.spill_path = folder_.path("a.jsonl")}));
  static_cast<void>(open());
  EXPECT_EQ(query("SELECT value FROM tidings_meta WHERE key = 'spill_path'"), spill().native());
  EXPECT_EQ(query("SELECT group_concat(value) FROM tidings_meta WHERE key GLOB 'spill_path.*'"),
            folder_.path("a.jsonl").native() + "," + folder_.path("b.jsonl").native());
}

TEST_F(StoreTest, AnUpToDateDatabaseIsOpenedWithoutWaitingForAWriter) {
  static_cast<void>(open());
  SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  EXPECT_NO_THROW(static_cast<void>(open({.busy_timeout = std::chrono::milliseconds(0)})));
}

/// Many processes, one file: what the documentation allows must work without an error for anybody.
TEST_F(StoreTest, EightProcessesWriteWhileOneReadsAndNoneLosesALetter) {
  static_cast<void>(open());
  std::vector<pid_t> writers;
  for (std::uint64_t process = 0; process < 8; ++process) {
    writers.push_back(start_child([&] {
      const auto opened = open();
      for (std::uint64_t i = 0; i < 5; ++i) {
        const std::uint64_t first = process * 1000 + i * 10;
        const auto outcomes = store(*opened, letters(first, first + 9));
        if (places(outcomes) != std::vector(10, Place::Stored)) return false;
      }
      return true;
    }));
  }
  Reader reader = Reader::open(database());
  std::int64_t seen = 0;
  for (int i = 0; i < 20; ++i) {
    const std::int64_t now = reader.count({});
    EXPECT_GE(now, seen);
    seen = now;
  }
  for (const pid_t writer : writers) EXPECT_TRUE(succeeded(status_of(writer)));
  EXPECT_EQ(reader.count({}), 400);
}

}  // namespace
}  // namespace tidings::deadletter
