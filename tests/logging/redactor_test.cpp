#include <tidings/logging/redactor.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>

namespace tidings::logging {
namespace {

TEST(RedactorTest, EveryDefaultKeyIsDenied) {
  for (const std::string& key : default_redacted_keys()) EXPECT_TRUE(default_redactor()->denies(key)) << key;
}

TEST(RedactorTest, KeysAreDeniedWhateverTheirCaseAndSeparators) {
  for (const char* key :
       {"PASSWORD", "Api-Key", "apiKey", "API KEY", "x-api-key", "user_password", "userPassword",
        "db.password", "password2", "password_1", "Set-Cookie", "Proxy-Authorization", "card_cvv", "cardCVV",
        "aws_secret_access_key", "refreshToken"}) {
    EXPECT_TRUE(default_redactor()->denies(key)) << key;
  }
}

TEST(RedactorTest, InnocentKeysAreNotDenied) {
  for (const char* key : {"", "_", "1", "name", "passenger", "password_changed_at", "tokens_used", "session",
                          "classn", "foocvv", "cookie_banner_shown", "secretary", "order_id", "keyboard"}) {
    EXPECT_FALSE(default_redactor()->denies(key)) << key;
  }
}

TEST(RedactorTest, KeysAreDeniedAtAnyDepth) {
  const Json input = {{"user", {{"name", "Ada"}, {"logins", {{{"password", "x"}, {"at", 1}}}}}}};
  const Json expected = {{"user", {{"name", "Ada"}, {"logins", {{{"password", "[redacted]"}, {"at", 1}}}}}}};
  EXPECT_EQ(default_redactor()->redact(input), expected);
}

TEST(RedactorTest, WhateverADeniedKeyHoldsIsMasked) {
  const Json input = {{"secret", {{"deep", 1}}}, {"token", 12345}, {"cookie", ""}};
  const Json expected = {{"secret", "[redacted]"}, {"token", "[redacted]"}, {"cookie", "[redacted]"}};
  EXPECT_EQ(default_redactor()->redact(input), expected);
}

TEST(RedactorTest, WhatHidesNothingStaysUnderADeniedKey) {
  const Json input = {{"cookie", nullptr}, {"uses_password", true}, {"token", false}};
  EXPECT_EQ(default_redactor()->redact(input), input);
}

TEST(RedactorTest, AValueBesideADeniedNameIsMasked) {
  const Json input = {{{"name", "password"}, {"value", "x"}},
                      {{"Key", "X-Api-Key"}, {"Content", 7}},
                      {{"name", "user"}, {"value", "bob"}},
                      {{"name", 3}, {"value", "bob"}}};
  Json expected = input;
  expected[0]["value"] = expected[1]["Content"] = "[redacted]";
  EXPECT_EQ(default_redactor()->redact(input), expected);
}

// Takes minutes if each member looks at all others.
TEST(RedactorTest, AnObjectOfManyValuesTakesLinearTime) {
  Json object = Json::object();
  for (std::size_t member = 0; member < 400'000; ++member) object["m" + std::to_string(member)] = 1;
  for (unsigned upper = 0; upper < 2048; ++upper) {
    std::string spelled = "string_value";
    unsigned bit = 1;
    for (char& c : spelled) {
      if (c == '_') continue;
      if ((upper & bit) != 0) c = static_cast<char>(c - 'a' + 'A');
      bit *= 2;
    }
    object[spelled] = "x";
  }
  object["name"] = "password";
  const auto start = std::chrono::steady_clock::now();
  const Json redacted = default_redactor()->redact(std::move(object));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  EXPECT_EQ(redacted["STRING_VALUE"], "[redacted]");
  EXPECT_EQ(redacted["m399999"], 1);
}

TEST(RedactorTest, NumbersOfCardsAreMaskedAsNumbers) {
  const Json input = {
      {"a", 4111111111111111}, {"b", {378282246310005U, 4111111111111111.0}}, {"c", -4111111111111111}};
  const Json expected = {{"a", "[redacted]"}, {"b", {"[redacted]", "[redacted]"}}, {"c", "[redacted]"}};
  EXPECT_EQ(default_redactor()->redact(input), expected);
  EXPECT_EQ(default_redactor()->redact(4111111111111111), "[redacted]");
}

TEST(RedactorTest, OtherNumbersStay) {
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  const Json input = {4111111111111112,       // a wrong check digit
                      1767225600000,          // ms, us, ns
                      1767225600000000,       //
                      1767225600000000000,    //
                      1806512345678901248,    // a snowflake id
                      86095742719,            // a German tax id, which is personal data
                      4111111111111111.5,     // has no digits of its own
                      1e19,                   //
                      kLeast,                 //
                      18446744073709551615U,  //
                      std::numeric_limits<double>::infinity()};
  EXPECT_EQ(default_redactor()->redact(input), input);
}

TEST(RedactorTest, NationalNumbersAreMaskedAsNumbersIfPersonalDataIs) {
  const Redactor personal({.profile = RedactionProfile::PersonalData});
  for (const Json& number : {Json(86095742719), Json(255081416802538), Json(44051401359)}) {
    EXPECT_EQ(personal.redact(number), "[redacted]") << number;
    EXPECT_EQ(default_redactor()->redact(number), number);
  }
  EXPECT_EQ(personal.redact(86095742718), 86095742718);
}

TEST(RedactorTest, RemovalTakesTheKeyToo) {
  const Redactor redactor({.paths = {"/cards/0"}, .action = Redaction::Remove});
  const Json input = {{"a", 1}, {"token", "x"}, {"cards", {"first", "second"}}};
  EXPECT_EQ(redactor.redact(input), (Json{{"a", 1}, {"cards", {"second"}}}));
}

TEST(RedactorTest, PathsMayHoldWildcards) {
  const Redactor redactor({.paths = {"/customers/*/email", "/a~1b/m~0n"}});
  const Json input = {
      {"customers", {{{"email", "x"}, {"id", 1}}, {{"id", 2}}}}, {"a/b", {{"m~n", 3}}}, {"email", "kept"}};
  const Json redacted = redactor.redact(input);
  EXPECT_EQ(redacted.at("customers"), (Json{{{"email", "[redacted]"}, {"id", 1}}, {{"id", 2}}}));
  EXPECT_EQ(redacted.at("a/b").at("m~n"), "[redacted]");
  EXPECT_EQ(redacted.at("email"), "kept");
}

TEST(RedactorTest, AWildcardAtTheEndTakesAllChildren) {
  const Json input = {{"list", {1, 2}}, {"map", {{"x", 1}}}};
  const Redactor masking({.paths = {"/list/*", "/map/*"}});
  EXPECT_EQ(masking.redact(input),
            (Json{{"list", {"[redacted]", "[redacted]"}}, {"map", {{"x", "[redacted]"}}}}));
  const Redactor removing({.paths = {"/list/*", "/map/*"}, .action = Redaction::Remove});
  EXPECT_EQ(removing.redact(input), (Json{{"list", Json::array()}, {"map", Json::object()}}));
}

TEST(RedactorTest, PathsThatLeadNowhereChangeNothing) {
  const Redactor redactor({.paths = {"/a/b/c", "/list/7", "/list/x", "/scalar/x"}});
  const Json input = {{"a", 1}, {"list", {1}}, {"scalar", "s"}};
  EXPECT_EQ(redactor.redact(input), input);
  EXPECT_EQ(redactor.redact("just text"), "just text");
}

TEST(RedactorTest, KeysOfOnesOwnAreAddedToTheDefaults) {
  RedactorOptions options;
  options.keys.emplace_back("Tax-Number");
  options.keys.emplace_back("level4");
  const Redactor redactor(options);
  EXPECT_TRUE(redactor.denies("customer_tax_number"));
  EXPECT_TRUE(redactor.denies("level4"));
  EXPECT_TRUE(redactor.denies("password"));
  EXPECT_FALSE(redactor.denies("level"));
}

TEST(RedactorTest, MeaninglessOptionsAreRefused) {
  const auto with_keys = [](std::string key) { return RedactorOptions{.keys = {std::move(key)}}; };
  EXPECT_THROW(Redactor(with_keys("")), Error);
  EXPECT_THROW(Redactor(with_keys("-_-")), Error);
  EXPECT_THROW(Redactor(with_keys(std::string(65, 'x'))), Error);
  EXPECT_THROW(Redactor({.paths = {""}}), Error);
  EXPECT_THROW(Redactor({.paths = {"/"}}), Error);
  EXPECT_THROW(Redactor({.paths = {"customer/email"}}), Error);
}

TEST(RedactorTest, TheDefaultCanBeReplaced) {
  const auto before = default_redactor();
  RedactorOptions options;
  options.keys.emplace_back("tax_number");
  set_default_redactor(std::make_shared<const Redactor>(options));
  EXPECT_EQ(printable_error("tax_number=12\x1b password=x", 100),
            "tax_number=[redacted] password=[redacted]");
  set_default_redactor(before);
  EXPECT_EQ(default_redactor(), before);
  EXPECT_THROW(set_default_redactor(nullptr), Error);
}

TEST(RedactorTest, ValuesNestedTenThousandDeepAreRedacted) {
  Json value = {{"password", "x"}};
  for (int level = 0; level < 10'000; ++level) value = Json::array({std::move(value)});
  Json redacted = default_redactor()->redact(std::move(value));
  const Json* innermost = &redacted;
  while (innermost->is_array()) innermost = &innermost->front();
  EXPECT_EQ(innermost->at("password"), "[redacted]");
}

}  // namespace
}  // namespace tidings::logging
