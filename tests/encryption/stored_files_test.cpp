#include "encryption/key_files.hpp"

#include <tidings/bus.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/logging/capture.hpp>

#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

// Whatever becomes of an event of an encrypted type, no file ever has its payload in the clear.

namespace tidings::encryption {
namespace {

using deadletter::Store;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto kLong = 30s;
constexpr const char* kNumber = "4111 1111 1111 1111";

struct CardCharged {
  static constexpr std::string_view event_type = "shop.card_charged";
  static constexpr bool encrypt_payload = true;
  std::string number{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(CardCharged, number)
};

class StoredFilesTest : public KeyFileTest {
 protected:
  void SetUp() override { keys_ = key_file("k1:" + key_of('a') + "\n"); }

  [[nodiscard]] std::filesystem::path database() const { return folder_.path("shop.db"); }
  [[nodiscard]] std::filesystem::path spill() const { return folder_.path("shop.db.spill.jsonl"); }
  [[nodiscard]] BusOptions options() const {
    deadletter::StoreOptions how{.busy_timeout = 1ms, .spill_reserve = 0};
    how.encryption.cipher = FileCipher::open(keys_);
    return {.service = "shop",
            .store = Store::open(database(), how),
            .durability = Durability::ProcessCrash,
            .logger = capture_.logger()};
  }
  /// The files that have the payload as text.
  [[nodiscard]] std::vector<std::string> leaking() const {
    std::vector<std::string> names;
    for (const auto& [name, content] : deadletter::contents_of(folder_.path()))
      if (content.find("4111 1111") != std::string::npos) names.push_back(name);
    return names;
  }
  static void fail(const CardCharged&) { throw Permanent("no"); }
  /// Publishes durably, and is killed while the handler runs.
  void publish_and_be_killed() {
    const pid_t child = ::fork();
    if (child == 0) {
      Bus bus(options());
      auto handler = bus.subscribe<CardCharged>("charge", [](const CardCharged&) { ::raise(SIGKILL); });
      bus.publish(CardCharged{kNumber});
      ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
  }
  /// A bus whose only letter the database does not take, and its end.
  void fail_while_the_database_is_locked(bool with_spill = true) {
    auto how = options();
    if (!with_spill) {
      std::filesystem::remove(spill());
      std::filesystem::create_directory(spill());  // which takes no letter
    }
    SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
    Bus bus(how);
    auto handler = bus.subscribe<CardCharged>("charge", &fail);
    other.exec("BEGIN IMMEDIATE");
    bus.publish(CardCharged{kNumber}, {.durability = Durability::None});
  }
  /// What a handler gets that subscribes now, after a redrive of all letters.
  [[nodiscard]] std::string delivered_again() {
    std::string seen;
    Bus bus(options());
    auto handler = bus.subscribe<CardCharged>("charge", [&](const CardCharged& card) { seen = card.number; });
    EXPECT_TRUE(bus.wait_idle(kLong));
    if (seen.empty()) static_cast<void>(bus.redrive({}));
    EXPECT_TRUE(bus.wait_idle(kLong));
    return seen;
  }

  std::filesystem::path keys_;
  mutable logging::Capture capture_;
};

TEST_F(StoredFilesTest, WhatAKilledProcessLeftOwedIsEncryptedAndRecovered) {
  publish_and_be_killed();
  EXPECT_THAT(leaking(), IsEmpty());
  EXPECT_EQ(delivered_again(), kNumber);
  EXPECT_THAT(leaking(), IsEmpty());
}

TEST_F(StoredFilesTest, ALetterOfADurableEventIsEncryptedAndRedelivered) {
  {
    Bus bus(options());
    auto handler = bus.subscribe<CardCharged>("charge", &fail);
    EXPECT_EQ(bus.publish(CardCharged{kNumber}).dead, 1U);
    EXPECT_THAT(leaking(), IsEmpty());
  }
  EXPECT_EQ(delivered_again(), kNumber);
  EXPECT_THAT(leaking(), IsEmpty());
}

TEST_F(StoredFilesTest, ASpilledLetterIsEncryptedAndRedelivered) {
  fail_while_the_database_is_locked();
  EXPECT_THAT(read_file(spill()), HasSubstr("encrypted"));
  EXPECT_THAT(leaking(), IsEmpty());
  EXPECT_EQ(delivered_again(), kNumber);
  EXPECT_THAT(leaking(), IsEmpty());
}

TEST_F(StoredFilesTest, TheLineOfLastResortIsEncrypted) {
  testing::internal::CaptureStderr();
  fail_while_the_database_is_locked(false);
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_THAT(line, HasSubstr("\"data_encoding\":\"encrypted\""));
  EXPECT_THAT(line, Not(HasSubstr("4111 1111")));
}

TEST_F(StoredFilesTest, ABackupHasItEncrypted) {
  Bus bus(options());
  auto handler = bus.subscribe<CardCharged>("charge", &fail);
  bus.publish(CardCharged{kNumber});
  Store::open(database())->backup(folder_.path("copy.db"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path("copy.db")));
  EXPECT_THAT(leaking(), IsEmpty());
}

TEST_F(StoredFilesTest, AnEventOfATransactionIsEncrypted) {
  Bus bus(options());
  auto charge = bus.subscribe<CardCharged>("charge", &fail);
  auto pay = bus.subscribe("shop.paid", "pay", [&](const Json&) { bus.publish(CardCharged{kNumber}); },
                           {.dispatch = Dispatch::Queued});
  bus.publish("shop.paid", Json::object());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(leaking(), IsEmpty());
  EXPECT_EQ(deadletter::Reader::open(database()).count({.resolved = false}), 1);
}

TEST_F(StoredFilesTest, WithAnotherKeyTheLetterStaysAndNamesTheKey) {
  publish_and_be_killed();
  keys_ = key_file("k2:" + key_of('b') + "\n");
  EXPECT_EQ(delivered_again(), "");
  const auto letters = deadletter::Reader::open(database()).list({}, 10).letters;
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters.front().letter.reason, Reason::Undecodable);
  EXPECT_THAT(letters.front().letter.error_message, HasSubstr("'k1', which is not in the key file"));
  keys_ = key_file("k2:" + key_of('b') + "\nk1:" + key_of('a') + "\n");
  EXPECT_EQ(delivered_again(), kNumber);
}

TEST_F(StoredFilesTest, ATamperedLetterStaysAndSaysSo) {
  {
    Bus bus(options());
    auto handler = bus.subscribe<CardCharged>("charge", &fail);
    bus.publish(CardCharged{kNumber});
  }
  SQLite::Database(database().native(), SQLite::OPEN_READWRITE)
      .exec(
          "UPDATE dead_letters SET event_data = CAST(substr(event_data, 1, length(event_data) - 1) ||"
          " CASE substr(event_data, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB)");
  EXPECT_EQ(delivered_again(), "");
  const auto letters = deadletter::Reader::open(database()).list({.resolved = false}, 10).letters;
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters.front().letter.data.encoding, DataEncoding::Encrypted);
  EXPECT_THAT(letters.front().letter.error_message, HasSubstr("its bytes were changed"));
}

}  // namespace
}  // namespace tidings::encryption
