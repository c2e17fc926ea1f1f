#include "contracts/xor_cipher.hpp"
#include "deadletter/store_fixture.hpp"

#include <tidings/bus.hpp>
#include <tidings/logging/capture.hpp>

#include <sqlite3.h>

#include <chrono>
#include <memory>

namespace tidings::deadletter {
namespace {

using namespace std::chrono_literals;

class StartRecordTest : public StoreTest {
 protected:
  /// The record of a bus that has a store with these options.
  [[nodiscard]] Json start_with(const StoreOptions& options) const {
    const logging::Capture capture;
    const Bus bus({.service = "shop", .store = open(options), .logger = capture.logger()});
    return capture.only("bus_started");
  }
};

TEST_F(StartRecordTest, HasTheOptionsOfTheStore) {
  const Json record = start_with({.busy_timeout = 250ms,
                                  .spill_path = folder_.path("elsewhere.jsonl"),
                                  .spill_reserve = 4096,
                                  .file_mode = 0640,
                                  .retention = 48h,
                                  .audit_retention = 72h,
                                  .minutes_retention = 24h});
  EXPECT_EQ(record.at("database"), database().string());
  EXPECT_EQ(record.at("busy_timeout_ms"), 250);
  EXPECT_EQ(record.at("spill_path"), folder_.path("elsewhere.jsonl").string());
  EXPECT_EQ(record.at("spill_reserve_bytes"), 4096);
  EXPECT_EQ(record.at("file_mode"), "0640");
  EXPECT_EQ(record.at("retention_h"), 48);
  EXPECT_EQ(record.at("audit_retention_h"), 72);
  EXPECT_EQ(record.at("minutes_retention_h"), 24);
  EXPECT_EQ(record.at("adopted_database"), false);
  EXPECT_EQ(record.at("sqlite_version"), ::sqlite3_libversion());
}

TEST_F(StartRecordTest, SaysThatThereIsNoKey) {
  const Json record = start_with({});
  EXPECT_EQ(record.at("key_file"), nullptr);
  EXPECT_EQ(record.at("key_ids"), Json::array());
  EXPECT_EQ(record.at("encrypted_types"), Json::array());
}

TEST_F(StartRecordTest, SaysWhatTheCipherSaysOfItself) {
  const Json record = start_with(
      {.encryption = {.cipher = std::make_shared<contract::XorCipher>("k7"), .types = {"shop.card"}}});
  EXPECT_EQ(record.at("key_ids"), Json::array({"k7"}));
  EXPECT_EQ(record.at("encrypted_types"), Json::array({"shop.card"}));
}

}  // namespace
}  // namespace tidings::deadletter
