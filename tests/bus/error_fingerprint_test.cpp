#include <tidings/dead_letter.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace tidings {
namespace {

std::string of(std::string_view message) {
  return error_fingerprint("handler", "std::runtime_error", message);
}

void expect_one_cause(const std::vector<std::string>& messages) {
  for (const std::string& message : messages) EXPECT_EQ(of(message), of(messages[0])) << message;
}

void expect_different_causes(const std::vector<std::string>& messages) {
  std::set<std::string> fingerprints;
  for (const std::string& message : messages) fingerprints.insert(of(message));
  EXPECT_EQ(fingerprints.size(), messages.size());
}

// These values are in databases: a change of the rule is a change of the schema.
TEST(ErrorFingerprint, NeverChanges) {
  EXPECT_EQ(error_fingerprint("", "", ""), "8f3e7418d31fe7b4");
  EXPECT_EQ(error_fingerprint("send_receipt", "std::runtime_error", "connection refused"),
            "466c4d6c66095035");
  EXPECT_EQ(
      error_fingerprint("charge_card", "PaymentError", "card 'visa' of user ann@example.com: code 4711"),
      "d603831592271277");
}

TEST(ErrorFingerprint, IsSixteenHexDigits) {
  EXPECT_EQ(of("x").size(), 16U);
  EXPECT_EQ(of("x").find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(ErrorFingerprint, TellsHandlersTypesAndMessagesApart) {
  EXPECT_NE(error_fingerprint("a", "t", "m"), error_fingerprint("b", "t", "m"));
  EXPECT_NE(error_fingerprint("a", "t", "m"), error_fingerprint("a", "u", "m"));
  EXPECT_NE(error_fingerprint("a", "t", "m"), error_fingerprint("a", "t", "n"));
  EXPECT_NE(error_fingerprint("ab", "c", "m"), error_fingerprint("a", "bc", "m"));
  EXPECT_NE(error_fingerprint("a", "", "m"), error_fingerprint("", "a", "m"));
}

TEST(ErrorFingerprint, DigitsInHandlerAndTypeCount) {
  EXPECT_NE(error_fingerprint("worker1", "t", "m"), error_fingerprint("worker2", "t", "m"));
  EXPECT_NE(error_fingerprint("a", "E1", "m"), error_fingerprint("a", "E2", "m"));
}

TEST(ErrorFingerprint, NumbersDoNotCount) {
  expect_one_cause({"order 1 failed", "order 42 failed", "order 9999999999 failed", "order -3 failed",
                    "order +3 failed", "order 3.14 failed", "order 1,000,000 failed"});
  expect_one_cause({"at 10:30", "at 9:05:01"});
  expect_one_cause({"HTTP500", "HTTP404"});
  expect_one_cause({"/tmp/file1.txt", "/tmp/file27.txt"});
  expect_one_cause({"10.0.0.1:8080 refused", "192.168.1.20:80 refused"});
  expect_one_cause({"on 2026-11-21", "on 2027-01-02"});
}

TEST(ErrorFingerprint, UuidsDoNotCount) {
  expect_one_cause({"event 017f22e2-79b0-7cc3-98c4-dc0c0c07398f lost",
                    "event abcdefab-cdef-abcd-efab-cdefabcdefab lost",
                    "event FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF lost"});
}

TEST(ErrorFingerprint, AddressesAndLongHexDoNotCount) {
  expect_one_cause({"object at 0x7ffe4c0a", "object at 0x1", "object at 0XDEADBEEF"});
  expect_one_cause(
      {"commit 0af7651916cd43dd8448eb211c80319c", "commit 12345678", "commit deadbeefdeadbeefdeadbeef"});
}

TEST(ErrorFingerprint, RandomIdsDoNotCount) {
  expect_one_cause({"customer cus_NffrFe9fNV2Hib", "customer cus_9s6XKzkNRiz8i3"});
  expect_one_cause({"order 01ARZ3NDEKTSV4RRFFQ69G5FAV", "order 01BX5ZZKBKACTAV9WEVGEMMVRZ"});
}

TEST(ErrorFingerprint, QuotedTextDoesNotCount) {
  expect_one_cause(
      {"no field 'name'", "no field \"other field\"", "no field `x`", "no field ''", "no field 'O'Brien'"});
}

TEST(ErrorFingerprint, MailAddressesDoNotCount) {
  expect_one_cause({"mail to ann@example.com bounced", "mail to bob.b+tag@mail.example.org bounced"});
  expect_one_cause({"bounced: ann@example.com.", "bounced: bob@example.org."});
}

TEST(ErrorFingerprint, SpacingDoesNotCount) { expect_one_cause({"a b", " a  b ", "a\n\tb", "a\r\nb\n"}); }

TEST(ErrorFingerprint, AnApostropheIsNotAQuote) {
  expect_different_causes({"can't open it", "can't close it", "the users' file can't be read",
                           "the users' file can't be written"});
  expect_one_cause({"can't open 'a'", "can't open 'b c'"});
}

TEST(ErrorFingerprint, WordsCount) {
  expect_different_causes({"", "connection refused", "connection reset", "deadbeef", "defaced", "a-b", "a b",
                           "facade", "x#y", "InternalServerError500", "InternalClientError500", "user@",
                           "\"unclosed one", "\"unclosed two", "caf\xC3\xA9", "caf\xC3\xA8"});
}

TEST(ErrorFingerprint, TakesAnyBytesInLinearTime) {
  for (const std::string& unit :
       {std::string("'a"), std::string(" 'a"), std::string("\""), std::string("`x 1"), std::string("a@"),
        std::string("a."), std::string("\xFF\0", 2), std::string("1."), std::string("a-"),
        std::string("'a'a ")}) {
    std::string message;
    while (message.size() < (1U << 18U)) message += unit;
    EXPECT_EQ(of(message).size(), 16U);
  }
}

}  // namespace
}  // namespace tidings
