#include "memory/shop.hpp"

#include <tidings/context.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tidings::memory {
namespace {

struct Received {
  static constexpr std::string_view event_type = "shop.received";
  int events{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Received, events)
};

class NestedPublishTest : public ScarceMemoryTest {
 protected:
  /// What the publishes of one handler allocate, each of which is handled inline. The first ones, in which
  /// the thread gets what it keeps, are not counted.
  [[nodiscard]] static std::uint64_t bytes_of(int publishes) {
    Bus bus(BusOptions{.service = "shop", .logger = logging::Logger({.level = logging::Level::Off})});
    const Order order{1};
    std::size_t inherited = 0;
    std::uint64_t bytes = 0;
    const auto inner = bus.subscribe<Order>("inner", [&](const Order&, const EventContext& context) {
      inherited += context.metadata().fields.size();
    });
    const auto outer = bus.subscribe<Received>("outer", [&](const Received& received) {
      const std::uint64_t before = allocated_bytes();
      for (int number = 0; number < received.events; ++number) bus.publish(order);
      bytes = allocated_bytes() - before;
    });
    const ContextScope scope(Context::from_id(std::string(CorrelationId::kMaxLength, 'c'))
                                 .with({{"user_id", 42},
                                        {"tenant", "a name too long for a small string"},
                                        {"path", "/orders/42/receipts/latest"},
                                        {"trusted", true}}));
    bus.publish(Received{publishes});
    inherited = 0;
    bus.publish(Received{publishes});
    EXPECT_EQ(inherited, 4U * static_cast<std::size_t>(publishes));
    return bytes;
  }
};

TEST_F(NestedPublishTest, InheritsIdsAndFourFieldsWithoutAllocating) { EXPECT_EQ(bytes_of(1'000), 0U); }

TEST_F(NestedPublishTest, AnAllocationIsSeen) {
  const std::uint64_t before = allocated_bytes();
  const auto text = std::make_unique<std::string>(100, 'x');
  EXPECT_GE(allocated_bytes() - before, 100U) << *text;
}

}  // namespace
}  // namespace tidings::memory
