#include <tidings/logging/redactor.hpp>

#include "redaction/card_number.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace tidings::logging {
namespace {

using Examples = std::vector<std::pair<std::string, std::string>>;

void expect_redacted(const Examples& examples) {
  for (const auto& [text, expected] : examples)
    EXPECT_EQ(default_redactor()->redact_text(text), expected) << text;
}

void expect_unchanged(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) EXPECT_EQ(default_redactor()->redact_text(text), text);
}

TEST(RedactTextTest, AssignmentsToDeniedKeysAreMasked) {
  expect_redacted({
      {"login failed: password=hunter2", "login failed: password=[redacted]"},
      {"password = hunter2, user = bob", "password = [redacted], user = bob"},
      {"?a=1&token=abc&b=2", "?a=1&token=[redacted]&b=2"},
      {"Server=x;Password=p@ss;Database=y", "Server=x;Password=[redacted];Database=y"},
      {"bad token: abc.def", "bad token: [redacted]"},
      {"client_secret => 'two words'", "client_secret => '[redacted]'"},
      {"(api-key:=k1)", "(api-key:=[redacted])"},
  });
}

TEST(RedactTextTest, JsonInTextIsMasked) {
  expect_redacted({
      {R"({"secret":"x","a":1})", R"({"secret":"[redacted]","a":1})"},
      {R"({"secret" : "a\"b", "c": 2})", R"({"secret" : "[redacted]", "c": 2})"},
      {R"({"cvv":123,"a":1})", R"({"cvv":[redacted],"a":1})"},
      {R"({"token":{"a":["x"]},"b":1})", R"({"token":[redacted],"b":1})"},
      {R"("{\"password\":\"x y\",\"a\":1}")", R"("{\"password\":\"[redacted]\",\"a\":1}")"},
      {R"({"password":"never closed, a=1)", R"({"password":"[redacted])"},
  });
}

TEST(RedactTextTest, CredentialHeadersAreMaskedToTheEndOfTheirLine) {
  expect_redacted({
      {"Authorization: Bearer abc.def\r\nHost: x", "Authorization: [redacted]\r\nHost: x"},
      {"authorization: Digest username=\"x\", realm=y\nnext", "authorization: [redacted]\nnext"},
      {"Set-Cookie: a=b; Path=/; Secure", "Set-Cookie: [redacted]"},
      {"{\"Authorization\": \"Basic dXNlcg==\", \"x\": 1}", "{\"Authorization\": \"[redacted]\", \"x\": 1}"},
  });
}

TEST(RedactTextTest, BearerAndBasicTokensAreMaskedWithoutTheirHeader) {
  expect_redacted({
      {"got 401 with Bearer eyJhbGciOi.J9 from x", "got 401 with Bearer [redacted] from x"},
      {"sent basic dXNlcjpwYXNz0=", "sent basic [redacted]"},
  });
  expect_unchanged({"Basic authentication failed", "the bearer is gone", "bearer of 1 ring"});
}

TEST(RedactTextTest, PasswordsInUrlsAreMasked) {
  expect_redacted({
      {"cannot reach https://user:pa@ss@host:8080/x", "cannot reach https://user:[redacted]@host:8080/x"},
      {"amqp://guest:guest@rabbit", "amqp://guest:[redacted]@rabbit"},
      {"redis://:pw@host", "redis://:[redacted]@host"},
  });
  expect_unchanged({"https://host:8080/a@b", "https://user@host/", "mail a@b.c", "://x:y@z", "http://"});
}

TEST(RedactTextTest, PrivateKeysAreMasked) {
  expect_redacted({{"x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- y",
                    "x -----BEGIN RSA PRIVATE KEY-----[redacted]-----END RSA PRIVATE KEY----- y"},
                   {"-----BEGIN PRIVATE KEY-----\nMIIE", "-----BEGIN PRIVATE KEY-----[redacted]"}});
  expect_unchanged({"-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----"});
}

TEST(RedactTextTest, CardNumbersAreMasked) {
  expect_redacted({
      {"card 4111111111111111 declined", "card [redacted] declined"},
      {"4111 1111 1111 1111", "[redacted]"},
      {"5500-0000-0000-0004.", "[redacted]."},
      {"amex 3782 822463 10005", "amex [redacted]"},
      {"on 2026-01-02 4111111111111111", "on 2026-01-02 [redacted]"},
      {"4111111111111111 12", "[redacted] 12"},
  });
}

TEST(RedactTextTest, OtherNumbersAreKept) {
  expect_unchanged({
      "4111111111111112",                  // fails the Luhn check
      "1111111111111117",                  // no issuer's range
      "41111111111111114111111111111111",  // too long
      "0.4111111111111111",                // a fraction
      "id_4111111111111111",
      "x4111111111111111",
      "4111111111111111x",
      "41-11111111-111111",                    // no card is grouped so
      "00000000-4111-1111-1111-111111111111",  // a UUID
      "1767225600000000",
      "555-0199",
  });
}

TEST(RedactTextTest, InnocentTextIsKept) {
  expect_unchanged({"", "plain", "a=b: c", "json::token::kind", "token:", "password=", "password: \n",
                    "password=\"\"", "no such key: name", "===", ":::", "\"", std::string("\0=\0", 3)});
}

TEST(RedactTextTest, RedactingTwiceChangesNothingMore) {
  for (const char* text :
       {"password=x token: y", R"({"secret":"x"})", "Authorization: Bearer abc", "a://u:p@h"}) {
    const std::string once = default_redactor()->redact_text(text);
    EXPECT_EQ(default_redactor()->redact_text(once), once);
  }
}

TEST(RedactTextTest, WhatIsDeniedCanBeChosen) {
  const Redactor redactor({.keys = {"pin code"}});
  EXPECT_EQ(redactor.redact_text("pin_code=1234 password=x"), "pin_code=[redacted] password=x");
}

// Each would take hours if any step looked back or ahead without bounds.
TEST(RedactTextTest, HostileMegabytesTakeLinearTime) {
  const auto start = std::chrono::steady_clock::now();
  for (const char* piece : {"=",
                            ":",
                            "://",
                            "a:",
                            "4",
                            "4 ",
                            "1111-",
                            "token=",
                            "token= ",
                            "token=[",
                            "token='\\",
                            "bearer ",
                            "-----BEGIN ",
                            "a://b:",
                            "\"",
                            "authorization",
                            " ",
                            "\\\"",
                            "password:\n",
                            "token=[redacted ",
                            "token='[redacted ",
                            "token=&quot;[redacted ",
                            "\"a\":\n",
                            "token is: "}) {
    std::string text;
    while (text.size() < 1'048'576) text += piece;
    EXPECT_FALSE(default_redactor()->redact_text(text).empty());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST(CardNumberTest, KnownTestNumbersAreCards) {
  for (const char* number : {"4111111111111111", "4222222222222", "5555555555554444", "2223003122003222",
                             "378282246310005", "30569309025904", "6011111111111117", "3530111333300000"}) {
    EXPECT_TRUE(is_card_number(number)) << number;
  }
}

}  // namespace
}  // namespace tidings::logging
