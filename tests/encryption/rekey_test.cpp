#include "encryption/key_files.hpp"

#include <tidings/bus.hpp>
#include <tidings/deadletter/operations.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace tidings::encryption {
namespace {

using deadletter::Operations;
using deadletter::Reader;
using deadletter::Store;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

struct NoteTaken {
  static constexpr std::string_view event_type = "shop.note_taken";
  static constexpr bool encrypt_payload = true;
  int number{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(NoteTaken, number)
};

class RekeyTest : public KeyFileTest {
 protected:
  const std::string old_key_ = "k1:" + key_of('a') + "\n";
  const std::string new_key_ = "k2:" + key_of('b') + "\n";

  [[nodiscard]] std::filesystem::path database() const { return folder_.path("shop.db"); }
  [[nodiscard]] BusOptions options(const std::string& keys) const {
    deadletter::StoreOptions how{.busy_timeout = 1ms, .spill_reserve = 0};
    how.encryption.cipher = cipher(keys);
    return {.service = "shop", .store = Store::open(database(), how), .durability = Durability::ProcessCrash};
  }
  void store_letters(const std::string& keys, int first, int last) const {
    Bus bus(options(keys));
    auto handler = bus.subscribe<NoteTaken>("keep", [](const NoteTaken&) { throw Permanent("no"); });
    for (int number = first; number <= last; ++number) bus.publish(NoteTaken{number});
  }
  /// An event that the journal owes.
  void leave_owed(const std::string& keys) const {
    Bus bus(options(keys));
    auto handler =
        bus.subscribe<NoteTaken>("keep", [](const NoteTaken&) { throw std::runtime_error("later"); },
                                 {.retry = {.max_attempts = 5, .backoff = constant(1h)}});
    bus.publish(NoteTaken{7});
  }
  [[nodiscard]] Operations operations(const std::string& keys) const {
    Operations::Options how;
    how.cipher = cipher(keys);
    return Operations::open(database(), {"ann", "desk"}, how);
  }
  [[nodiscard]] deadletter::RekeyResult rekey(const std::string& keys) const {
    return operations(keys).rekey({});
  }
  /// As if the rows had been stored before their type was encrypted.
  void make_plain(const std::string& table, const std::string& which) const {
    SQLite::Database(database().native(), SQLite::OPEN_READWRITE)
        .exec("UPDATE " + table + " SET event_data = '{\"number\":0}', data_encoding = 'json' WHERE " +
              which);
  }
  [[nodiscard]] std::string query(const std::string& sql) const {
    return SQLite::Database(database().native()).execAndGet(sql).getString();
  }
  /// The numbers that a handler gets from the journal and, redriven, from letters.
  [[nodiscard]] std::vector<int> delivered(const std::string& keys) const {
    std::vector<int> numbers;
    Bus bus(options(keys));
    auto handler =
        bus.subscribe<NoteTaken>("keep", [&](const NoteTaken& note) { numbers.push_back(note.number); });
    EXPECT_TRUE(bus.wait_idle(30s));
    static_cast<void>(bus.redrive({}));
    EXPECT_TRUE(bus.wait_idle(30s));
    return numbers;
  }
};

TEST_F(RekeyTest, LettersAreUnderTheFirstKeyAfterwardsAndTheOldOneIsNeededNoMore) {
  store_letters(old_key_, 1, 3);
  const auto result = rekey(new_key_ + old_key_);
  EXPECT_EQ(result.progress.changed, 3);
  EXPECT_TRUE(result.progress.complete);
  EXPECT_EQ(result.letters_left + result.journal_events_left + result.spilled_left, 0);
  EXPECT_THAT(delivered(new_key_), ::testing::ElementsAre(1, 2, 3));
}

TEST_F(RekeyTest, OwedEventsToo) {
  leave_owed(old_key_);
  const auto result = rekey(new_key_ + old_key_);
  EXPECT_EQ(result.journal_events, 1);
  EXPECT_EQ(result.journal_events_left, 0);
  EXPECT_EQ(query("SELECT group_concat(verb || letters) FROM tidings_audit"), "rekey1");
  EXPECT_EQ(query("SELECT substr(event_data, 3, 2) FROM tidings_journal"), "k2");
}

TEST_F(RekeyTest, ASecondRunFindsNothingToDo) {
  store_letters(old_key_, 1, 2);
  static_cast<void>(rekey(new_key_ + old_key_));
  const auto again = rekey(new_key_ + old_key_);
  EXPECT_EQ(again.progress.changed, 0);
  EXPECT_EQ(query("SELECT group_concat(verb || letters) FROM tidings_audit"), "rekey2");
}

TEST_F(RekeyTest, WhatAStoppedRunDidStaysAndTheNextGoesOn) {
  store_letters(old_key_, 1, 3);
  auto stopped = operations(new_key_ + old_key_).rekey({.stop = [] { return true; }});
  EXPECT_FALSE(stopped.progress.complete);
  EXPECT_EQ(stopped.letters_left, 3);
  EXPECT_EQ(rekey(new_key_ + old_key_).letters_left, 0);
}

TEST_F(RekeyTest, AKilledRunLeavesEachPayloadUnderOneKeyOrTheOther) {
  leave_owed(old_key_);
  store_letters(old_key_, 1, 2);
  const std::string both = new_key_ + old_key_;
  const pid_t child = ::fork();
  if (child == 0) {
    int questions = 0;
    static_cast<void>(operations(both).rekey({.stop = [&] {
      if (++questions > 1) ::raise(SIGKILL);
      return false;
    }}));
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(query("SELECT substr(event_data, 3, 2) FROM tidings_journal"), "k2");
  EXPECT_EQ(query("SELECT group_concat(substr(event_data, 3, 2)) FROM dead_letters"), "k1,k1");
  EXPECT_EQ(rekey(both).letters_left, 0);
}

TEST_F(RekeyTest, WithoutTheOldKeyNothingIsChangedAndItIsNamed) {
  store_letters(old_key_, 1, 2);
  const auto result = rekey(new_key_);
  EXPECT_EQ(result.progress.changed, 0);
  EXPECT_EQ(result.letters_left, 2);
  EXPECT_THAT(result.problem, HasSubstr("needs the key 'k1'"));
  EXPECT_THAT(delivered(old_key_), ::testing::ElementsAre(1, 2));
}

TEST_F(RekeyTest, AnOwedEventWhoseKeyIsMissingStaysAndNamesIt) {
  leave_owed(old_key_);
  const auto result = rekey(new_key_);
  EXPECT_EQ(result.journal_events, 0);
  EXPECT_EQ(result.journal_events_left, 1);
  EXPECT_THAT(result.problem, HasSubstr("needs the key 'k1'"));
  EXPECT_EQ(query("SELECT count(*) FROM tidings_audit"), "0");
}

TEST_F(RekeyTest, ALetterWhoseBytesWereChangedStaysAndHoldsUpNoOther) {
  store_letters(old_key_, 1, 2);
  SQLite::Database(database().native(), SQLite::OPEN_READWRITE)
      .exec(
          "UPDATE dead_letters SET event_data = CAST(substr(event_data, 1, 40) || zeroblob(40) AS BLOB) "
          "WHERE id = 1");
  const auto result = rekey(new_key_ + old_key_);
  EXPECT_EQ(result.progress.changed, 1);
  EXPECT_EQ(result.letters_left, 1);
  EXPECT_THAT(result.problem, HasSubstr("its bytes were changed"));
}

TEST_F(RekeyTest, WhatIsInTheClearIsCountedAndOnRequestEncrypted) {
  store_letters(old_key_, 1, 3);
  leave_owed(old_key_);
  make_plain("dead_letters", "event_id IN (SELECT event_id FROM dead_letters ORDER BY id LIMIT 2)");
  make_plain("tidings_journal", "true");
  const std::string both = new_key_ + old_key_;
  const auto result = rekey(both);
  EXPECT_EQ(result.progress.changed, 1);
  ASSERT_EQ(result.in_the_clear.size(), 1U);
  EXPECT_EQ(result.in_the_clear.front().event_type, "shop.note_taken");
  EXPECT_EQ(result.in_the_clear.front().rows, 3);
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE data_encoding = 'json'"), "2");

  const auto encrypted = operations(both).rekey({}, {"shop.note_taken", "shop.other"});
  EXPECT_EQ(encrypted.progress.changed, 2);
  EXPECT_TRUE(encrypted.progress.complete);
  EXPECT_EQ(encrypted.journal_events, 1);
  EXPECT_EQ(encrypted.letters_left + encrypted.journal_events_left, 0);
  EXPECT_TRUE(encrypted.in_the_clear.empty());
  EXPECT_THAT(query("SELECT filter FROM tidings_audit ORDER BY id DESC"), HasSubstr("shop.note_taken"));
  EXPECT_EQ(query("SELECT data_encoding || substr(event_data, 3, 2) FROM tidings_journal"), "encryptedk2");
  SQLite::Database(database().native(), SQLite::OPEN_READWRITE).exec("DELETE FROM tidings_journal");
  EXPECT_THAT(delivered(new_key_), ::testing::ElementsAre(0, 0, 3));
}

TEST_F(RekeyTest, WhatItsTypesHaveInTheClearIsLeftByAStoppedRun) {
  store_letters(old_key_, 1, 2);
  make_plain("dead_letters", "true");
  const auto stopped = operations(old_key_).rekey({.stop = [] { return true; }}, {"shop.note_taken"});
  EXPECT_FALSE(stopped.progress.complete);
  EXPECT_EQ(stopped.letters_left, 2);
  EXPECT_THROW(static_cast<void>(operations(old_key_).rekey({}, {"not a type"})), Error);
}

TEST_F(RekeyTest, ARunThatIsStoppedAmongTheTypesIsNotComplete) {
  store_letters(old_key_, 1, 2);
  make_plain("dead_letters", "true");
  int questions = 0;
  const auto stopped = operations(old_key_).rekey({.stop = [&] { return ++questions > 1; }},
                                                  {"shop.note_taken", "shop.other"});
  EXPECT_FALSE(stopped.progress.complete);
  EXPECT_EQ(stopped.letters_left, 2);
}

TEST_F(RekeyTest, SpilledLettersAreCounted) {
  {
    const auto how = options(old_key_);
    SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
    Bus bus(how);
    auto handler = bus.subscribe<NoteTaken>("keep", [](const NoteTaken&) { throw Permanent("no"); });
    other.exec("BEGIN IMMEDIATE");
    bus.publish(NoteTaken{1}, {.durability = Durability::None});
  }
  EXPECT_EQ(rekey(old_key_).spilled_left, 0) << "it is under this key";
  EXPECT_EQ(rekey(new_key_ + old_key_).spilled_left, 1);
  static_cast<void>(Store::open(database()));  // imports it
  EXPECT_EQ(rekey(new_key_ + old_key_).spilled_left, 0);
}

TEST_F(RekeyTest, NeedsACipher) {
  store_letters(old_key_, 1, 1);
  auto without = Operations::open(database(), {"ann", "desk"});
  EXPECT_THROW(static_cast<void>(without.rekey({})), Error);
}

TEST_F(RekeyTest, AnEditedLetterIsEncryptedForItsNewEvent) {
  store_letters(old_key_, 1, 1);
  const auto edited = operations(old_key_).edit(1, Json{{"number", 42}});
  const auto letter = Reader::open(database()).find(edited.id)->letter;
  EXPECT_EQ(letter.data.encoding, DataEncoding::Encrypted);
  EXPECT_EQ(cipher(old_key_)->decrypt(letter.data.bytes, {letter.event_type, edited.event_id}).bytes,
            R"({"number":42})");
  EXPECT_THAT(delivered(old_key_), ::testing::ElementsAre(42));
}

TEST_F(RekeyTest, WithoutACipherNothingIsEditedInTheClear) {
  store_letters(old_key_, 1, 1);
  auto without = Operations::open(database(), {"ann", "desk"});
  EXPECT_THROW(static_cast<void>(without.edit(1, Json{{"number", 42}})), Error);
  SQLite::Database(database().native(), SQLite::OPEN_READWRITE)
      .exec("UPDATE dead_letters SET event_data = NULL, data_encoding = 'none', data_note = '" +
            std::string(kUnkeptWithoutKey) + "'");
  EXPECT_THROW(static_cast<void>(without.edit(1, Json{{"number", 42}})), Error);
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "1");
}

}  // namespace
}  // namespace tidings::encryption
