#include <tidings/logging/value.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>

namespace tidings::logging {
namespace {

Json json_of(const Value& value) { return value.to_json(); }

TEST(ValueTest, KeepsTheTypeItIsMadeFrom) {
  EXPECT_EQ(json_of(nullptr), nullptr);
  EXPECT_EQ(json_of(true), true);
  EXPECT_EQ(json_of(-1), -1);
  EXPECT_EQ(json_of(std::uint8_t{7}), 7);
  EXPECT_EQ(json_of(std::numeric_limits<std::uint64_t>::max()), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(json_of(1.5F), 1.5);
  EXPECT_EQ(json_of("text"), "text");
  EXPECT_EQ(json_of(std::string_view("view")), "view");
  EXPECT_EQ(json_of(std::string("owned")), "owned");
  EXPECT_EQ(json_of(Json{1, 2}), (Json{1, 2}));
}

TEST(ValueTest, NothingIsNull) {
  const char* const null_text = nullptr;
  EXPECT_EQ(json_of(null_text), nullptr);
  EXPECT_EQ(json_of(std::optional<int>()), nullptr);
  EXPECT_EQ(json_of(std::optional<int>(3)), 3);
  EXPECT_EQ(json_of(std::optional<std::string>("x")), "x");
}

TEST(ValueTest, WhatHasNoClearMeaningIsNoValue) {
  static_assert(!std::is_constructible_v<Value, void*>);
  static_assert(!std::is_constructible_v<Value, int*>);
  static_assert(!std::is_constructible_v<Value, char>);
  static_assert(!std::is_constructible_v<Value, std::chrono::seconds>);
  static_assert(!std::is_convertible_v<std::vector<int>, Value>);
}

TEST(ValueTest, ACopyOwnsWhatItsOriginalBorrowed) {
  std::string text = "a text that is too long for the small string optimisation";
  Json json = {{"a", 1}};
  const Value borrowed_text(text);
  const Value borrowed_json(json);
  const Value text_copy = borrowed_text;
  Value json_copy;
  json_copy = borrowed_json;
  text.assign("changed");
  json = nullptr;
  EXPECT_EQ(text_copy.text(), "a text that is too long for the small string optimisation");
  EXPECT_EQ(json_of(json_copy), (Json{{"a", 1}}));
}

TEST(ValueTest, ALazyValueIsEvaluatedWhenAskedFor) {
  int calls = 0;
  const Value lazy = [&calls] { return ++calls; };
  EXPECT_TRUE(lazy.is_lazy());
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(json_of(lazy), 1);
  EXPECT_EQ(json_of(lazy), 2);
}

TEST(ValueTest, AnErrorIsItsDescription) {
  const Field field = error_of(std::runtime_error("broken"));
  EXPECT_EQ(json_of(field.value), (Json{{"error_type", "std::runtime_error"}, {"error", "broken"}}));
}

}  // namespace
}  // namespace tidings::logging
