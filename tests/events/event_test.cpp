#include <tidings/event.hpp>

#include <gtest/gtest.h>

#include <vector>

#include "deep_json.hpp"
#include "thrown_error.hpp"

namespace tidings {

// Named: Clang reports the friend functions that nlohmann's macro makes in an unnamed namespace as unused.
namespace event_test {

struct OrderPlaced {
  static constexpr std::string_view event_type = "orders.order_placed";
  std::int64_t order_id{};
  std::vector<std::string> items;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id, items)
};

struct OrderPlacedV2 {
  static constexpr std::string_view event_type = "orders.order_placed";
  static constexpr int schema_version = 2;
  std::int64_t order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlacedV2, order_id)
};

struct WithoutType {
  int value{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(WithoutType, value)
};

struct WithoutJson {
  static constexpr std::string_view event_type = "x";
};

struct NotCopyable {
  static constexpr std::string_view event_type = "x";
  NotCopyable() = default;
  NotCopyable(const NotCopyable&) = delete;
  int value{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(NotCopyable, value)
};

}  // namespace event_test

namespace {

using namespace event_test;

static_assert(Event<OrderPlaced> && Event<OrderPlacedV2>);
static_assert(!Event<WithoutType> && !Event<WithoutJson> && !Event<int> && !Event<std::string>);
static_assert(schema_version_of<OrderPlaced>() == 1 && schema_version_of<OrderPlacedV2>() == 2);

TEST(EventConcept, RequireEventAcceptsAnEvent) {
  require_event<OrderPlaced>();
  EXPECT_FALSE(Event<NotCopyable>);
}

TEST(EventName, IsVisibleAsciiWithoutQuotes) {
  for (const std::string& name : {std::string("orders.order_placed"), std::string("a"), std::string(200, 'x'),
                                  std::string("a/b:c@d#e{f}")}) {
    EXPECT_TRUE(is_valid_name(name)) << name;
    EXPECT_NO_THROW(validate_name(name, "handler name"));
  }
}

TEST(EventName, RefusesEverythingElseSayingWhatToDo) {
  for (const std::string& name :
       {std::string(), std::string(201, 'x'), std::string("a b"), std::string("a\"b"), std::string("a'b"),
        std::string("a\\b"), std::string("a\nb"), std::string("caf\xC3\xA9"), std::string("a\0b", 3),
        std::string("\x7F"), std::string(1 << 20, 'x')}) {
    EXPECT_FALSE(is_valid_name(name));
    expect_error(ErrorCode::InvalidArgument, "use 1 to 200 visible ASCII characters", [&name] {
      validate_name(name, "handler name");
      return 0;
    });
  }
  expect_error(ErrorCode::InvalidArgument, "handler name is \"a b\" (3 bytes)", [] {
    validate_name("a b", "handler name");
    return 0;
  });
}

TEST(DataEncoding, HasStableNames) {
  EXPECT_EQ(to_string(DataEncoding::Json), "json");
  EXPECT_EQ(to_string(DataEncoding::Cbor), "cbor");
  EXPECT_EQ(to_string(DataEncoding::None), "none");
  for (const DataEncoding encoding : {DataEncoding::Json, DataEncoding::Cbor, DataEncoding::None}) {
    EXPECT_EQ(parse_data_encoding(to_string(encoding)), encoding);
  }
  EXPECT_FALSE(parse_data_encoding("JSON"));
  EXPECT_FALSE(parse_data_encoding(""));
}

TEST(JsonDepth, CountsNestedContainers) {
  EXPECT_EQ(json_depth(Json()), 0U);
  EXPECT_EQ(json_depth("text"), 0U);
  EXPECT_EQ(json_depth(Json::array()), 1U);
  EXPECT_EQ(json_depth(Json::object()), 1U);
  EXPECT_EQ(json_depth(Json::parse(R"([1, {"a": [[]], "b": 2}, [3]])")), 4U);
  EXPECT_EQ(json_depth(nested(100'000)), 100'000U);
}

}  // namespace
}  // namespace tidings
