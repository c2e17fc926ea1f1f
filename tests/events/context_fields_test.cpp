#include <tidings/context_fields.hpp>

#include <tidings/detail/context_json.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "thrown_error.hpp"

namespace tidings {
namespace {

void expect_refused(std::string_view name, ContextValue value, const std::string& part) {
  expect_error(ErrorCode::InvalidArgument, part,
               [&] { return ContextFields().with(name, std::move(value)); });
}

TEST(ContextFields, KeepTheTypesOfTheirValues) {
  const ContextFields fields{{"text", "acme"},     {"whole", -42},      {"flag", true},
                             {"ratio", 0.5},       {"letter", 'a' + 0}, {"string", std::string("s")},
                             {"large", UINT64_MAX}};
  EXPECT_EQ(*fields.find("text"), ContextValue("acme"));
  EXPECT_EQ(std::get<std::int64_t>(fields.find("whole")->storage()), -42);
  EXPECT_EQ(std::get<bool>(fields.find("flag")->storage()), true);
  EXPECT_EQ(std::get<double>(fields.find("ratio")->storage()), 0.5);
  EXPECT_EQ(std::get<std::uint64_t>(fields.find("large")->storage()), UINT64_MAX);
  EXPECT_EQ(fields.find("no_such"), nullptr);
  EXPECT_NE(ContextValue(1), ContextValue(true));
  EXPECT_NE(ContextValue(1), ContextValue(1.0));
  EXPECT_EQ(ContextValue(std::uint64_t{1}), ContextValue(1));
}

TEST(ContextFields, AreOrderedByNameAndHaveEachNameOnce) {
  const ContextFields fields{{"user", 1}, {"tenant", "a"}, {"user", 2}};
  ASSERT_EQ(fields.size(), 2U);
  EXPECT_EQ(fields.begin()[0].name, "tenant");
  EXPECT_EQ(fields.begin()[1].value, ContextValue(2));
  EXPECT_EQ(fields, (ContextFields{{"user", 2}, {"tenant", "a"}}));
}

TEST(ContextFields, AreAValueThatAddingLeavesAlone) {
  const ContextFields first{{"tenant", "a"}};
  const ContextFields second = first.with("user", 1).with({{"tenant", "b"}});
  EXPECT_EQ(first, (ContextFields{{"tenant", "a"}}));
  EXPECT_EQ(second, (ContextFields{{"tenant", "b"}, {"user", 1}}));
  EXPECT_EQ(first.with(second), second);
  EXPECT_EQ(second.without("user"), (ContextFields{{"tenant", "b"}}));
  EXPECT_EQ(first.without("tenant"), ContextFields());
  EXPECT_TRUE(first.without("tenant").empty());
}

TEST(ContextFields, RefuseBadNames) {
  for (const char* name : {"", "Tenant", "tenant-id", "1st", "_x", "t\xC3\xA9", "a b"})
    expect_refused(name, "x", "has a bad name: use [a-z0-9_]");
  expect_refused("bad\r\nname", "x", "\"bad??name\"");
}

TEST(ContextFields, RefuseBadValues) {
  for (const std::string& value :
       {std::string("a\nb"), std::string("\0", 1), std::string("\x7F"), std::string("\xC2\x80"),
        std::string("\xFF"), std::string("\xED\xA0\x80"), std::string("\xEF\xBF\xBF"),
        std::string("\xEF\xB7\x90"), std::string("\xC3")}) {
    expect_refused("tenant", value, "\"tenant\" has a bad value");
  }
  expect_refused("ratio", std::nan(""), "\"ratio\" has a bad value: use a finite number");
  expect_refused("ratio", std::numeric_limits<double>::infinity(), "use a finite number");
}

TEST(ContextFields, RefuseMoreThan32) {
  ContextFields fields;
  for (int i = 0; i < 32; ++i) fields = fields.with("f" + std::to_string(i), i);
  fields = fields.with("f7", "replaced");
  expect_error(ErrorCode::InvalidArgument, "\"one_more\" is one too many: a context has at most 32 fields",
               [&] { return fields.with("one_more", 1); });
}

TEST(ContextFields, RefuseMoreThan4KiBTogether) {
  const ContextFields full = ContextFields{{"a", std::string(4096 - 1 - 8 - 1, 'x')}}.with("b", 1);
  expect_error(ErrorCode::InvalidArgument, "\"c\" makes a context of 4105 bytes: at most 4096 are allowed",
               [&] { return full.with("c", true); });
  expect_error(ErrorCode::InvalidArgument, "4105 bytes", [&] {
    return full.with(ContextFields{{"c", true}});
  });
}

TEST(ContextFields, ThatWereStoredStayAsTheyAre) {
  const std::string large(20'000, 'x');
  const ContextFields stored = ContextFields::of_stored({{"Z", large}, {"a", 1}, {"a", 2}});
  EXPECT_EQ(*stored.find("Z"), ContextValue(large));
  EXPECT_EQ(*stored.find("a"), ContextValue(2));
  EXPECT_THROW(validate_context_fields(stored), Error);
  EXPECT_THROW(static_cast<void>(ContextFields().with(stored)), Error);
  const ContextFields foreign = ContextFields::of_stored({{"1st", 1}});
  EXPECT_THROW(static_cast<void>(ContextFields{{"a", 1}}.with(foreign)), Error);
}

// Takes a quarter of an hour if each is put among those before it: a CloudEvent may have as many, in this
// order.
TEST(ContextFields, OfManyEntriesTakeNoQuadraticTime) {
  constexpr int kMany = 200'000;
  std::vector<ContextFields::Entry> entries;
  for (const char* letter : {"b", "a"}) {
    for (int number = 0; number < kMany; ++number)
      entries.push_back({letter + std::to_string(number), number});
  }
  const auto start = std::chrono::steady_clock::now();
  const ContextFields fields = ContextFields::of_stored(std::move(entries));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  EXPECT_EQ(fields.size(), std::size_t{2} * kMany);
  EXPECT_EQ(*fields.find("a7"), ContextValue(7));
}

TEST(ContextJson, GivesBackEveryValueWithItsType) {
  const ContextFields fields{
      {"a", "42"},       {"b", 42},    {"c", true},   {"d", 42.0}, {"e", "q\"\\\xC3\xA9"},
      {"f", UINT64_MAX}, {"g", false}, {"h", -1e300}, {"i", ""}};
  EXPECT_EQ(detail::context_from_json(detail::context_to_json(fields)), fields);
  EXPECT_EQ(detail::context_to_json({{"tenant", "acme"}, {"user_id", 42}}),
            R"({"tenant":"acme","user_id":42})");
  EXPECT_EQ(detail::context_to_json({}), "{}");
}

TEST(ContextJson, RefusesWhatIsNoObjectOfScalars) {
  for (const char* text : {"[]", "1", R"({"a":null})", R"({"a":[]})", R"({"a":{}})", "{", ""}) {
    expect_error(ErrorCode::NotDecodable, "", [text] { return detail::context_from_json(text); });
  }
}

ContextFields stored_fields(std::size_t count, std::size_t bytes_each) {
  std::vector<ContextFields::Entry> entries;
  for (std::size_t i = 0; i < count; ++i)
    entries.push_back({"field_" + std::to_string(i), std::string(bytes_each, 'x')});
  return ContextFields::of_stored(std::move(entries));
}

std::string refusal_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    return error.what();
  }
  return "taken";
}

TEST(ContextFields, WhatIsStoredBeyondTheLimitsMayBeReplacedAndNotGrow) {
  const ContextFields many = stored_fields(40, 1);
  EXPECT_EQ(many.with("field_7", "y").size(), 40U);
  EXPECT_EQ(
      refusal_of([&] { static_cast<void>(many.with("tenant", "acme")); }),
      "context field \"tenant\" is one too many: a context has at most 32 fields, and this one has 40 that "
      "were stored or received, which stay; put further data into the event");
  const ContextFields large = stored_fields(2, 3000);
  EXPECT_EQ(large.with("field_1", "short").size(), 2U);
  EXPECT_EQ(large.with({{"field_1", std::string(3000, 'z')}}).size(), 2U);
  EXPECT_NE(refusal_of([&] {
              static_cast<void>(large.with("tenant", "acme"));
            }).find("and this one has 6014 bytes that were stored or received"),
            std::string::npos);
  EXPECT_EQ(large.without("field_1").with("tenant", "acme").size(), 2U);
}

}  // namespace
}  // namespace tidings
