#pragma once

#include "deadletter/store_fixture.hpp"
#include "memory/failing_new.hpp"

#include <tidings/bus.hpp>
#include <tidings/deadletter/transaction.hpp>

#include <spdlog/sinks/null_sink.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::memory {

using namespace std::chrono_literals;

struct Order {
  static constexpr std::string_view event_type = "shop.order";
  std::int64_t number{};
  std::string note = "a text that is too long to be kept within a string";
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Order, number, note)
};

/// The same with a field that letters do not have.
struct HiddenOrder {
  static constexpr std::string_view event_type = "shop.hidden_order";
  static constexpr std::array<std::string_view, 1> masked_fields = {"/note"};
  std::int64_t number{};
  std::string note = "a text that is too long to be kept within a string";
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(HiddenOrder, number, note)
};

/// A bus on a database whose handlers do all that handlers do, and a count of what came of each order.
class ScarceMemoryTest : public deadletter::StoreTest {
 protected:
  static constexpr auto kLong = std::chrono::seconds(20);
  static constexpr std::size_t kMostOrders = 40'000;
  using Counts = std::array<std::atomic<int>, kMostOrders>;

  [[nodiscard]] BusOptions options(Durability durability, const PayloadEncryption& encryption = {}) const {
    logging::LoggerOptions to_nowhere;
    to_nowhere.level = logging::Level::Debug;
    to_nowhere.sinks = {{std::make_shared<spdlog::sinks::null_sink_mt>()}};
    return {.service = "shop",
            .store = open_faulty({.encryption = encryption}),  // whose syncs do not wait for the disk
            .durability = durability,
            .logger = logging::Logger(to_nowhere)};
  }

  /// A handler that is done with an order once it has returned.
  [[nodiscard]] auto done_by(const std::string& handler) {
    return [counts = &done_[handler]](const Order& order) { ++(*counts)[index(order)]; };
  }
  [[nodiscard]] auto done_at_the_second_attempt_by(const std::string& handler) {
    return [counts = &done_[handler]](const Order& order, const EventContext& context) {
      if (context.attempt() == 1) throw std::runtime_error("a first attempt that fails, at some length");
      ++(*counts)[index(order)];
    };
  }
  [[nodiscard]] static auto fails() {
    return [](const Order&) { throw std::runtime_error("an attempt that fails, at some length"); };
  }

  void subscribe_inline(Bus& bus);
  void subscribe_queued(Bus& bus);
  void subscribe_bank(Bus& bus);

  /// Runs `act` again and again, with the shortage one allocation later each time, until it passes by. `act`
  /// is given the number of its order, and may throw std::bad_alloc, of all things: then the order does not
  /// exist.
  template <class Act>
  void sweep(Bus& bus, Whose whose, Act act) {
    for (const std::uint64_t burst : {std::uint64_t{1}, std::uint64_t{20}}) {
      bool struck = true;
      // Bursts overlap: each allocation is the first half of one, and the second of another.
      for (std::uint64_t nth = 1; struck && !HasFatalFailure(); nth += (burst + 1) / 2) {
        SCOPED_TRACE("burst of " + std::to_string(burst) + " from allocation " + std::to_string(nth));
        ASSERT_NO_FATAL_FAILURE(struck = strike(bus, whose, nth, burst, act));
      }
    }
  }

  /// Each order that exists was done with by each handler, or is its letter: once.
  void expect_each_order_settled_once(const std::vector<std::string>& handlers);

  static std::size_t index(const Order& order) { return static_cast<std::size_t>(order.number); }

  std::map<std::string, Counts> done_;
  std::vector<std::int64_t> accepted_;
  std::int64_t next_order_ = 0;

 private:
  template <class Act>
  void strike(Bus& bus, Whose whose, std::uint64_t nth, std::uint64_t burst, Act& act, bool& struck) {
    const std::int64_t order = next_order_++;
    ASSERT_LT(order, std::int64_t{kMostOrders});
    bool accepted = true;
    {
      ScarceMemory scarce(whose, nth, burst);
      try {
        act(order);
      } catch (const std::bad_alloc&) {
        accepted = false;
      } catch (const std::exception& error) {
        const Plenty plenty;
        ADD_FAILURE() << "not std::bad_alloc: " << error.what();
      }
      const Plenty plenty;
      if (whose == Whose::Others) {
        ASSERT_TRUE(bus.wait_idle(kLong));
      }
      struck = scarce.was_reached();
    }
    ASSERT_TRUE(bus.wait_idle(kLong));
    if (accepted) accepted_.push_back(order);
  }
  template <class Act>
  bool strike(Bus& bus, Whose whose, std::uint64_t nth, std::uint64_t burst, Act& act) {
    bool struck = false;
    strike(bus, whose, nth, burst, act, struck);
    return struck;
  }
};

}  // namespace tidings::memory
