#include "event/misfit.hpp"

#include "bus_fixture.hpp"

#include <gmock/gmock.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace tidings::test {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

struct Line {
  std::string sku{};
  int count{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Line, sku, count)
};

struct Basket {
  static constexpr std::string_view event_type = "shop.basket";
  int id{};
  std::string owner{};
  std::vector<Line> lines{};
  std::map<std::string, bool> flags{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Basket, id, owner, lines, flags)
};

Json whole() {
  return {{"id", 1},
          {"owner", "bob"},
          {"lines", {{{"sku", "a"}, {"count", 1}}, {{"sku", "b"}, {"count", 2}}}},
          {"flags", {{"gift", true}}}};
}

std::string misfit_of(const Json& data) {
  try {
    static_cast<void>(detail::kPayloadType<Basket>.decode(data));
  } catch (...) {
    return detail::describe_misfit(data, detail::kPayloadType<Basket>, std::current_exception());
  }
  return "it fits";
}

std::string misfit_with(const char* pointer, Json value) {
  Json data = whole();
  data[Json::json_pointer(pointer)] = std::move(value);
  return misfit_of(data);
}

std::string misfit_without(const char* parent, const char* key) {
  Json data = whole();
  data.at(Json::json_pointer(parent)).erase(key);
  return misfit_of(data);
}

TEST(MisfitTest, AValueOfAnotherKindIsNamedWithBothKinds) {
  EXPECT_EQ(misfit_of(whole()), "it fits");
  EXPECT_EQ(misfit_with("/owner", 7), "at /owner: string expected, number found");
  EXPECT_EQ(misfit_with("/id", "secret"), "at /id: number expected, string found");
  EXPECT_EQ(misfit_with("/owner", nullptr), "at /owner: string expected, null found");
  EXPECT_EQ(misfit_with("/lines", Json::object()), "at /lines: array expected, object found");
  EXPECT_EQ(misfit_with("/lines/1/count", "two"), "at /lines/1/count: number expected, string found");
  EXPECT_EQ(misfit_with("/lines/1/sku", 2), "at /lines/1/sku: string expected, number found");
  EXPECT_EQ(misfit_with("/lines/0", 5), "at /lines/0: object expected, number found");
  EXPECT_EQ(misfit_with("/flags/a~1b~0c", 5), "at /flags/a~1b~0c: boolean expected, number found");
  EXPECT_EQ(misfit_of(42), "at the top: object expected, number found");
}

TEST(MisfitTest, AMissingKeyIsNamedWithWhatWasExpected) {
  EXPECT_EQ(misfit_without("", "owner"), "at /owner: string expected, nothing found");
  EXPECT_EQ(misfit_without("/lines/1", "count"), "at /lines/1/count: number expected, nothing found");
  EXPECT_EQ(misfit_without("", "lines"), "at /lines: array expected, nothing found");
}

TEST(MisfitTest, WhatCannotBeSearchedIsLeftOut) {
  const auto error = std::make_exception_ptr(std::runtime_error("type must be string, but is number"));
  EXPECT_EQ(detail::describe_misfit(whole(), detail::kPayloadType<Basket>, error), "");
  Json deep = whole();
  Json nested = 1;
  for (int i = 0; i < 100'000; ++i) nested = Json::array({std::move(nested)});
  deep["more"] = std::move(nested);
  deep["id"] = "x";
  EXPECT_EQ(misfit_of(deep), "");
  Json large = whole();
  large["more"] = std::vector<int>(20'000, 1);
  large["id"] = "x";
  EXPECT_EQ(misfit_of(large), "");
}

class MisfitLetterTest : public BusTest {};

TEST_F(MisfitLetterTest, TheLetterNamesTheFieldAndNeverItsValue) {
  Bus bus(options());
  auto handler = bus.subscribe<Basket>("pack", [](const Basket&) {});
  Json data = whole();
  data["lines"][1]["count"] = "hunter2";
  bus.publish("shop.basket", data);
  const DeadLetter letter = letters_->letters().at(0);
  EXPECT_EQ(letter.reason, Reason::Undecodable);
  EXPECT_THAT(letter.error_message, AllOf(HasSubstr("type must be number, but is string"),
                                          EndsWith(" (at /lines/1/count: number expected, string found)"),
                                          Not(HasSubstr("hunter2"))));
}

/// Asks for a key of 5,000 characters.
struct LongNamed {
  static constexpr std::string_view event_type = "shop.long_named";
  friend void from_json(const Json& json, LongNamed& /*event*/) {
    static_cast<void>(json.at(std::string(5'000, 'k')));
  }
  friend void to_json(Json& json, const LongNamed& /*event*/) { json = Json::object(); }
};

TEST_F(MisfitLetterTest, TheMessageKeepsItsBound) {
  constexpr std::size_t kMost = 4'096;
  const std::string cut = " ... (";
  Bus bus(options());
  auto handler = bus.subscribe<LongNamed>("pack", [](const LongNamed&) {});
  bus.publish("shop.long_named", Json::object());
  const std::string message = letters_->letters().at(0).error_message;
  EXPECT_THAT(message, HasSubstr("out_of_range.403"));
  EXPECT_LE(message.rfind(cut), kMost) << message.size();
}

}  // namespace
}  // namespace tidings::test
