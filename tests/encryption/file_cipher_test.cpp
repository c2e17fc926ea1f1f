#include "encryption/key_files.hpp"

#include <tidings/error.hpp>

#include <gmock/gmock.h>

#include <sys/stat.h>

#include <string>
#include <thread>
#include <vector>

namespace tidings::encryption {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class FileCipherTest : public KeyFileTest {
 protected:
  [[nodiscard]] static EventId event(const char* last) {
    return EventId::parse(std::string("019a0000-0000-7000-8000-00000000000") + last).value();
  }
  [[nodiscard]] static std::string refusal(const FileCipher& cipher, const std::string& bytes,
                                           const PayloadOwner& owner) {
    try {
      return "decrypted: " + cipher.decrypt(bytes, owner).bytes;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::NotDecodable);
      return error.what();
    }
  }

  [[nodiscard]] static std::string bytes_of_hex(const std::string& digits) {
    std::string bytes;
    for (std::size_t i = 0; i < digits.size(); i += 2)
      bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    return bytes;
  }

  const PayloadOwner owner_{"shop.card", event("1")};
  const EncodedData plain_{R"({"number":"4111"})", DataEncoding::Json, ""};
  const std::string keys_ = "k1:" + key_of('a') + "\n";
};

TEST_F(FileCipherTest, GivesBackWhatItEncrypted) {
  const auto opened = cipher(keys_);
  // {"note": "of no chance"}: a byte or two are among random ones now and then
  const EncodedData cbor{"\xa1\x64note\x6cof no chance", DataEncoding::Cbor, ""};
  for (const EncodedData& plain : {plain_, cbor}) {
    const EncodedData encrypted = opened->encrypt(plain, owner_);
    EXPECT_EQ(encrypted.encoding, DataEncoding::Encrypted);
    EXPECT_THAT(encrypted.bytes, Not(HasSubstr(plain.bytes)));
    const EncodedData again = opened->decrypt(encrypted.bytes, owner_);
    EXPECT_EQ(again.bytes, plain.bytes);
    EXPECT_EQ(again.encoding, plain.encoding);
  }
}

TEST_F(FileCipherTest, TakesANewKeyFromItsFileWhereAPayloadNamesIt) {
  const auto path = key_file(keys_);
  const auto running = FileCipher::open(path);
  const std::string added = add_key(path);
  const EncodedData encrypted = FileCipher::open(path)->encrypt(plain_, owner_);
  EXPECT_EQ(describe_encrypted(encrypted), "encrypted (key " + added + ")");
  EXPECT_EQ(running->decrypt(encrypted.bytes, owner_).bytes, plain_.bytes);
}

TEST_F(FileCipherTest, EncryptsWithTheFirstKeyOfItsFileAsItIs) {
  const auto path = key_file(keys_);
  const auto running = FileCipher::open(path);
  const std::string first = running->fingerprint("4111");
  const std::string added = add_key(path);
  EXPECT_EQ(describe_encrypted(running->encrypt(plain_, owner_)), "encrypted (key " + added + ")");
  EXPECT_EQ(running->writing_key(), added);
  EXPECT_EQ(running->key_ids(), (std::vector<std::string>{added, "k1"}));
  EXPECT_THAT(running->fingerprint("4111"), AllOf(StartsWith(added + ":"), Not(first)));
}

TEST_F(FileCipherTest, AKeyThatWasRemovedDecryptsUntilTheEnd) {
  const auto path = key_file(keys_);
  const auto running = FileCipher::open(path);
  const EncodedData encrypted = running->encrypt(plain_, owner_);
  static_cast<void>(key_file("k2:" + key_of('b') + "\n"));
  EXPECT_EQ(describe_encrypted(running->encrypt(plain_, owner_)), "encrypted (key k2)");
  EXPECT_EQ(running->decrypt(encrypted.bytes, owner_).bytes, plain_.bytes);
}

TEST_F(FileCipherTest, AnotherKeyOfTheSameNameIsTaken) {
  const auto path = key_file(keys_);
  const auto running = FileCipher::open(path);
  static_cast<void>(key_file("k1:" + key_of('b') + "\n# another\n"));
  const EncodedData encrypted = running->encrypt(plain_, owner_);
  EXPECT_EQ(FileCipher::open(path)->decrypt(encrypted.bytes, owner_).bytes, plain_.bytes);
}

TEST_F(FileCipherTest, AFileThatCannotBeReadLeavesTheKeysAndIsNamed) {
  const auto path = key_file(keys_);
  const auto running = FileCipher::open(path);
  const std::string added = add_key(path);
  const EncodedData encrypted = FileCipher::open(path)->encrypt(plain_, owner_);
  ::chmod(path.c_str(), 0666);
  EXPECT_EQ(describe_encrypted(running->encrypt(plain_, owner_)), "encrypted (key k1)");
  EXPECT_THAT(refusal(*running, encrypted.bytes, owner_),
              AllOf(HasSubstr("'" + added + "'"), HasSubstr(path.native()), HasSubstr("cannot be read: "),
                    HasSubstr("chmod 600")));
  ::chmod(path.c_str(), 0600);
  EXPECT_EQ(running->decrypt(encrypted.bytes, owner_).bytes, plain_.bytes);
}

TEST_F(FileCipherTest, ThreadsTakeANewKeyAtOnce) {
  const auto path = key_file(keys_);
  const auto running = FileCipher::open(path);
  add_key(path);
  const EncodedData encrypted = FileCipher::open(path)->encrypt(plain_, owner_);
  std::vector<std::string> seen(4);
  std::vector<std::thread> threads;
  for (std::string& each : seen)
    threads.emplace_back([&] { each = running->decrypt(encrypted.bytes, owner_).bytes; });
  for (std::thread& each : threads) each.join();
  EXPECT_THAT(seen, Each(plain_.bytes));
}

TEST_F(FileCipherTest, SaysWhichKeyItUsed) {
  EXPECT_EQ(describe_encrypted(cipher(keys_)->encrypt(plain_, owner_)), "encrypted (key k1)");
  EXPECT_EQ(describe_encrypted({"{}", DataEncoding::Encrypted, ""}), "encrypted, and damaged");
}

TEST_F(FileCipherTest, OnePayloadTwiceDoesNotLookTheSame) {
  const auto opened = cipher(keys_);
  EXPECT_NE(opened->encrypt(plain_, owner_).bytes, opened->encrypt(plain_, owner_).bytes);
}

TEST_F(FileCipherTest, APayloadIsThatOfItsEventAlone) {
  const auto opened = cipher(keys_);
  const std::string bytes = opened->encrypt(plain_, owner_).bytes;
  EXPECT_THAT(refusal(*opened, bytes, {"shop.card", event("2")}), HasSubstr("it is another event's"));
  EXPECT_THAT(refusal(*opened, bytes, {"shop.cart", event("1")}), HasSubstr("it is another event's"));
}

TEST_F(FileCipherTest, EveryChangedBitIsNoticed) {
  const auto opened = cipher(keys_);
  const std::string bytes = opened->encrypt(plain_, owner_).bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_THAT(refusal(*opened, changed, owner_), StartsWith("the encrypted payload"));
    EXPECT_THAT(refusal(*opened, bytes.substr(0, i), owner_), StartsWith("the encrypted payload"));
  }
}

TEST_F(FileCipherTest, SaysItsFileAndItsKeysNamesAndNoKey) {
  const auto opened = cipher("k2:" + key_of('b') + "\n" + keys_);
  const Json fields = opened->configuration();
  EXPECT_EQ(fields.at("key_file"), folder_.path("keys").string());
  EXPECT_EQ(fields.at("key_file_from"), "code");
  EXPECT_EQ(fields.at("key_ids"), (Json{"k2", "k1"}));
  EXPECT_TRUE(fields.at("libsodium_version").is_string());
  EXPECT_THAT(fields.dump(), Not(HasSubstr("aaaa")));
}

TEST_F(FileCipherTest, SaysThatTheEnvironmentNamedItsFile) {
  const auto path = key_file(keys_);
  ::setenv("TIDINGS_KEY_FILE", path.c_str(), 1);
  const auto opened = FileCipher::open_from_environment();
  ::unsetenv("TIDINGS_KEY_FILE");
  EXPECT_EQ(opened->configuration().at("key_file_from"), "environment");
}

TEST_F(FileCipherTest, AnOldKeyReadsOnAndAMissingOneIsNamed) {
  const std::string bytes = cipher(keys_)->encrypt(plain_, owner_).bytes;
  const std::string newer = "k2:" + key_of('b') + "\n";
  const auto both = cipher(newer + keys_);
  EXPECT_EQ(both->decrypt(bytes, owner_).bytes, plain_.bytes);
  EXPECT_EQ(describe_encrypted(both->encrypt(plain_, owner_)), "encrypted (key k2)");
  EXPECT_THAT(refusal(*cipher(newer), bytes, owner_),
              HasSubstr("needs the key 'k1', which is not in the key file"));
}

TEST_F(FileCipherTest, AnotherKeyOfTheSameNameDoesNotDecrypt) {
  const std::string bytes = cipher(keys_)->encrypt(plain_, owner_).bytes;
  const auto other = cipher("k1:" + key_of('b') + "\n");
  EXPECT_THAT(refusal(*other, bytes, owner_), HasSubstr("the key file has another key of that name"));
}

// What a version wrote can be read by all later ones: neither the format nor how keys are derived may change.
TEST_F(FileCipherTest, ReadsWhatWasWrittenByTheFirstVersion) {
  const std::string bytes = bytes_of_hex(
      "01026b31e7d045eb6e3bccda8d264ac32a4f02c50514264a1c3a71acda176a4a9c1df904e2527d23cad44b664aea9906c22690"
      "145d"
      "b7c10c45dafef4d5dc");
  const auto opened = cipher(keys_);
  EXPECT_EQ(opened->decrypt(bytes, owner_).bytes, plain_.bytes);
  EXPECT_EQ(opened->fingerprint("4111"), "k1:0b0f11cd211fbf783bf1afb3fd688deb");
}

TEST_F(FileCipherTest, APayloadIsBoundToTheNameOfItsKey) {
  std::string bytes = cipher(keys_)->encrypt(plain_, owner_).bytes;
  ASSERT_EQ(bytes.substr(2, 2), "k1");
  bytes[3] = '2';
  const auto same_key_twice = cipher(keys_ + "k2:" + key_of('a') + "\n");
  EXPECT_THAT(refusal(*same_key_twice, bytes, owner_), HasSubstr("cannot be decrypted with the key 'k2'"));
}

TEST_F(FileCipherTest, WhatIsNoPayloadIsNotEncrypted) {
  EXPECT_THROW(static_cast<void>(cipher(keys_)->encrypt({"", DataEncoding::None, ""}, owner_)), Error);
}

TEST_F(FileCipherTest, AFingerprintIsTheSameForOneValueUnderOneKey) {
  const auto opened = cipher(keys_);
  const std::string print = opened->fingerprint("4111");
  EXPECT_THAT(print, StartsWith("k1:"));
  EXPECT_EQ(print, opened->fingerprint("4111"));
  EXPECT_NE(print, opened->fingerprint("4112"));
  EXPECT_NE(print, cipher("k1:" + key_of('b'))->fingerprint("4111"));
}

}  // namespace
}  // namespace tidings::encryption
