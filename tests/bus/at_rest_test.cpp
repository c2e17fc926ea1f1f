#include "contracts/xor_cipher.hpp"
#include "durable_fixture.hpp"
#include "event/payload_keeper.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cstdlib>

namespace tidings::test {
namespace {

using contract::XorCipher;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct CardCharged {
  static constexpr std::string_view event_type = "shop.card_charged";
  static constexpr bool encrypt_payload = true;
  std::string number{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(CardCharged, number)
};

struct CustomerMoved {
  static constexpr std::string_view event_type = "shop.customer_moved";
  static constexpr std::array<std::string_view, 2> masked_fields = {"/street", "/not/there"};
  static constexpr std::array<std::string_view, 1> hashed_fields = {"/customer"};
  std::string customer{};
  std::string street{};
  std::string city{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(CustomerMoved, customer, street, city)
};

struct SealedMove : CustomerMoved {
  static constexpr std::string_view event_type = "shop.sealed_move";
  static constexpr bool encrypt_payload = true;
};

constexpr const char* kSomeId = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
constexpr const char* kNumber = "4111 1111 1111 1111";

class AtRestTest : public DurableTest {
 protected:
  [[nodiscard]] BusOptions with_key(BusOptions options) {
    const PayloadEncryption encryption{std::make_shared<XorCipher>(), {"shop.parcel"}};
    if (options.store == journal_) {
      journal_->encryption_used = encryption;
    } else {
      options.store = letters_ = std::make_shared<MemoryLetterSink>(encryption);
    }
    return options;
  }
  [[nodiscard]] static auto fails() {
    return [](const auto&) { throw Permanent("no"); };
  }
  [[nodiscard]] DeadLetter only_letter() const {
    const auto all = letters_->letters();
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? DeadLetter{} : all.front();
  }
  [[nodiscard]] static std::string decrypted(const DeadLetter& letter) {
    const PayloadOwner owner{letter.event_type, letter.metadata.event_id};
    return XorCipher().decrypt(letter.data.bytes, owner).bytes;
  }
  /// Leaves a durable event owed, as a process that was killed does.
  template <class E>
  void leave_owed_event(const E& event) {
    Gate gate;
    Bus bus(with_key(durable()));
    auto stuck = bus.subscribe<E>("handler", [&](const E&) { gate.pass(); }, {.dispatch = Dispatch::Queued});
    bus.publish(event);
    auto left = journal_->after_crash();
    gate.open();
    EXPECT_TRUE(bus.wait_idle(kLong));
    journal_ = std::move(left);
  }
  [[nodiscard]] OwedDelivery owed() {
    static_cast<void>(journal_->acquire("shop", 0ms));
    auto rows = journal_->owed({"", "handler", 0, 100, 1});
    journal_->release(true);
    return rows.at(0);
  }
};

TEST_F(AtRestTest, ALetterOfAnEncryptedTypeHasThePayloadForThoseWithTheKeyAlone) {
  Bus bus(with_key(options()));
  auto handler = bus.subscribe<CardCharged>("handler", fails());
  bus.publish(CardCharged{kNumber});
  const DeadLetter letter = only_letter();
  EXPECT_EQ(letter.data.encoding, DataEncoding::Encrypted);
  EXPECT_THAT(to_json_line(letter), Not(HasSubstr(kNumber)));
  EXPECT_EQ(describe_encrypted(letter.data), "encrypted (key k1)");
  EXPECT_EQ(decrypted(letter), R"({"number":"4111 1111 1111 1111"})");
}

TEST_F(AtRestTest, AnEncryptedLetterSurvivesItsJsonLine) {
  Bus bus(with_key(options()));
  auto handler = bus.subscribe<CardCharged>("handler", fails());
  bus.publish(CardCharged{kNumber});
  const DeadLetter read = parse_json_line(to_json_line(only_letter()));
  EXPECT_EQ(read.data.encoding, DataEncoding::Encrypted);
  EXPECT_EQ(decrypted(read), R"({"number":"4111 1111 1111 1111"})");
}

TEST_F(AtRestTest, TheJournalHasItEncryptedAndRecoveryDeliversIt) {
  leave_owed_event(CardCharged{kNumber});
  EXPECT_EQ(owed().data.encoding, DataEncoding::Encrypted);
  EXPECT_THAT(owed().data.bytes, Not(HasSubstr(kNumber)));
  std::string seen;
  Bus bus(with_key(durable()));
  auto handler = bus.subscribe<CardCharged>("handler", [&](const CardCharged& card) { seen = card.number; });
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(seen, kNumber);
}

TEST_F(AtRestTest, ALetterOfARecoveredEventStaysEncrypted) {
  leave_owed_event(CardCharged{kNumber});
  Bus bus(with_key(durable()));
  auto handler = bus.subscribe<CardCharged>("handler", fails());
  EXPECT_TRUE(bus.wait_idle(kLong));
  const auto letters = journal_->letters();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(decrypted(letters.front()), R"({"number":"4111 1111 1111 1111"})");
}

TEST_F(AtRestTest, WithoutTheKeyADurablePublishIsRefusedAndDeliversNothing) {
  Bus bus(durable());
  int calls = 0;
  auto handler = bus.subscribe<CardCharged>("handler", [&](const CardCharged&) { ++calls; });
  EXPECT_EQ(error_code_of([&] { bus.publish(CardCharged{kNumber}); }), ErrorCode::NotEncodable);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(AtRestTest, WhereAKeyIsMissingTheVariableAndItsFileAreNamed) {
  Bus bus(durable());
  auto handler = bus.subscribe<CardCharged>("handler", [](const CardCharged&) {});
  const auto refusal = [&]() -> std::string {
    try {
      bus.publish(CardCharged{kNumber});
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  };
  ::unsetenv("TIDINGS_KEY_FILE");
  EXPECT_THAT(refusal(), HasSubstr("the file that TIDINGS_KEY_FILE names (it is not set)"));
  ::setenv("TIDINGS_KEY_FILE", "/etc/shop/keys", 1);
  EXPECT_THAT(refusal(), HasSubstr("TIDINGS_KEY_FILE names (now /etc/shop/keys)"));
  ::unsetenv("TIDINGS_KEY_FILE");
}

TEST_F(AtRestTest, WithoutTheKeySubscribingIsLogged) {
  Bus bus(options());
  auto handler = bus.subscribe<CardCharged>("handler", [](const CardCharged&) {});
  EXPECT_THAT(capture_.only("payload_key_missing").at("advice").get<std::string>(),
              AllOf(HasSubstr("StoreOptions::encryption"), HasSubstr("TIDINGS_KEY_FILE")));
  auto other = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  EXPECT_EQ(capture_.count("payload_key_missing"), 1U);
}

TEST_F(AtRestTest, WithoutTheKeyALetterHasNoPayloadAndSaysWhy) {
  Bus bus(options());
  auto handler = bus.subscribe<CardCharged>("handler", fails());
  bus.publish(CardCharged{kNumber});
  EXPECT_EQ(only_letter().data.encoding, DataEncoding::None);
  EXPECT_EQ(only_letter().data.problem, kUnkeptWithoutKey);
}

TEST_F(AtRestTest, WithoutTheKeyWhatTheJournalHasStaysOwedAndRunsWithTheKey) {
  leave_owed_event(CardCharged{kNumber});
  std::string seen;
  const auto takes = [&](const CardCharged& card) { seen = card.number; };
  {
    Bus bus(durable());
    auto handler = bus.subscribe<CardCharged>("handler", takes);
    EXPECT_TRUE(bus.wait_idle(kLong));
    const auto snapshot = bus.snapshot();
    EXPECT_EQ(snapshot.owed_to_nobody, 1U);
    EXPECT_EQ(snapshot.handlers.at(0).owed, 0U);
    const auto report = bus.stop(kLong);
    EXPECT_EQ(report.owed_to_nobody, 1U);
    EXPECT_EQ(report.left_in_journal, 0U);
  }
  EXPECT_EQ(seen, "");
  EXPECT_THAT(journal_->letters(), IsEmpty());
  EXPECT_EQ(capture_.count("payload_key_missing"), 1U);
  Bus bus(with_key(durable()));
  auto handler = bus.subscribe<CardCharged>("handler", takes);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(seen, kNumber);
}

TEST_F(AtRestTest, WithoutTheKeyAHandlerOfJsonWhoseTypeIsNotKnownToBeEncryptedHasALetter) {
  leave_owed_event(CardCharged{kNumber});
  Bus bus(durable());
  auto handler = bus.subscribe("shop.card_charged", "handler", [](const Json&) {});
  EXPECT_TRUE(bus.wait_idle(kLong));
  const auto letters = journal_->letters();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters.front().reason, Reason::Undecodable);
  EXPECT_THAT(letters.front().error_message,
              AllOf(HasSubstr("encrypted (key k1), and there is no key"), HasSubstr("TIDINGS_KEY_FILE")));
  EXPECT_EQ(decrypted(letters.front()), R"({"number":"4111 1111 1111 1111"})");
}

TEST_F(AtRestTest, AnEncryptedLetterIsRedelivered) {
  std::string seen;
  bool broken = true;
  Bus bus(with_key(options()));
  auto handler = bus.subscribe<CardCharged>("handler", [&](const CardCharged& card) {
    if (broken) throw Permanent("no");
    seen = card.number;
  });
  bus.publish(CardCharged{kNumber});
  broken = false;
  static_cast<void>(bus.redrive({}, {}));
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(seen, kNumber);
}

TEST_F(AtRestTest, WhatAStructSaysHoldsForJsonOfItsType) {
  Bus bus(with_key(options()));
  auto handler = bus.subscribe<CardCharged>("handler", fails());
  bus.publish("shop.card_charged", Json{{"number", kNumber}});
  EXPECT_EQ(decrypted(only_letter()), R"({"number":"4111 1111 1111 1111"})");
}

TEST_F(AtRestTest, ATypeKnownAsJsonAloneCanBeNamed) {
  Bus bus(with_key(options()));
  auto handler = bus.subscribe("shop.parcel", "handler", fails());
  bus.publish("shop.parcel", Json{{"to", "Eve"}});
  EXPECT_EQ(decrypted(only_letter()), R"({"to":"Eve"})");
}

struct Unkept {
  static constexpr std::string_view event_type = "shop.unkept_note";
  static constexpr bool store_payload = false;
  std::string word{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Unkept, word)
};

TEST_F(AtRestTest, JsonOfATypeThatOptsOutIsNotStoredEither) {
  Bus bus(options());
  auto handler = bus.subscribe<Unkept>("handler", fails());
  bus.publish("shop.unkept_note", Json{{"word", "hunter2"}});
  EXPECT_EQ(only_letter().data.encoding, DataEncoding::None);
}

TEST_F(AtRestTest, FieldsOfALetterAreMaskedAndHashed) {
  Bus bus(with_key(options()));
  auto handler = bus.subscribe<CustomerMoved>("handler", fails());
  bus.publish(CustomerMoved{"Eve", "Elm Street", "Springwood"});
  const EncodedData data = only_letter().data;
  EXPECT_EQ(data.encoding, DataEncoding::Masked);
  EXPECT_EQ(data.problem, "masked: /street, /not/there; hashed: /customer");
  const Json payload = decode_data(data.bytes, data.encoding);
  EXPECT_EQ(payload.at("street"), "[masked]");
  EXPECT_EQ(payload.at("city"), "Springwood");
  EXPECT_EQ(payload.at("customer"), XorCipher().fingerprint("\"Eve\""));
  EXPECT_FALSE(payload.contains("not"));
}

TEST_F(AtRestTest, WithoutAKeyWhatIsToBeHashedIsMasked) {
  Bus bus(options());
  auto handler = bus.subscribe<CustomerMoved>("handler", fails());
  bus.publish(CustomerMoved{"Eve", "Elm Street", "Springwood"});
  EXPECT_THAT(only_letter().data.bytes, Not(HasSubstr("Eve")));
  EXPECT_THAT(only_letter().data.problem, HasSubstr("masked for want of a key: /customer"));
}

TEST_F(AtRestTest, AMaskedLetterIsNotDeliveredAndKeepsItsCause) {
  int calls = 0;
  Bus bus(with_key(options()));
  auto handler = bus.subscribe<CustomerMoved>("handler", [&](const CustomerMoved&) {
    ++calls;
    throw Permanent("no");
  });
  bus.publish(CustomerMoved{"Eve", "Elm Street", "Springwood"});
  EXPECT_EQ(bus.redrive({}, {}).letters, 0U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(only_letter().error_message, "no");
}

TEST_F(AtRestTest, MaskingIsForLettersAndEncryptionForTheJournal) {
  leave_owed_event(SealedMove{{"Eve", "Elm Street", "Springwood"}});
  EXPECT_EQ(owed().data.encoding, DataEncoding::Encrypted);
  Bus bus(with_key(durable()));
  auto handler = bus.subscribe<SealedMove>("handler", [](const SealedMove& move) {
    throw Permanent(move.street == "Elm Street" ? "all there" : "masked");
  });
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_EQ(journal_->letters().size(), 1U);
  EXPECT_EQ(journal_->letters().front().error_message, "all there");
  EXPECT_EQ(journal_->letters().front().data.encoding, DataEncoding::Masked);
  EXPECT_THAT(journal_->letters().front().data.bytes, Not(HasSubstr("Elm")));
}

// Another struct of the type's name, as a second team has it, and a name that the options encrypt.
struct MovedElsewhere {
  static constexpr std::string_view event_type = "shop.customer_moved";
  static constexpr std::array<std::string_view, 2> masked_fields = {"/city", "/items/99999999999999999999"};
  std::string city{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(MovedElsewhere, city)
};

TEST_F(AtRestTest, WhatTwoStructsOfATypeAskForHoldsTogether) {
  Bus bus(with_key(options()));
  auto first = bus.subscribe<CustomerMoved>("first", [](const CustomerMoved&) {});
  auto second = bus.subscribe<MovedElsewhere>("second", fails());
  bus.publish("shop.customer_moved", Json{{"customer", "Eve"}, {"street", "Elm"}, {"city", "Springwood"}});
  EXPECT_EQ(only_letter().data.problem,
            "masked: /street, /not/there, /city, /items/99999999999999999999; hashed: /customer");
  const Json payload = decode_data(only_letter().data.bytes, only_letter().data.encoding);
  EXPECT_EQ(payload.at("street"), "[masked]");
  EXPECT_EQ(payload.at("city"), "[masked]");
  EXPECT_EQ(payload.at("customer"), XorCipher().fingerprint("\"Eve\""));
}

TEST_F(AtRestTest, APlaceThatNoArrayHasMasksNothingAndLosesNothing) {
  Bus bus(with_key(options()));
  auto handler = bus.subscribe<MovedElsewhere>("handler", fails());
  bus.publish("shop.customer_moved", Json{{"items", {1, 2}}, {"city", "Springwood"}});
  EXPECT_EQ(only_letter().data.bytes, R"({"city":"[masked]","items":[1,2]})");
}

struct MaskedParcel {
  static constexpr std::string_view event_type = "shop.parcel";
  static constexpr std::array<std::string_view, 1> masked_fields = {"/to"};
  std::string to{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(MaskedParcel, to)
};

TEST_F(AtRestTest, ANamedTypeIsEncryptedInTheJournalThoughItsStructOnlyMasks) {
  leave_owed_event(MaskedParcel{"Eve"});
  EXPECT_EQ(owed().data.encoding, DataEncoding::Encrypted);
}

TEST_F(AtRestTest, ALetterOfARecoveredEventIsUnderTheFirstKey) {
  leave_owed_event(CardCharged{kNumber});
  journal_->encryption_used.cipher = std::make_shared<XorCipher>("k2", "k1");
  Bus bus(durable());
  auto handler = bus.subscribe<CardCharged>("handler", fails());
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_EQ(journal_->letters().size(), 1U);
  EXPECT_EQ(describe_encrypted(journal_->letters().front().data), "encrypted (key k2)");
}

struct Parcel {
  static constexpr std::string_view event_type = "shop.late_parcel";
  std::string to{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Parcel, to)
};

TEST_F(AtRestTest, ALetterOfWhatTheJournalHasInTheClearIsEncrypted) {
  leave_owed_event(Parcel{"Eve"});
  EXPECT_EQ(owed().data.encoding, DataEncoding::Json);
  journal_->encryption_used = {std::make_shared<XorCipher>(), {"shop.late_parcel"}};
  Bus bus(durable());
  auto handler = bus.subscribe<Parcel>("handler", fails());
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_EQ(journal_->letters().size(), 1U);
  EXPECT_EQ(decrypted(journal_->letters().front()), R"({"to":"Eve"})");
}

TEST_F(AtRestTest, WhatIsNoTextIsHashedToo) {
  Bus bus(with_key(options()));
  auto handler = bus.subscribe<CustomerMoved>("handler", fails());
  bus.publish(CustomerMoved{"\xFF", "Elm Street", "\xFF"});
  const Json payload = decode_data(only_letter().data.bytes, only_letter().data.encoding);
  EXPECT_EQ(payload.at("customer"), XorCipher().fingerprint(R"("\ufffd")"));
}

/// A cipher that asks somebody else, who fails.
class FailingCipher final : public PayloadCipher {
 public:
  explicit FailingCipher(bool with_text) : with_text_(with_text) {}
  [[nodiscard]] EncodedData encrypt(const EncodedData&, const PayloadOwner&) const override { fail(); }
  [[nodiscard]] EncodedData decrypt(std::string_view, const PayloadOwner&) const override { fail(); }
  [[nodiscard]] std::string_view writing_key() const noexcept override { return "k2"; }
  [[nodiscard]] std::string fingerprint(std::string_view) const override { fail(); }

 private:
  [[noreturn]] void fail() const {
    if (with_text_) throw std::runtime_error("the key service is away");
    throw 42;
  }
  const bool with_text_;
};

TEST_F(AtRestTest, WhatCannotBeMaskedWithoutTheKeyStaysEncrypted) {
  leave_owed_event(SealedMove{{"Eve", "Elm Street", "Springwood"}});
  journal_->encryption_used = {std::make_shared<FailingCipher>(true), {}};
  Bus bus(durable());
  auto handler = bus.subscribe<SealedMove>("handler", [](const SealedMove&) {});
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_EQ(journal_->letters().size(), 1U);
  EXPECT_EQ(journal_->letters().front().data.encoding, DataEncoding::Encrypted);
  EXPECT_THAT(decrypted(journal_->letters().front()), HasSubstr("Elm Street"));
}

TEST_F(AtRestTest, WhatACipherThrowsCostsThePayloadAndNothingElse) {
  for (const bool with_text : {true, false}) {
    auto letters =
        std::make_shared<MemoryLetterSink>(PayloadEncryption{std::make_shared<FailingCipher>(with_text), {}});
    BusOptions failing = options();
    failing.store = letters;
    Bus bus(failing);
    auto encrypted = bus.subscribe<CardCharged>("encrypted", fails());
    auto masked = bus.subscribe<CustomerMoved>("masked", fails());
    EXPECT_EQ(bus.publish(CardCharged{kNumber}).dead, 1U);
    EXPECT_EQ(bus.publish(CustomerMoved{"Eve", "Elm Street", "Springwood"}).dead, 1U);
    ASSERT_EQ(letters->letters().size(), 2U);
    for (const DeadLetter& letter : letters->letters()) {
      EXPECT_EQ(letter.data.encoding, DataEncoding::None);
      EXPECT_THAT(letter.data.problem,
                  HasSubstr(with_text ? "the key service is away" : "no std::exception"));
    }
  }
}

TEST_F(AtRestTest, AStoredPayloadThatACipherFailsOnStaysAsItWas) {
  for (const bool with_text : {true, false}) {
    leave_owed_event(CardCharged{kNumber});
    journal_->encryption_used.cipher = std::make_shared<FailingCipher>(with_text);
    Bus bus(durable());
    auto handler = bus.subscribe<CardCharged>("handler", [](const CardCharged&) {});
    EXPECT_TRUE(bus.wait_idle(kLong));
    ASSERT_EQ(journal_->letters().size(), 1U);
    EXPECT_EQ(decrypted(journal_->letters().front()), R"({"number":"4111 1111 1111 1111"})");
    journal_ = std::make_shared<MemoryJournal>();
  }
}

TEST_F(AtRestTest, OfADamagedPayloadThatCannotBeMaskedNothingIsKept) {
  PayloadEncryption encryption;
  const detail::PayloadKeeper keeper(encryption);
  const CustomerMoved moved;
  const detail::Payload payload{&moved, &detail::kPayloadType<CustomerMoved>, CustomerMoved::event_type, 1};
  const EncodedData damaged{R"({"street":"Elm Street","customer)", DataEncoding::Json, ""};
  const EncodedData kept = keeper.for_letter(damaged, payload, *EventId::parse(kSomeId));
  EXPECT_EQ(kept.encoding, DataEncoding::Masked);
  EXPECT_EQ(kept.bytes, R"("[masked]")");
  EXPECT_EQ(kept.problem, "masked: all of it, as it cannot be read");
}

TEST_F(AtRestTest, ATypeWithoutRulesIsStoredAsItWas) {
  Bus bus(with_key(options()));
  auto handler = bus.subscribe<OrderPlaced>("handler", fails());
  bus.publish(OrderPlaced{7});
  EXPECT_EQ(only_letter().data.encoding, DataEncoding::Json);
}

}  // namespace
}  // namespace tidings::test
