#pragma once

#include "event/prefetch.hpp"
#include "queue/delivery.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace tidings::detail {

/// What the holder of a permit has taken at once. `deliveries_` is changed by the holder alone, under the
/// queue's mutex; its elements belong to whoever moved `next_` past them.
class Batch {
 public:
  /// The next delivery, as long as there is one.
  [[nodiscard]] std::optional<Delivery> take() noexcept {
    const std::size_t index = next_.fetch_add(1, std::memory_order_acq_rel);
    if (index >= deliveries_.size()) return std::nullopt;
    if (index + kFetchedAhead < events_.size())
      prefetch_to_read(events_[index + kFetchedAhead], kFetchedOfEach);
    return std::move(deliveries_[index]);
  }
  /// Whether many were taken at once. For the holder.
  [[nodiscard]] bool had_many() const noexcept { return deliveries_.size() >= kMany; }

 private:
  friend class Batches;
  static constexpr std::size_t kMany = 4;
  static constexpr std::size_t kNoMore = SIZE_MAX / 2;
  static constexpr std::size_t kFetchedAhead = 4;
  static constexpr std::size_t kFetchedOfEach = 2 * kCacheLine;

  [[nodiscard]] bool has_more() const noexcept {
    return next_.load(std::memory_order_relaxed) < deliveries_.size();
  }
  /// Moves what is left to `rest`, in order.
  void surrender(std::vector<Delivery>& rest) {
    const std::size_t first = next_.exchange(kNoMore, std::memory_order_acq_rel);
    for (std::size_t index = first; index < deliveries_.size(); ++index)
      rest.push_back(std::move(deliveries_[index]));
  }

  std::vector<Delivery> deliveries_;
  /// Where their events are: for the holder, since others may be moving the deliveries.
  std::vector<const void*> events_;
  std::atomic<std::size_t> next_{0};
  bool held_ = false;  // guarded by the queue's mutex
};

/// The deliveries that may run, in what a worker takes at once, and the permits of those who run them. A part
/// of DeliveryQueue, guarded by its mutex unless a member says otherwise. A permit's holder takes a batch and
/// works through it without a lock; and it takes from another's batch when there is nothing else, so that no
/// delivery waits behind a slow handler while a permit's holder is idle.
class Batches {
 public:
  explicit Batches(std::size_t concurrency)
      : concurrency_(concurrency), batch_size_(concurrency == 1 ? 128 : 16) {}

  /// True: the caller now holds a permit, and must see to it that a worker serves.
  [[nodiscard]] bool add(Delivery& delivery);

  /// The batch to work through, for a worker that was given a permit.
  [[nodiscard]] Batch& begin_serving();
  /// The next delivery, once the batch is through. Returns nullopt if there is none; batch and permit are
  /// then released.
  [[nodiscard]] std::optional<Delivery> take_more(Batch& batch);
  /// Leaves a batch to the next worker; the permit stays with the subscriber.
  void pause_serving(Batch& batch) noexcept { batch.held_ = false; }

  /// Whether take_more() would find something. A look only, without the mutex.
  [[nodiscard]] bool has_more() const noexcept { return waiting_.load(std::memory_order_relaxed) > 0; }
  /// Whether it would find as much as it takes at once. A look only, too.
  [[nodiscard]] bool has_plenty() const noexcept { return waiting_.load(std::memory_order_relaxed) > 1; }

  /// At least as many as surrender() adds.
  [[nodiscard]] std::size_t size_at_most() const noexcept {
    return (incoming_.size() + batches_.size()) * batch_size_;
  }
  /// Moves all that no worker has begun to `rest`, which has the memory for them.
  void surrender(std::vector<Delivery>& rest) noexcept;

 private:
  void add_batch();
  void fill(Batch& batch);
  [[nodiscard]] std::optional<Delivery> take_from_others(const Batch& mine);

  const std::size_t concurrency_;
  /// What a worker takes at once. With several permits the later of a batch wait while another worker is at
  /// what came after them: for as long as this many handlers take.
  const std::size_t batch_size_;
  /// How many batches incoming_ has. Changed under the mutex.
  std::atomic<std::size_t> waiting_{0};
  std::size_t permits_ = 0;
  /// In order; none is empty.
  std::list<std::vector<Delivery>> incoming_;
  /// Empty ones, whose memory is used again.
  std::list<std::vector<Delivery>> spares_;
  /// As many as there ever were permits at once.
  std::vector<std::unique_ptr<Batch>> batches_;
};

}  // namespace tidings::detail
