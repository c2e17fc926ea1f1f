#include <tidings/metadata.hpp>

#include <gtest/gtest.h>

#include "thrown_error.hpp"

namespace tidings {
namespace {

const std::string kLong = "a text too long for the small string buffer";

TEST(Text, ACopyOfABorrowedTextOwnsItsCharacters) {
  std::string publisher = kLong;
  const Text borrowed = Text::borrow(publisher);
  EXPECT_EQ(borrowed.view().data(), publisher.data());
  const Text copy = borrowed;  // NOLINT(performance-unnecessary-copy-initialization)
  publisher.assign(publisher.size(), '!');
  EXPECT_EQ(copy.view(), kLong);
}

TEST(Text, AMoveKeepsBorrowingOrOwning) {
  Text borrowed = Text::borrow(kLong);
  const Text moved = std::move(borrowed);
  EXPECT_EQ(moved.view().data(), kLong.data());
  Text small("ab");
  Text taken = std::move(small);
  EXPECT_EQ(taken.view(), "ab");
  taken = Text(kLong);
  EXPECT_EQ(taken.str(), kLong);
  taken = Text();
  EXPECT_TRUE(taken.empty());
}

TEST(Text, AssignmentFromItselfChangesNothing) {
  Text text("ab");
  const Text& itself = text;
  text = itself;
  EXPECT_EQ(text.view(), "ab");
}

TEST(Metadata, ACopyOwnsAllItHolds) {
  Metadata copy;
  {
    std::string source = kLong;
    Metadata original;
    original.source = Text::borrow(source);
    original.attributes = {{"tenant", "acme"}};
    copy = original;
    EXPECT_EQ(copy, original);
    source.assign(source.size(), '!');
    EXPECT_NE(copy, original);
  }
  EXPECT_EQ(copy.source.view(), kLong);
}

void expect_refused(const Attributes& attributes, const std::string& part) {
  expect_error(ErrorCode::InvalidArgument, part, [&attributes] {
    validate_attributes(attributes);
    return 0;
  });
}

TEST(Attributes, AcceptsWhatTheRulesAllow) {
  validate_attributes({});
  validate_attributes({{"tenant", "acme"}, {"a", ""}, {"abcdefghijklmnopqrst", std::string(1024, 'x')}});
  validate_attributes({{"u2", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 'quoted' \"too\""}});
}

TEST(Attributes, RefusesBadNames) {
  for (const char* name :
       {"", "Tenant", "tenant_id", "tenant-id", "1st", "abcdefghijklmnopqrstu", "t\xC3\xA9", "a b"}) {
    expect_refused({{name, "x"}}, "1 to 20 characters of [a-z0-9]");
  }
  expect_refused({{"bad\r\nname", "x"}}, "\"bad??name\"");
}

TEST(Attributes, RefusesReservedNames) {
  for (const char* name : {"id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject",
                           "time", "data", "correlationid", "causationid", "traceparent", "tracestate",
                           "partitionkey", "schemaversion", "sampledrate"}) {
    expect_refused({{name, "x"}},
                   std::string(name) + "\" has a name that CloudEvents or tidings gives a meaning");
  }
}

TEST(Attributes, RefusesBadValues) {
  expect_refused({{"tenant", std::string(1025, 'x')}}, "1025 bytes");
  for (const std::string& value :
       {std::string("a\nb"), std::string("\0", 1), std::string("\x7F"), std::string("\xC2\x80"),
        std::string("\xFF"), std::string("\xED\xA0\x80"), std::string("\xEF\xBF\xBF"),
        std::string("\xEF\xB7\x90"), std::string("\xC3")}) {
    expect_refused({{"tenant", value}}, "\"tenant\" has a bad value");
  }
}

TEST(Attributes, RefusesRepeatsAndCrowds) {
  expect_refused({{"tenant", "a"}, {"user", "b"}, {"tenant", "a"}}, "\"tenant\" is given twice");
  Attributes many;
  for (char c = 'a'; c < 'a' + 16; ++c) many.emplace_back(std::string(1, c), "x");
  validate_attributes(many);
  many.emplace_back("z", "x");
  expect_refused(many, "at most 16 attributes, not 17");
}

TEST(UriReference, AcceptsTheExamplesOfTheSpecifications) {
  for (const std::string_view text : {"orders",
                                      "/orders/eu",
                                      "./a:b",
                                      "//host/path",
                                      "?q=1",
                                      "#top",
                                      "https://example.com:8080/a%20b?x=y#z",
                                      "https://user:pw@example.com/",
                                      "mailto:cncf-wg-serverless@lists.cncf.io",
                                      "urn:uuid:6e8bc430-9c3a-11d9-9669",
                                      "ftp://ftp.is.co.za/rfc/rfc1808.txt",
                                      "ldap://[2001:db8::7]/c=GB?objectClass?one",
                                      "tel:+1-816-555-1212",
                                      "telnet://192.0.2.16:80/",
                                      "1-555-123-4567",
                                      "https://github.com/cloudevents/spec/pull",
                                      "file:///etc/hosts",
                                      "http://[v1.x:y]:80",
                                      "a//b",
                                      "https://example.com?q"}) {
    EXPECT_TRUE(is_uri_reference(text)) << text;
  }
}

TEST(UriReference, RefusesEverythingElse) {
  for (const std::string_view text : {"",
                                      " ",
                                      "a b",
                                      "1a:b",
                                      ":a",
                                      "+a:b",
                                      "a%",
                                      "a%2",
                                      "a%zz",
                                      "a\"b",
                                      "<a>",
                                      "a\\b",
                                      "a^b",
                                      "a`b",
                                      "a{b}",
                                      "a|b",
                                      "caf\xC3\xA9",
                                      "a#b#c",
                                      "a\nb",
                                      "a[b]",
                                      "//[::1",
                                      "//[]",
                                      "//[::1]x",
                                      "//host:port",
                                      "//a@b@c",
                                      "//a b/",
                                      "//[fe80::1%25eth0]",
                                      "http://ex ample.com"}) {
    EXPECT_FALSE(is_uri_reference(text)) << text;
  }
  EXPECT_FALSE(is_uri_reference(std::string_view("a\0b", 3)));
  for (const char* host :
       {"gg::", "::1::", "1:2", "1:2:3:4:5:6:7:8:9", "12345::", "v.a", "vg.a", "v1.", "fe80::1%25eth0"})
    EXPECT_FALSE(is_uri_reference("http://[" + std::string(host) + "]/")) << host;
  for (const char* host : {"::1", "2001:db8::7", "::ffff:192.0.2.1", "v1.a:b", "1:2:3:4:5:6:7:8"})
    EXPECT_TRUE(is_uri_reference("http://[" + std::string(host) + "]:80/")) << host;
}

}  // namespace
}  // namespace tidings
