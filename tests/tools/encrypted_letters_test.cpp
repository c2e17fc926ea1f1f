#include "tools/dead_letters_fixture.hpp"

#include <tidings/encryption/file_cipher.hpp>

#include <sys/stat.h>

#include <cstdlib>

// Letters whose payload is encrypted or masked.

namespace tidings::dead_letters {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kPayload = R"({"card":"4111 2222","order_id":7})";

/// Letter 3 is encrypted, letter 2 is masked.
class EncryptedLettersTest : public DeadLettersTest {
 protected:
  void SetUp() override {
    DeadLettersTest::SetUp();
    ::unsetenv("TIDINGS_KEY_FILE");
    keys_ = database_ + ".keys";
    encryption::create_key_file(keys_);
    put_under_key(3);
    execute(
        "UPDATE dead_letters SET data_encoding = 'masked', data_note = 'masked: /card', event_data ="
        " '{\"card\":\"[masked]\"}' WHERE id = 2");
  }
  void put_under_key(std::int64_t id) const {
    const auto stored = reader().find(id).value();
    const auto data = encryption::FileCipher::open(keys_)->encrypt(
        {kPayload, DataEncoding::Json, ""}, {stored.letter.event_type, stored.letter.metadata.event_id});
    std::string hex;
    for (const char byte : data.bytes) {
      constexpr const char* kDigits = "0123456789abcdef";
      const auto c = static_cast<unsigned char>(byte);
      hex += {kDigits[c / 16], kDigits[c % 16]};
    }
    execute("UPDATE dead_letters SET data_encoding = 'encrypted', event_data = x'" + hex +
            "' WHERE id = " + std::to_string(id));
  }
  [[nodiscard]] std::string key() const { return encryption::FileCipher::open(keys_)->key_ids().front(); }

  std::string keys_;
};

TEST_F(EncryptedLettersTest, ShowSaysSoWithoutTheKeyAndShowsItWithTheKey) {
  const auto without = call({"show", "3"});
  EXPECT_EQ(without.status, 0) << without.err;
  EXPECT_THAT(without.out, AllOf(HasSubstr("encrypted (key " + key() + ")"), HasSubstr("--key-file FILE"),
                                 Not(HasSubstr("4111 2222"))));
  const auto with = call({"show", "3", "--key-file", keys_, "--reveal"});
  EXPECT_THAT(with.out, HasSubstr("4111 2222"));
}

TEST_F(EncryptedLettersTest, TheEnvironmentNamesTheKeyFile) {
  ::setenv("TIDINGS_KEY_FILE", keys_.c_str(), 1);
  EXPECT_THAT(call({"show", "3", "--reveal"}).out, HasSubstr("4111 2222"));
  ::unsetenv("TIDINGS_KEY_FILE");
}

TEST_F(EncryptedLettersTest, JsonHasNoDataWithoutTheKey) {
  const auto without = call({"show", "3", "--json", "--reveal"}).json().at("letter");
  EXPECT_EQ(without.at("data_encoding"), "encrypted");
  EXPECT_FALSE(without.at("event").contains("data"));
  EXPECT_FALSE(without.at("event").contains("data_base64"));
  const auto with = call({"show", "3", "--json", "--reveal", "--key-file", keys_}).json().at("letter");
  EXPECT_EQ(with.at("event").at("data").at("card"), "4111 2222");
}

TEST_F(EncryptedLettersTest, OtherVerbsWorkWithoutTheKey) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"list"},
                                                                     {"groups"},
                                                                     {"stats"},
                                                                     {"doctor"},
                                                                     {"trace", "request-8"},
                                                                     {"list", "--where", "/order_id=7"},
                                                                     {"retry", "3"},
                                                                     {"export"}}) {
    const auto answer = call(arguments);
    EXPECT_EQ(answer.status, 0) << arguments[0] << answer.err;
    EXPECT_THAT(answer.out + answer.err, Not(HasSubstr("4111 2222"))) << arguments[0];
  }
}

TEST_F(EncryptedLettersTest, AValueThatIsNotFoundMayBeInAPayloadThatIsNotSearched) {
  EXPECT_THAT(call({"list", "--where", "/order_id=99"}).err,
              HasSubstr("1 letter has an encrypted payload, in which --where cannot search."));
  EXPECT_THAT(call({"list", "--where", "/order_id=99", "--handler", "send_receipt"}).err,
              Not(HasSubstr("cannot search")));
  EXPECT_THAT(call({"show", "2"}).err, AllOf(HasSubstr("Publish a corrected event."),
                                             HasSubstr("Then give it up:"), Not(HasSubstr("Or"))));
}

TEST_F(EncryptedLettersTest, LettersThatAreFoundMayNotBeAllThatHaveTheValue) {
  execute("UPDATE dead_letters SET event_data = json('{\"order_id\":7}') WHERE id = 1");
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"list"},
                                             {"groups"},
                                             {"groups", "--by", "tenant"},
                                             {"stats"},
                                             {"export"},
                                             {"retry", "--dry-run"},
                                             {"discard", "--reason", "test", "--dry-run"},
                                             {"retry"}}) {
    auto where = arguments;
    where.insert(where.end(), {"--where", "/order_id=7"});
    const auto answer = call(where);
    EXPECT_EQ(answer.status, 0) << arguments[0] << answer.err;
    EXPECT_THAT(answer.out, Not(HasSubstr("No "))) << arguments[0];
    EXPECT_THAT(answer.err, HasSubstr("1 letter has an encrypted payload, in which --where cannot search."))
        << arguments[0];
  }
  EXPECT_THAT(call({"list", "--where", "/order_id=7", "--handler", "send_receipt"}).err,
              Not(HasSubstr("cannot search")));
  EXPECT_THAT(call({"list"}).err, Not(HasSubstr("cannot search")));
  EXPECT_THAT(call({"list", "--where", "/order_id=7", "--quiet"}).err, Not(HasSubstr("cannot search")));
}

TEST_F(EncryptedLettersTest, AnExportedLetterIsImportedAsItWas) {
  const auto before = reader().find(3)->letter.data;
  input_ = call({"export"}).out;
  execute("DELETE FROM dead_letters");
  EXPECT_EQ(call({"import", "-"}).status, 0);
  const auto letters = reader().list({.resolved = {}}, 10).letters;
  ASSERT_EQ(letters.size(), 3U);
  EXPECT_EQ(letters[0].letter.data.bytes, before.bytes);
  EXPECT_EQ(letters[0].letter.data.encoding, DataEncoding::Encrypted);
  EXPECT_EQ(letters[1].letter.data.encoding, DataEncoding::Masked);
  EXPECT_EQ(call({"export"}).out, input_);
}

TEST_F(EncryptedLettersTest, EditNeedsTheKeyAndEncryptsAgain) {
  const auto without = call({"edit", "3", "--set", "/order_id=9"});
  EXPECT_EQ(without.status, 65);
  EXPECT_THAT(without.err, AllOf(HasSubstr("--key-file FILE"), HasSubstr("nothing was edited")));
  EXPECT_EQ(call({"edit", "3", "--set", "/order_id=9", "--key-file", keys_}).status, 0);
  EXPECT_EQ(reader().find(4)->letter.data.encoding, DataEncoding::Encrypted);
  EXPECT_THAT(call({"show", "4", "--key-file", keys_, "--reveal"}).out,
              AllOf(HasSubstr("\"order_id\": 9"), HasSubstr("4111 2222")));
}

TEST_F(EncryptedLettersTest, AWrongKeyAndATamperedPayloadAreSaid) {
  execute("UPDATE dead_letters SET event_data = CAST(substr(event_data, 1, 70) AS BLOB) WHERE id = 3");
  EXPECT_THAT(call({"show", "3", "--key-file", keys_}).out, HasSubstr("its bytes were changed"));
  EXPECT_EQ(call({"edit", "3", "--set", "/order_id=9", "--key-file", keys_}).status, 65);
  execute("UPDATE dead_letters SET event_data = x'0102' WHERE id = 3");
  EXPECT_THAT(call({"show", "3"}).out, HasSubstr("encrypted, and damaged"));
}

TEST_F(EncryptedLettersTest, AKeyFileThatCannotBeUsedIsRefused) {
  const auto missing = call({"show", "3", "--key-file", "/no/such/file"});
  EXPECT_EQ(missing.status, 66);
  ::chmod(keys_.c_str(), 0644);
  const auto open = call({"show", "3", "--key-file", keys_});
  EXPECT_EQ(open.status, 66);
  EXPECT_THAT(open.err, HasSubstr("chmod 600"));
}

TEST_F(EncryptedLettersTest, DoctorSaysWhichKeysAreNeededAndWhetherTheyAreThere) {
  const auto without = call({"doctor"});
  EXPECT_EQ(without.status, 0) << without.err;
  EXPECT_THAT(without.out,
              AllOf(HasSubstr("1 letter and of 0 events"), HasSubstr(key()), HasSubstr("--key-file FILE")));
  const auto with = call({"doctor", "--key-file", keys_});
  EXPECT_THAT(with.out, AllOf(HasSubstr(key() + ", which is in the key file"), Not(HasSubstr("problem"))));
  const OrderedJson json = call({"doctor", "--key-file", keys_, "--json"}).json();
  EXPECT_EQ(json.at("keys"), OrderedJson::parse(R"([{"key":")" + key() +
                                                R"(","letters":1,"journal_events":0,"opens":true}])"));
}

TEST_F(EncryptedLettersTest, DoctorTellsOfAKeyThatIsNotThere) {
  const std::string others = database_ + ".others";
  encryption::create_key_file(others);
  const auto answer = call({"doctor", "--key-file", others});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.out,
              AllOf(HasSubstr("problem"), HasSubstr("'" + key() + "'"), HasSubstr("not in the key file")));
  const OrderedJson json = call({"doctor", "--key-file", others, "--json"}).json();
  EXPECT_EQ(json.at("keys").at(0).at("opens"), false);
  EXPECT_THAT(call({"doctor", "--key-file", database_ + ".none"}).out, HasSubstr("cannot be opened"));
}

TEST_F(EncryptedLettersTest, DoctorTriesTheJournalsKeysAndSaysWhereThereIsNone) {
  execute("UPDATE dead_letters SET event_data = x'0102' WHERE id = 3");
  EXPECT_THAT(call({"doctor"}).out, HasSubstr("damaged: no key opens them"));
  execute("DELETE FROM dead_letters WHERE id = 3");
  EXPECT_THAT(call({"doctor"}).out, HasSubstr("no payload is encrypted"));
}

TEST_F(EncryptedLettersTest, AMaskedLetterIsShownAndNeitherRetriedNorEdited) {
  const auto shown = call({"show", "2"});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("masked: /card; cannot be delivered again"), HasSubstr("[masked]")));
  EXPECT_THAT(shown.err, AllOf(Not(HasSubstr("retry 2")), Not(HasSubstr("edit 2"))));
  const auto retried = call({"retry", "2"});
  EXPECT_EQ(retried.status, 65);
  EXPECT_THAT(retried.err, AllOf(HasSubstr("was not kept whole"), HasSubstr("masked: /card")));
  EXPECT_EQ(reader().count({.marked = true}), 0);
  input_ = "{}";
  EXPECT_EQ(call({"edit", "2", "--file", "-"}).status, 65);
  EXPECT_FALSE(reader().find(4));
}

TEST_F(EncryptedLettersTest, RekeySaysWhenOldKeysCanGo) {
  const std::string old = key();
  const auto added = call({"new-key", keys_, "--add", "--json"});
  EXPECT_EQ(added.status, 0) << added.err;
  const auto result = call({"rekey", "--key-file", keys_});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("1 letter and 0 events of the journal rekeyed"),
                                HasSubstr(added.json().at("key").get<std::string>())));
  EXPECT_THAT(result.err, HasSubstr("can be removed"));
  EXPECT_THAT(call({"show", "3"}).out, Not(HasSubstr(old)));
}

TEST_F(EncryptedLettersTest, RekeyWithoutTheOldKeyIsStatus65AndNamesIt) {
  const std::string other = keys_ + ".other";
  encryption::create_key_file(other);
  const auto result = call({"rekey", "--key-file", other});
  EXPECT_EQ(result.status, 65);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("1 letter and 0 events"), HasSubstr(key()), Not(HasSubstr("can be removed"))));
  EXPECT_EQ(call({"rekey"}).status, 64);
}

TEST_F(EncryptedLettersTest, RekeyTellsOfPayloadsInTheClearAndEncryptsThem) {
  const auto type = reader().find(3)->letter.event_type;
  execute("UPDATE dead_letters SET event_type = '" + type +
          "', data_encoding = 'json', event_data = '{}' WHERE id = 1");
  const auto told = call({"rekey", "--key-file", keys_});
  EXPECT_EQ(told.status, 0) << told.err;
  EXPECT_THAT(told.err, AllOf(HasSubstr("1 payload of " + type), HasSubstr("rekey --encrypt " + type)));
  const auto json = call({"rekey", "--key-file", keys_, "--json"}).json();
  EXPECT_EQ(json.at("in_the_clear").dump(), R"([{"event_type":")" + type + R"(","rows":1}])");
  const auto encrypted = call({"rekey", "--key-file", keys_, "--encrypt", type});
  EXPECT_EQ(encrypted.status, 0) << encrypted.err;
  EXPECT_THAT(encrypted.err, Not(HasSubstr("in the clear")));
  EXPECT_EQ(reader().find(1)->letter.data.encoding, DataEncoding::Encrypted);
  EXPECT_EQ(call({"rekey", "--key-file", keys_, "--encrypt", "no type"}).status, 64);
  EXPECT_THAT(encrypted.err, Not(HasSubstr("no letter of the type")));
  EXPECT_THAT(call({"rekey", "--key-file", keys_, "--encrypt", "shop.mistyped"}).err,
              HasSubstr("there is no letter of the type shop.mistyped"));
}

TEST_F(EncryptedLettersTest, EraseByAValueTellsOfPayloadsThatItCannotSearch) {
  const auto erased = call({"erase", "--where", "/card=4111 2222", "--yes"});
  EXPECT_THAT(erased.err, HasSubstr("1 letter with an encrypted payload may hold it too"));
  const auto by_number = call({"erase", "3", "--yes"});
  EXPECT_EQ(by_number.status, 0) << by_number.err;
  EXPECT_THAT(by_number.err, Not(HasSubstr("encrypted")));
}

TEST_F(EncryptedLettersTest, NewKeyNeedsNoDatabaseAndReplacesNoFile) {
  const std::string file = keys_ + ".new";
  database_ = "";
  const auto made = call({"new-key", file});
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr(encryption::FileCipher::open(file)->key_ids().front()));
  EXPECT_EQ(call({"new-key", file}).status, 73);
  EXPECT_EQ(call({"new-key", file, "--add"}).status, 0);
  EXPECT_EQ(encryption::FileCipher::open(file)->key_ids().size(), 2U);
}

}  // namespace
}  // namespace tidings::dead_letters
