#include <tidings/metadata.hpp>

#include <gtest/gtest.h>

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
    original.fields = {{"tenant", "acme"}};
    copy = original;
    EXPECT_EQ(copy, original);
    source.assign(source.size(), '!');
    EXPECT_NE(copy, original);
  }
  EXPECT_EQ(copy.source.view(), kLong);
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

TEST(ForeignId, IsAnyTextOfCloudEventsUpToALength) {
  for (const std::string& text :
       {std::string("1"), std::string("a b"), std::string("caf\xC3\xA9"), std::string(kMaxForeignId, 'x')})
    EXPECT_TRUE(is_foreign_id(text)) << text;
  for (const std::string& text :
       {std::string(), std::string("a\0b", 3), std::string("a\nb"), std::string("\xFF"),
        std::string("\xEF\xBF\xBE"), std::string(kMaxForeignId + 1, 'x')})
    EXPECT_FALSE(is_foreign_id(text)) << text;
}

}  // namespace
}  // namespace tidings
