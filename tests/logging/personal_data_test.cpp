#include <tidings/logging/capture.hpp>
#include <tidings/logging/redactor.hpp>

#include "logging/corpus.hpp"
#include "redaction/national_id.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tidings::logging {
namespace {

const Redactor& personal() {
  static const Redactor redactor({.profile = RedactionProfile::PersonalData});
  return redactor;
}

TEST(PersonalDataTest, IsKeptUnlessItsProfileIsChosen) {
  for (const char* text :
       {"bob@example.com", "203.0.113.7", "+49 170 1234567", "12345678Z", "email=bob@x.org"})
    EXPECT_EQ(default_redactor()->redact_text(text), text);
}

TEST(PersonalDataTest, IsMaskedWhereItStands) {
  EXPECT_EQ(personal().redact_text("bob+x@mail.example.com, ann@example.org."), "[redacted], [redacted].");
  EXPECT_EQ(personal().redact_text("https://bob@example.com:8080/"), "https://[redacted]:8080/");
  EXPECT_EQ(personal().redact_text("203.0.113.7:443 -> 198.51.100.1"), "[redacted]:443 -> [redacted]");
  EXPECT_EQ(personal().redact_text("[2001:db8::7]:443"), "[[redacted]]:443");
  EXPECT_EQ(personal().redact_text("tel:+1-202-555-0143;x"), "tel:[redacted];x");
  EXPECT_EQ(personal().redact_text("202-555-0143"), "[redacted]");
  EXPECT_EQ(personal().redact_text("nie X1234567L, dni 12345678Z"), "nie [redacted], dni [redacted]");
}

TEST(PersonalDataTest, WhatOnlyLooksAlikeStays) {
  for (const char* text : {"git@github.com:o/r",
                           "icon@2x.png",
                           "getty@tty1.service",
                           "a@b",
                           "@types/node",
                           "version 1.2.3.4",
                           "v1.2.3.4",
                           "1.2.3.4.5",
                           "256.1.1.1",
                           "127.0.0.1:80",
                           "0.0.0.0",
                           "09:30:00",
                           "00:1b:44:11:3a:b7",
                           "::1",
                           "std::dec",
                           "+0200",
                           "2026-11-21T09:30:00+01:00",
                           "12345678A",
                           "86095742718",
                           "123-45-678",
                           "000-12-3456",
                           "GB123456C",
                           "DE00370400440532013000",
                           "0195f3c2-7b1e-7cc3-98c4-dc0c0c07398f",
                           "1767225600000"}) {
    EXPECT_EQ(personal().redact_text(text), text);
  }
}

TEST(PersonalDataTest, IsMaskedByKeyInRecordsToo) {
  const Capture capture;
  const auto redactor =
      std::make_shared<const Redactor>(RedactorOptions{.profile = RedactionProfile::PersonalData});
  capture.logger({.redactor = redactor})
      .info("e", {{"client_ip", "::1"}, {"smartphone", "x"}, {"to", "a@b.org"}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("client_ip"), "[redacted]");
  EXPECT_EQ(record.at("smartphone"), "x");
  EXPECT_EQ(record.at("to"), "[redacted]");
}

TEST(PersonalDataTest, ItsProfileMasksSecretsAsWell) {
  for (const auto& [secret, line] : secret_lines()) {
    const std::string redacted = personal().redact_text(line);
    EXPECT_EQ(redacted.find(secret), std::string::npos) << redacted;
  }
}

TEST(NationalIdTest, NumbersWithTheirCheckDigitsAreKnown) {
  EXPECT_TRUE(is_us_ssn("078-05-1120"));
  EXPECT_TRUE(is_uk_nino("AB123456C"));
  EXPECT_TRUE(is_german_tax_id("86095742719"));
  EXPECT_TRUE(is_french_nir("255081416802538"));
  EXPECT_TRUE(is_polish_pesel("44051401359"));
  EXPECT_TRUE(is_spanish_id("12345678Z") && is_spanish_id("X1234567L"));
  EXPECT_TRUE(is_iban("GB82WEST12345698765432"));
}

TEST(NationalIdTest, NumbersWithOtherDigitsAreNot) {
  EXPECT_FALSE(is_us_ssn("666-05-1120") || is_us_ssn("078-00-1120") || is_us_ssn("078-05-0000"));
  EXPECT_FALSE(is_uk_nino("QQ123456C") || is_uk_nino("AB123456E") || is_uk_nino("TN123456A"));
  EXPECT_FALSE(is_german_tax_id("86095742718") || is_german_tax_id("12345678903") || is_german_tax_id("1"));
  EXPECT_FALSE(is_french_nir("255081416802539") || is_french_nir("255131416802538"));
  EXPECT_FALSE(is_polish_pesel("44051401358") || is_polish_pesel("44131401359"));
  EXPECT_FALSE(is_spanish_id("12345678A") || is_spanish_id("A1234567L"));
  EXPECT_FALSE(is_iban("GB82WEST12345698765433") || is_iban("gb82WEST12345698765432") || is_iban("GB82"));
}

}  // namespace
}  // namespace tidings::logging
