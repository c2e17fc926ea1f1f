#include "contracts/xor_cipher.hpp"
#include "deadletter/operations_fixture.hpp"
#include "logging/record_schema.hpp"

#include <tidings/bus.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/process_identity.hpp>

#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

namespace tidings::deadletter {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// Changes whose audit is logged too.
class AuditTest : public OperationsTest {
 protected:
  ~AuditTest() override { test::expect_documented_records(capture_); }

  [[nodiscard]] Operations logged_operations() const {
    return Operations::open(database(), {"ann", "desk"}, {.logger = capture_.logger({.service = "tools"})});
  }
  [[nodiscard]] Json record() const { return capture_.only("letters_changed"); }
  /// Of the one edit.
  [[nodiscard]] Json changes() const {
    return Json::parse(query("SELECT changes FROM tidings_audit WHERE verb = 'edit'"));
  }
  [[nodiscard]] static DeadLetter letter_of(const Json& payload) {
    DeadLetter result = letter(4);
    result.data = encode_data(payload);
    return result;
  }

  const logging::Capture capture_;
};

TEST_F(AuditTest, ARowIsMirroredWithoutItsReason) {
  static_cast<void>(logged_operations().discard({.ids = {{1, 2}}}, "order of Ada Lovelace", {}));
  EXPECT_EQ(record().at("logger"), "tidings.audit");
  EXPECT_EQ(record().at("verb"), "discard");
  EXPECT_EQ(record().at("letters"), 2);
  EXPECT_EQ(record().at("filter"), (Json{{"ids", {1, 2}}, {"resolved", false}}));
  EXPECT_EQ(record().at("user"), "ann");
  EXPECT_EQ(record().at("actor_host"), "desk");
  EXPECT_THAT(capture_.lines().at(0), Not(HasSubstr("Ada")));
  EXPECT_EQ(query("SELECT id FROM tidings_audit"), record().at("audit_id").dump());
}

TEST_F(AuditTest, EachKindOfChangeIsMirrored) {
  auto operations = logged_operations();
  static_cast<void>(operations.redrive({.ids = {{1}}}, {}, {}));
  static_cast<void>(operations.discard({.ids = {{2}}}, "", {}));
  static_cast<void>(operations.undo({.ids = {{2}}}, {}));
  static_cast<void>(operations.edit(2, Json{{"order_id", 2}}));
  static_cast<void>(operations.purge({.resolved = true}, {}));
  static_cast<void>(operations.erase({.ids = {{3}}}, {}));
  operations.backup(database().parent_path() / "copy.db");
  std::string verbs;
  for (const Json& each : capture_.records()) verbs += each.at("verb").get<std::string>() + " ";
  EXPECT_EQ(verbs, "retry discard undo edit purge erase backup ");
  EXPECT_EQ(query("SELECT group_concat(verb, ' ') || ' ' FROM (SELECT verb FROM tidings_audit ORDER BY id)"),
            verbs);
}

TEST_F(AuditTest, AnEditSaysWhatItChangedAndTheRecordWhere) {
  static_cast<void>(
      store(*open(), {letter_of({{"order_id", 7}, {"password", "hunter2"}, {"items", {1, 2}}})}));
  static_cast<void>(logged_operations().edit(4, {{"order_id", 8}, {"password", "hunter3"}, {"items", {1}}}));
  EXPECT_EQ(changes(), (Json{{{"path", "/items/1"}, {"before", 2}},
                             {{"path", "/order_id"}, {"before", 7}, {"after", 8}},
                             {{"path", "/password"}, {"before", "[redacted]"}, {"after", "[redacted]"}}}));
  EXPECT_EQ(record().at("changed_paths"), (Json{"/items/1", "/order_id", "/password"}));
  EXPECT_THAT(capture_.lines().at(0), Not(HasSubstr("before")));
}

TEST_F(AuditTest, AnEditOfAnEncryptedPayloadTellsPlacesAlone) {
  const auto cipher = std::make_shared<contract::XorCipher>();
  DeadLetter encrypted = letter_of(nullptr);
  encrypted.data = cipher->encrypt({R"({"number":4111})", DataEncoding::Json, ""},
                                   {encrypted.event_type, encrypted.metadata.event_id});
  static_cast<void>(store(*open(), {encrypted}));
  auto with_key = Operations::open(database(), {"ann", "desk"}, {.cipher = cipher});
  static_cast<void>(with_key.edit(4, {{"number", 4242}}));
  EXPECT_EQ(changes(), Json::array({{{"path", "/number"}}}));
  EXPECT_THAT(all_bytes(), AllOf(Not(HasSubstr("4111")), Not(HasSubstr("4242"))));
}

TEST_F(AuditTest, EraseClearsWhatAnEditChanged) {
  static_cast<void>(store(*open(), {letter_of({{"name", "Ada Lovelace"}})}));
  auto operations = logged_operations();
  static_cast<void>(operations.edit(4, {{"name", "Ada King"}}));
  EXPECT_THAT(changes().dump(), HasSubstr("Ada King"));
  static_cast<void>(operations.erase({.ids = {{4}}}, {}));
  EXPECT_EQ(query("SELECT count(*) FROM tidings_audit WHERE changes IS NOT NULL"), "0");
  EXPECT_THAT(all_bytes(), AllOf(Not(HasSubstr("Ada King")), Not(HasSubstr("Ada Lovelace"))));
}

TEST_F(AuditTest, EraseClearsChangesWithAValueWhoseLettersAreGone) {
  static_cast<void>(store(*open(), {letter_of({{"name", "Ada Lovelace"}})}));
  auto operations = logged_operations();
  static_cast<void>(operations.edit(4, {{"name", "Ada King"}}));
  execute("DELETE FROM dead_letters WHERE id > 3");
  static_cast<void>(operations.erase({.where = {{"/name", R"("Ada King")"}}}, {}));
  EXPECT_EQ(query("SELECT count(*) FROM tidings_audit WHERE changes IS NOT NULL"), "0");
}

TEST_F(AuditTest, ARecordDoesNotSayWhereTidingsLoggedIt) {
  const auto log = capture_.logger({.source_from = logging::Level::Trace});
  static_cast<void>(
      Operations::open(database(), {"ann", "desk"}, {.logger = log}).discard({.ids = {{1}}}, "", {}));
  EXPECT_FALSE(record().contains("source_file"));
}

TEST_F(AuditTest, WhatIsCommittedBeforeAnErrorIsMirrored) {
  auto operations = logged_operations();
  const Watch failing{.progress = [](const Progress&) { throw std::runtime_error("the terminal is gone"); }};
  EXPECT_THROW(static_cast<void>(operations.discard({}, "", failing)), std::runtime_error);
  EXPECT_EQ(record().at("letters").dump(), query("SELECT letters FROM tidings_audit"));
}

TEST_F(AuditTest, WhatChangesNothingIsNot) {
  static_cast<void>(logged_operations().discard({.ids = {{77}}}, "", {}));
  EXPECT_EQ(capture_.records().size(), 0U);
}

TEST_F(AuditTest, ARedriveThatAServiceAsksForLeavesARowAndARecord) {
  Bus bus({.service = "orders", .store = open({}), .logger = capture_.logger()});
  const auto request = bus.redrive({.ids = {{1, 3}}}, {.requested_by = "admin page"});
  EXPECT_EQ(request.letters, 2U);
  EXPECT_EQ(audit(), R"(retry 2 {"ids":[1,3],"service":"orders","resolved":false} )");
  EXPECT_EQ(query("SELECT user || ' ' || host FROM tidings_audit"), "admin page " + process_identity().host);
  EXPECT_EQ(record().at("logger"), "tidings.audit");
  EXPECT_EQ(record().at("filter"), (Json{{"ids", {1, 3}}, {"service", "orders"}, {"resolved", false}}));
  EXPECT_EQ(record().at("user"), "admin page");
  EXPECT_EQ(record().at("redrive_id"), request.id);
}

TEST_F(AuditTest, ARedriveByFieldsOfTheContextKeepsTheirNamesOnly) {
  execute(R"(UPDATE dead_letters SET attributes = '{"tenant":"acme","user_id":42}' WHERE id IN (1, 3))");
  Bus bus({.service = "orders", .store = open({}), .logger = capture_.logger()});
  EXPECT_EQ(bus.redrive({.ids = {{1, 2}}, .fields = {{"tenant", "acme"}, {"user_id", "42"}}}).letters, 1U);
  EXPECT_EQ(query("SELECT id FROM dead_letters WHERE redrive_id IS NOT NULL"), "1");
  EXPECT_THAT(audit(), AllOf(HasSubstr("tenant"), Not(HasSubstr("acme"))));
}

TEST_F(AuditTest, ARedriveThatFindsNothingLeavesNeither) {
  Bus bus({.service = "orders", .store = open({}), .logger = capture_.logger()});
  EXPECT_EQ(bus.redrive({.ids = {{77}}}).letters, 0U);
  EXPECT_EQ(audit(), "");
  EXPECT_EQ(capture_.count("letters_changed"), 0U);
}

}  // namespace
}  // namespace tidings::deadletter
