#pragma once

#include "simulation/plan.hpp"
#include "simulation/scribe.hpp"
#include "simulation/shop_events.hpp"

#include <tidings/bus.hpp>
#include <tidings/deadletter/store.hpp>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace tidings::simulation {

/// The machine's clock, but for a wall clock that somebody sets while it runs.
class WallClock final : public Clock {
 public:
  explicit WallClock(std::int64_t hours) : ahead_(hours) {}
  void set(std::int64_t hours) { ahead_ = hours; }
  [[nodiscard]] Timestamp now() const noexcept override {
    return clock_->now() + std::chrono::hours(ahead_.load());
  }
  [[nodiscard]] Instant monotonic_now() const noexcept override { return clock_->monotonic_now(); }
  void wait_until(Signal& signal, Instant deadline) override { clock_->wait_until(signal, deadline); }

 private:
  const std::shared_ptr<Clock> clock_ = system_clock();
  std::atomic<std::int64_t> ahead_;
};

/// One life of the shop: its store, its bus and its handlers, which write down what happens to them.
///
/// The database has tables of the shop's own: `effects` (what handlers wrote in their transactions), `placed`
/// (what was published in transactions of the shop's) and `gone` (letters that were deleted).
class Shop {
 public:
  /// The details of `life`: clock (hours ahead), busy (milliseconds), workers, mended, number (of the life).
  Shop(std::filesystem::path database, const Step& life, const Scribe& scribe);
  Shop(const Shop&) = delete;
  Shop& operator=(const Shop&) = delete;
  ~Shop() = default;

  [[nodiscard]] Bus& bus() { return *bus_; }
  [[nodiscard]] WallClock& clock() { return *clock_; }
  [[nodiscard]] const std::filesystem::path& database() const { return database_; }
  [[nodiscard]] const Scribe& scribe() const { return scribe_; }
  /// How long who writes waits for the database.
  [[nodiscard]] std::chrono::milliseconds busy_timeout() const { return busy_timeout_; }
  [[nodiscard]] bool mended() const { return mended_; }

  void subscribe(const std::string& handler);
  void unsubscribe(const std::string& handler);
  [[nodiscard]] bool has(const std::string& handler) const { return subscriptions_.contains(handler); }

 private:
  void subscribe_all();
  [[nodiscard]] Subscription subscribed(const std::string& handler);
  [[nodiscard]] Subscription order_handler(const std::string& handler);
  void work(const Payment& payment, const EventContext& context);
  void work(const Receipt& receipt, const EventContext& context);
  static void work(const Order&, const EventContext&) {}
  static void work(const Parcel&, const EventContext&) {}
  template <class E>
  [[nodiscard]] Subscription added(const std::string& handler, SubscribeOptions<E> options);

  const std::filesystem::path database_;
  const Scribe scribe_;
  const bool mended_;
  const std::chrono::milliseconds busy_timeout_;
  std::shared_ptr<deadletter::Store> store_;
  std::shared_ptr<WallClock> clock_;
  // Before the bus, which is to end while its handlers are there. Of the thread that obeys the driver.
  std::map<std::string, Subscription> subscriptions_;
  std::unique_ptr<Bus> bus_;
};

}  // namespace tidings::simulation
