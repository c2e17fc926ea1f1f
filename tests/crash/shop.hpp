#pragma once

#include "crash/kill_points.hpp"

#include <tidings/bus.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::crash {

/// What becomes of an order in the handlers of the shop.
enum class Fate : std::uint8_t {
  Fine,        ///< Handled at once.
  FailsOnce,   ///< Its first attempt fails.
  NeverWorks,  ///< Every attempt fails: a dead letter.
  WorksLater,  ///< Every attempt fails, and a redrive works.
  Poison,      ///< Its handler kills the process.
};

struct Order {
  static constexpr std::string_view event_type = "shop.order";
  std::int64_t number{};
  Fate fate{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Order, number, fate)
};

struct Receipt {
  static constexpr std::string_view event_type = "shop.receipt";
  std::int64_t number{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Receipt, number)
};

/// How the orders of a life are published.
enum class Publishing : std::uint8_t {
  OneByOne,
  InOneBatch,
  /// Each in a transaction that also writes it to the table `placed`; every fourth is rolled back.
  InTransactions,
};

/// One life of a process that owns the shop's bus.
struct Life {
  std::vector<Order> orders = {};
  Publishing publishing = Publishing::OneByOne;
  /// Stops at once after publishing, whatever is left.
  bool stops = false;
  /// Asks for all letters to be delivered again.
  bool redrives = false;
  Durability durability = Durability::ProcessCrash;
  std::uint32_t max_crashes = 3;
  /// How far its wall clock is ahead of the machine's; negative: behind.
  std::chrono::hours clock_jump{};
  Kill kill = {};
};

/// A shop whose processes die: each life runs in a child, and what it saw is in a log that outlives it.
///
/// Handlers: `book` is inline; `ship` is queued, keyed by number modulo 3, and retried after a millisecond;
/// `mail` is queued with so small a queue that most of its deliveries wait in the journal. `bank` writes to
/// the table `effects` in the transaction of its delivery and publishes a Receipt there, whose handler `file`
/// does the same.
class Shop {
 public:
  explicit Shop(std::filesystem::path folder);

  /// Runs one life to its end. True: it was killed.
  bool live(const Life& life) const;
  /// Lives without new orders until one ends in order; at most `most` of them. How many were killed.
  std::size_t recover(std::size_t most) const;

  /// What the log says.
  struct Seen {
    std::set<std::int64_t> acknowledged;
    /// How often each delivery was handled: (handler, order).
    std::map<std::pair<std::string, std::int64_t>, int> handled;
    /// Orders in the order in which `ship` was done with them first.
    std::vector<std::int64_t> shipped;
  };
  [[nodiscard]] Seen seen() const;
  /// The dead letters: (handler, order) and reason.
  [[nodiscard]] std::map<std::pair<std::string, std::int64_t>, std::string> letters() const;
  /// How often each effect was written: (handler, order).
  [[nodiscard]] std::map<std::pair<std::string, std::int64_t>, int> effects() const;
  /// The orders whose own transactions were committed.
  [[nodiscard]] std::set<std::int64_t> placed() const;
  /// Events that the journal still holds.
  [[nodiscard]] std::int64_t journalled() const;

  static bool is_rolled_back(std::int64_t order) { return order % 4 == 0; }

 private:
  void run(const Life& life) const;
  /// What keeps the bus from being idle, for whoever reads that it was not.
  [[nodiscard]] std::string still_owed(const Bus& bus) const;
  void publish(Bus& bus, const Life& life) const;
  void publish_in_transactions(Bus& bus, const Life& life) const;
  void note(std::string_view what, std::string_view handler, std::int64_t order) const;

  std::filesystem::path folder_;
  std::filesystem::path database_;
  std::filesystem::path log_;
  /// Claims of letters by earlier processes have ended for each that follows.
  mutable int lives_ = 0;
};

}  // namespace tidings::crash
