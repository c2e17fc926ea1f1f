#pragma once

#include "exporting/batch_source.hpp"
#include "otlp/messages.hpp"

#include <tidings/detail/mutex.hpp>
#include <tidings/telemetry/exporter_options.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <iterator>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

namespace tidings::telemetry {

[[nodiscard]] inline OtlpEncoding encoding_of(const Endpoint& endpoint) noexcept {
  return endpoint.protocol == Protocol::HttpJson ? OtlpEncoding::Json : OtlpEncoding::Protobuf;
}

/// Spans or records that wait, a bounded number of them. All references must outlive it.
template <class Item>
class ItemQueue final : public BatchSource {
 public:
  using Encode = std::string (*)(std::span<const Item>, const Resource&, OtlpEncoding);

  ItemQueue(const Batching& batching, const Endpoint& endpoint, const Resource& resource, Encode encode,
            Clock& clock)
      : batching_(batching),
        encoding_(encoding_of(endpoint)),
        resource_(resource),
        encode_(encode),
        clock_(clock) {}

  /// By any thread. Whether the exporter's thread has to look again when something is due: it is the first of
  /// a batch, or the last.
  [[nodiscard]] bool add(Item&& item) noexcept {
    const detail::MutexLock lock(mutex_);
    if (closed_ || items_.size() >= batching_.queue || !push(std::move(item))) {
      refuse();
      return false;
    }
    ++added_;
    if (items_.size() == 1) oldest_ = clock_.monotonic_now();
    return items_.size() == 1 || items_.size() == batching_.batch;
  }

  /// One more is lost, by any thread.
  void refuse() noexcept { refused_.fetch_add(1, std::memory_order_relaxed); }

  [[nodiscard]] Instant due(bool hurry) const override {
    const detail::MutexLock lock(mutex_);
    if (items_.empty()) return Instant::max();
    return hurry || items_.size() >= batching_.batch ? Instant::min() : oldest_ + batching_.delay;
  }
  [[nodiscard]] std::size_t next_items() const override {
    const detail::MutexLock lock(mutex_);
    return std::min(items_.size(), batching_.batch);
  }
  [[nodiscard]] Batch take(std::size_t items) override {
    const std::vector<Item> taken = take_items(items);
    return {encode_(taken, resource_, encoding_), taken.size()};
  }
  std::size_t discard() noexcept override {
    const detail::MutexLock lock(mutex_);
    closed_ = true;
    const std::size_t left = items_.size();
    items_.clear();  // a new deque would need memory
    return left;
  }
  [[nodiscard]] std::uint64_t request() override {
    const detail::MutexLock lock(mutex_);
    return added_;
  }
  [[nodiscard]] std::uint64_t refused() const noexcept override {
    return refused_.load(std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] bool push(Item&& item) noexcept TIDINGS_REQUIRES(mutex_) {
    try {
      items_.push_back(std::move(item));
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  [[nodiscard]] std::vector<Item> take_items(std::size_t items) {
    const detail::MutexLock lock(mutex_);
    const auto end = items_.begin() + static_cast<std::ptrdiff_t>(items);
    std::vector<Item> taken;
    try {
      taken.reserve(items);
    } catch (const std::bad_alloc&) {
      items_.erase(items_.begin(), end);
      throw;
    }
    std::move(items_.begin(), end, std::back_inserter(taken));
    items_.erase(items_.begin(), end);
    oldest_ = clock_.monotonic_now();  // about: none has waited for longer than one request takes
    return taken;
  }

  const Batching& batching_;
  const OtlpEncoding encoding_;
  const Resource& resource_;
  const Encode encode_;
  Clock& clock_;
  std::atomic<std::uint64_t> refused_{0};
  mutable detail::Mutex mutex_;
  std::deque<Item> items_ TIDINGS_GUARDED_BY(mutex_);
  Instant oldest_ TIDINGS_GUARDED_BY(mutex_){};
  std::uint64_t added_ TIDINGS_GUARDED_BY(mutex_) = 0;
  bool closed_ TIDINGS_GUARDED_BY(mutex_) = false;
};

}  // namespace tidings::telemetry
