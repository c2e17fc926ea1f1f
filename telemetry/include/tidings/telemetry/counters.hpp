#pragma once

#include <tidings/detail/mutex.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::telemetry {

/// Names and values, in the order in which they are written.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// A number that only grows. Thread-safe.
class Counter {
 public:
  void add(std::uint64_t number = 1) noexcept { value_.fetch_add(number, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// The application's own counters, written beside those of the bus. Thread-safe.
///
///   auto& refused = counters.counter("shop_orders_refused", "Orders refused.", {{"reason", "stock"}});
///   refused.add();
///
/// Its series are bounded: a series beyond kMostSeries is that of its name whose label values are all
/// `other`.
class CounterRegistry {
 public:
  static constexpr std::size_t kMostSeries = 1'000;

  CounterRegistry() = default;
  CounterRegistry(const CounterRegistry&) = delete;
  CounterRegistry& operator=(const CounterRegistry&) = delete;
  ~CounterRegistry() = default;

  /// The counter of that name and those labels, made at 0 by the first call; lives as long as the registry.
  /// `name` is without `_total`, and with its unit, as in `shop_paid_euros`; `help` is that of the first
  /// call. Takes a lock and looks both up: keep what it returns. Never give ids or error texts as label
  /// values. Throws Error(InvalidArgument): a name that Prometheus does not allow, that begins with
  /// `tidings_` or ends in what says the kind of a metric (`_total`, `_count`, `_bucket` ...); a label's name
  /// that Prometheus does not allow or that comes twice; other label names than the counters of that name
  /// have; a value that is not UTF-8 or has more than 128 bytes.
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {})
      TIDINGS_EXCLUDES(mutex_);

  struct Series {
    Labels labels;
    std::uint64_t value = 0;
  };
  struct Family {
    std::string name;
    std::string help;
    std::vector<Series> series;
  };
  /// All of them, by name.
  [[nodiscard]] std::vector<Family> read() const TIDINGS_EXCLUDES(mutex_);

 private:
  struct Named {
    std::string help;
    std::vector<std::string> label_names;
    std::map<Labels, std::unique_ptr<Counter>> counters = {};
  };

  mutable detail::Mutex mutex_;
  std::map<std::string, Named, std::less<>> families_ TIDINGS_GUARDED_BY(mutex_);
  std::size_t series_ TIDINGS_GUARDED_BY(mutex_) = 0;
};

}  // namespace tidings::telemetry
