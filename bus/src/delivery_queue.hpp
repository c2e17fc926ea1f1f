#pragma once

#include "delivery.hpp"

#include <tidings/detail/mutex.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
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
/// Workers take deliveries while holding one of `concurrency` permits. With one permit and no keys the
/// permit's holder takes the whole queue at once and then works through that batch without a lock.
class DeliveryQueue {
 public:
  DeliveryQueue(std::size_t capacity, std::size_t concurrency, bool keyed)
      : capacity_(capacity), concurrency_(concurrency), keyed_(keyed) {}

  /// Takes a place for one delivery. False when there is none.
  [[nodiscard]] bool try_reserve() noexcept;
  /// Takes a place even if there is none: for a retry of a delivery that had no place so far.
  void reserve() noexcept {
    pushes_.fetch_add(1, std::memory_order_relaxed);
    occupied_.fetch_add(1);
  }
  /// Gives a place back: the delivery's life has ended, or it was not made.
  void release() noexcept;
  [[nodiscard]] bool has_room() const noexcept { return occupied_.load() < capacity_ + redriving_.load(); }
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

  /// The next delivery for the holder of a permit. Nothing: there is none, and the permit is gone.
  [[nodiscard]] std::optional<Delivery> pop();
  /// Says that the delivery that held `key` has ended. Returns those that are refused with it; each keeps its
  /// place. To be called again after they were dealt with, until there are none: the key is held so long, and
  /// order is kept. `needs_worker` is set when the caller must hand the subscriber to the pool.
  [[nodiscard]] std::vector<Delivery> end_key(const std::string& key, KeyOutcome outcome, bool& needs_worker);
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
  [[nodiscard]] bool empty() const noexcept { return occupied_.load() == 0; }

  void count_waiting(int change) noexcept { waiting_.fetch_add(static_cast<std::size_t>(change)); }
  [[nodiscard]] std::size_t occupied() const noexcept { return occupied_.load(); }
  /// Waiting for a retry, or held behind one of the same key.
  [[nodiscard]] std::size_t waiting() const;
  /// How many deliveries were ever pushed: tells whether anything happened between two looks.
  [[nodiscard]] std::uint64_t pushes() const noexcept { return pushes_.load(); }

 private:
  enum class Mode : std::uint8_t { Open, Draining, Closed };
  static constexpr std::size_t kStolen = SIZE_MAX / 2;

  [[nodiscard]] Pushed enqueue(Delivery& delivery) TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] bool take_permit() TIDINGS_REQUIRES(mutex_);
  void release_key(const std::string& key, KeyTurn& turn) TIDINGS_REQUIRES(mutex_);
  void lose_key(const std::string& key, KeyTurn& turn) TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] bool single() const noexcept { return concurrency_ == 1 && !keyed_; }
  void notify_waiters();

  const std::size_t capacity_;
  const std::size_t concurrency_;
  const bool keyed_;

  std::atomic<std::size_t> occupied_{0};
  std::atomic<std::size_t> redriving_{0};  // of those occupied
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::uint64_t> pushes_{0};
  std::atomic<std::uint64_t> wakes_{0};
  std::atomic<std::size_t> waiters_{0};  // threads in wait_for_room or wait_empty

  mutable Mutex mutex_;
  Condition changed_;
  Mode mode_ TIDINGS_GUARDED_BY(mutex_) = Mode::Open;
  std::size_t permits_ TIDINGS_GUARDED_BY(mutex_) = 0;
  std::deque<Delivery> incoming_ TIDINGS_GUARDED_BY(mutex_);
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

  /// Changed by the permit's holder under mutex_; its elements belong to whoever moved batch_next_ past them.
  std::deque<Delivery> batch_;
  std::atomic<std::size_t> batch_next_{0};
};

}  // namespace tidings::detail
