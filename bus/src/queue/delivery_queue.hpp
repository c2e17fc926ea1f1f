#pragma once

#include "event/prefetch.hpp"
#include "queue/delivery.hpp"
#include "queue/places.hpp"

#include <tidings/detail/mutex.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace tidings::detail {

/// What becomes of the deliveries behind one that ended.
enum class KeyOutcome : std::uint8_t {
  Next,    ///< The next delivery of the key may run.
  Refuse,  ///< All that wait behind it are handed back, and those to come while the queue lives are refused.
};

/// The deliveries of one subscriber that are queued, held behind one of the same ordering key, waiting for a
/// retry, or running on a worker. Bounded: each occupies a place from reservation to the end of its life.
/// Thread-safe.
///
/// Workers take deliveries while holding one of `concurrency` permits. A permit's holder takes a batch and
/// works through it without a lock; and it takes from another's batch when there is nothing else, so that
/// nothing waits behind a slow handler while a permit's holder is idle.
class DeliveryQueue {
 public:
  DeliveryQueue(std::size_t capacity, std::size_t concurrency, bool keyed)
      : places_(capacity),
        concurrency_(concurrency),
        keyed_(keyed),
        batch_size_(concurrency == 1 ? 128 : 16) {}

  /// Takes a place for one delivery. False when there is none.
  [[nodiscard]] bool try_reserve() noexcept { return places_.try_take(); }
  /// Takes a place even if there is none: for a retry of a delivery that had no place so far.
  void reserve() noexcept { places_.take(); }
  /// Gives a place back: the delivery's life has ended, or it was not made.
  void release() noexcept;
  [[nodiscard]] bool has_room() const noexcept { return places_.has_room(); }
  /// Blocks until there is room, or wake_publishers() was called since `wakes`.
  void wait_for_room(std::uint64_t wakes);
  [[nodiscard]] std::uint64_t wakes() const noexcept { return wakes_.load(); }
  void wake_publishers();

  enum class Pushed : std::uint8_t {
    Queued,       ///< A worker is on it already.
    NeedsWorker,  ///< The caller now holds a permit and must hand the subscriber to the pool.
    Parked,       ///< The key is dead: `delivery` is untouched, keeps its place, and is to become a letter;
                  ///< parked() must follow.
    Refused,      ///< The queue is not open; `delivery` is untouched and keeps its place.
  };
  /// A first attempt, in the place the caller has reserved.
  [[nodiscard]] Pushed push(Delivery& delivery);
  /// A Parked delivery is on its way to the sink.
  void parked();
  /// The redrive of a letter, in a place beyond the queue's bound. It goes before what waits behind its key,
  /// and what comes for its key waits behind it, though the key was dead. Refused: untouched, without a
  /// place.
  [[nodiscard]] Pushed push_redrive(Delivery& delivery);
  /// The redrive's life has ended: gives its place back.
  void end_redrive() noexcept;
  /// A retry that is due.
  [[nodiscard]] Pushed push_retry(Delivery& delivery);

  class Batch;
  /// The batch to work through, for a worker that was given a permit.
  [[nodiscard]] Batch& begin_serving();
  /// The next delivery, once the batch is through. Nothing: there is none, and permit and batch are gone.
  [[nodiscard]] std::optional<Delivery> take_more(Batch& batch);
  /// Leaves a batch to the next worker; the permit goes with the subscriber, to the pool.
  void pause_serving(Batch& batch);
  /// Whether take_more() would find something. A look only, without a lock.
  [[nodiscard]] bool has_more() const noexcept {
    return batches_waiting_.load(std::memory_order_relaxed) > 0;
  }
  /// Whether it would find as much as it takes at once.
  [[nodiscard]] bool has_plenty() const noexcept {
    return batches_waiting_.load(std::memory_order_relaxed) > 1;
  }

  /// Says that the delivery that held `key` has ended. Returns those that are refused with it; each keeps its
  /// place. To be called again after they were dealt with, until there are none: the key is held so long, and
  /// order is kept. `needs_worker` is set when the caller must hand the subscriber to the pool.
  [[nodiscard]] std::vector<Delivery> end_key(const std::string& key, KeyOutcome outcome, bool& needs_worker);
  /// Takes a key for a delivery that waits for its retry. False: another delivery has it, or it is dead; to
  /// be pushed then.
  [[nodiscard]] bool hold_key(const std::string& key);
  /// Whether one of the key is queued, running, waiting for a retry, or on its way from a letter.
  [[nodiscard]] bool has_key(const std::string& key) const;
  /// Before the first delivery: what comes for `dead` keys is refused, what comes for `resuming` ones waits
  /// for the redrive of their letters.
  void hold_keys(std::vector<std::string> dead, std::vector<std::string> resuming);

  /// Keys that are not as others, at one moment.
  struct KeyLook {
    /// With how many of their deliveries were refused so far.
    std::vector<std::pair<std::string, std::uint64_t>> dead;
    std::vector<std::string> resuming;
  };
  /// Nothing: there are none. Nothing to look at either while deliveries that were refused are still on their
  /// way to the sink: `later` is set.
  [[nodiscard]] std::optional<KeyLook> look_at_keys(bool& later) const;
  /// What has become of a key's letters since that look: not listed, they are all resolved.
  using UnresolvedKeys = std::unordered_map<std::string, bool>;  // whether they are coming
  struct KeyTurn {
    /// Deliveries of keys that are dead again; each keeps its place. To be called again after they were dealt
    /// with, until there are none.
    std::vector<Delivery> parked;
    /// How often the caller must hand the subscriber to the pool.
    std::size_t permits = 0;
  };
  [[nodiscard]] KeyTurn settle_keys(const KeyLook& look, const UnresolvedKeys& unresolved);
  /// Whether nothing of the key runs until it is settled or another redrive comes.
  [[nodiscard]] bool waits_for_redrives(const std::string& key) const;
  /// Hands back what waits for redrives that will not come, as the queue drains. Each keeps its place.
  [[nodiscard]] std::vector<Delivery> give_up_resuming();

  /// From now on every push is refused; what is queued goes on being served.
  void begin_draining();
  /// From now on every push is refused. Returns all that no worker has begun; each keeps its place.
  [[nodiscard]] std::vector<Delivery> close();

  /// Waits until nothing is queued, held or running. False at the deadline. Waiting retries count.
  [[nodiscard]] bool wait_empty(std::chrono::steady_clock::time_point deadline);
  [[nodiscard]] bool empty() const noexcept { return occupied() == 0 && !backlog_.load(); }
  /// Says whether the journal holds more for this queue: then it is not empty.
  void set_backlog(bool there_is_more);
  /// Places that are free.
  [[nodiscard]] std::size_t room() const noexcept { return places_.room(); }
  [[nodiscard]] std::size_t capacity() const noexcept { return places_.capacity(); }

  void count_waiting(int change) noexcept { waiting_.fetch_add(static_cast<std::size_t>(change)); }
  [[nodiscard]] std::size_t occupied() const noexcept { return places_.occupied() + redriving_.load(); }
  /// Waiting for a retry, or held behind one of the same key.
  [[nodiscard]] std::size_t waiting() const;
  /// How many places were ever taken: tells whether anything happened between two looks.
  [[nodiscard]] std::uint64_t reservations() const noexcept { return places_.taken() + redrives_.load(); }

 private:
  enum class Mode : std::uint8_t { Open, Draining, Closed };

  void add_batch() TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] Pushed enqueue(Delivery& delivery) TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] bool take_permit() TIDINGS_REQUIRES(mutex_);
  void release_key(const std::string& key, KeyTurn& turn) TIDINGS_REQUIRES(mutex_);
  void lose_key(const std::string& key, KeyTurn& turn) TIDINGS_REQUIRES(mutex_);
  void fill(Batch& batch) TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] std::optional<Delivery> take_from_others(const Batch& own) TIDINGS_REQUIRES(mutex_);
  void notify_waiters();
  void notify_if_empty() noexcept;

  Places places_;
  const std::size_t concurrency_;
  const bool keyed_;
  /// What a worker takes at once. With several permits the later of a batch wait while another worker is at
  /// what came after them: for as long as this many handlers take.
  const std::size_t batch_size_;

  std::atomic<bool> backlog_{false};
  std::atomic<std::size_t> redriving_{0};  // beyond the places
  std::atomic<std::uint64_t> redrives_{0};
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::uint64_t> wakes_{0};
  std::atomic<std::size_t> waiting_for_room_{0};   // threads in wait_for_room
  std::atomic<std::size_t> waiting_for_empty_{0};  // threads in wait_empty

  // What publishers write for each event is apart from what workers read after each.
  /// How many batches incoming_ has. Changed under mutex_.
  alignas(kCacheLine) std::atomic<std::size_t> batches_waiting_{0};
  mutable Mutex mutex_;
  Mode mode_ TIDINGS_GUARDED_BY(mutex_) = Mode::Open;
  std::size_t permits_ TIDINGS_GUARDED_BY(mutex_) = 0;
  /// In order, in what a worker takes at once; none is empty.
  std::list<std::vector<Delivery>> incoming_ TIDINGS_GUARDED_BY(mutex_);
  Condition changed_;
  /// Empty ones, whose memory is used again.
  std::list<std::vector<Delivery>> spares_ TIDINGS_GUARDED_BY(mutex_);
  /// As many as there ever were permits at once.
  std::vector<std::unique_ptr<Batch>> batches_ TIDINGS_GUARDED_BY(mutex_);
  /// A key is listed while one of its deliveries is queued, running or waiting for a retry; the others wait
  /// here.
  std::unordered_map<std::string, std::deque<Delivery>> lanes_ TIDINGS_GUARDED_BY(mutex_);
  std::size_t held_ TIDINGS_GUARDED_BY(mutex_) = 0;
  /// With how many deliveries were refused.
  std::unordered_map<std::string, std::uint64_t> dead_keys_ TIDINGS_GUARDED_BY(mutex_);
  std::size_t parking_ TIDINGS_GUARDED_BY(mutex_) = 0;
  /// Keys whose lane only redrives pass, until all their letters are resolved; and those of them whose lane
  /// waits for one.
  std::unordered_set<std::string> resuming_ TIDINGS_GUARDED_BY(mutex_);
  std::unordered_set<std::string> idle_ TIDINGS_GUARDED_BY(mutex_);
};

/// What the holder of a permit has taken at once. `deliveries_` is changed by the holder alone, under the
/// queue's mutex; its elements belong to whoever moved `next_` past them.
class DeliveryQueue::Batch {
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
  friend class DeliveryQueue;
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

}  // namespace tidings::detail
