#include "bus_fixture.hpp"

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tidings::test {
namespace {

class ErrorCodeTest : public BusTest {
 protected:
  /// The code that records and the letter have, which agree, or null.
  template <class Handler>
  Json code_of(Handler handler) {
    Bus bus(options());
    auto failing = bus.subscribe<OrderPlaced>("charge", handler, {.retry = {.max_attempts = 2}});
    bus.publish(OrderPlaced{});
    const Json code = code_in(capture_.records("handler_failed").at(0));
    EXPECT_EQ(code_in(capture_.records("handler_failed").at(1)), code);
    EXPECT_EQ(code_in(capture_.only("handler_exhausted_retries")), code);
    const ContextValue* const kept = letters_->letters().at(0).attempts.at(1).fields.find("error_code");
    EXPECT_EQ(kept == nullptr, code.is_null());
    if (kept != nullptr) {
      EXPECT_EQ(kept->to_json(), code);
    }
    return code;
  }

 private:
  [[nodiscard]] static Json code_in(const Json& record) {
    return record.contains("error_code") ? record.at("error_code") : Json();
  }
};

TEST_F(ErrorCodeTest, ASystemErrorIsNamedByItsCategoryAndValue) {
  const Json code = code_of([](const OrderPlaced&) {
    throw std::system_error(std::make_error_code(std::errc::connection_refused), "cannot reach the bank");
  });
  EXPECT_EQ(code, "generic:111");
}

TEST_F(ErrorCodeTest, SoIsWhatDerivesFromOne) {
  const Json code = code_of([](const OrderPlaced&) {
    throw std::filesystem::filesystem_error("cannot open", std::error_code(2, std::system_category()));
  });
  EXPECT_EQ(code, "system:2");
}

TEST_F(ErrorCodeTest, TheFirstInAChainOfNestedExceptionsCounts) {
  const Json code = code_of([](const OrderPlaced&) {
    try {
      try {
        throw std::system_error(std::error_code(5, std::generic_category()));
      } catch (...) {
        std::throw_with_nested(std::system_error(std::error_code(104, std::generic_category())));
      }
    } catch (...) {
      std::throw_with_nested(std::runtime_error("cannot charge the card"));
    }
  });
  EXPECT_EQ(code, "generic:104");
}

TEST_F(ErrorCodeTest, OthersHaveNone) {
  EXPECT_EQ(code_of([](const OrderPlaced&) { throw std::runtime_error("no code"); }), Json());
}

TEST_F(ErrorCodeTest, WhatIsNoExceptionHasNone) {
  EXPECT_EQ(code_of([](const OrderPlaced&) { throw 42; }), Json());
}

TEST_F(ErrorCodeTest, TheApplicationsOwnCodeWins) {
  const Json code = code_of([](const OrderPlaced&, const EventContext& context) {
    context.bind("error_code", "CARD_DECLINED");
    throw std::system_error(std::make_error_code(std::errc::connection_refused));
  });
  EXPECT_EQ(code, "CARD_DECLINED");
}

TEST_F(ErrorCodeTest, ItStandsBesideWhatTheHandlerHasBound) {
  code_of([](const OrderPlaced&, const EventContext& context) {
    context.bind("order_id", 42);
    throw std::system_error(std::make_error_code(std::errc::connection_refused));
  });
  EXPECT_EQ(capture_.only("handler_exhausted_retries").at("order_id"), 42);
  EXPECT_EQ(capture_.only("handler_exhausted_retries").at("error_code"), "generic:111");
}

TEST_F(ErrorCodeTest, WhereThereIsNoRoomForItTheRestStays) {
  const Json code = code_of([](const OrderPlaced&, const EventContext& context) {
    context.bind("note", std::string(ContextFields::kMaxBytes - 10, 'x'));
    throw std::system_error(std::make_error_code(std::errc::connection_refused));
  });
  EXPECT_EQ(code, Json());
  EXPECT_TRUE(capture_.only("handler_exhausted_retries").contains("note"));
}

TEST_F(ErrorCodeTest, TheNextAttemptHasItsOwn) {
  Bus bus(options());
  auto failing =
      bus.subscribe<OrderPlaced>("charge",
                                 [](const OrderPlaced&, const EventContext& context) {
                                   if (context.attempt() > 1) throw std::runtime_error("no code");
                                   throw std::system_error(std::error_code(5, std::generic_category()));
                                 },
                                 {.retry = {.max_attempts = 2}});
  bus.publish(OrderPlaced{});
  EXPECT_EQ(capture_.records("handler_failed").at(0).at("error_code"), "generic:5");
  EXPECT_FALSE(capture_.records("handler_failed").at(1).contains("error_code"));
}

}  // namespace
}  // namespace tidings::test
