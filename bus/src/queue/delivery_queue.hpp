#pragma once

#include "event/prefetch.hpp"
#include "queue/batches.hpp"
#include "queue/delivery.hpp"
#include "queue/key_lanes.hpp"
#include "queue/occupancy.hpp"

#include <tidings/detail/mutex.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tidings::detail {

/// The deliveries of one subscriber that are queued, held behind one of the same ordering key, waiting for a
/// retry, or running on a worker. Thread-safe.
class DeliveryQueue : public Occupancy {
 public:
  DeliveryQueue(std::size_t capacity, std::size_t concurrency, bool keyed)
      : Occupancy(capacity), keyed_(keyed), batches_(concurrency) {}

  // --- coming in ---

  enum class Pushed : std::uint8_t {
    Queued,       ///< A worker is on it already.
    NeedsWorker,  ///< The caller now holds a permit and must hand the subscriber to the pool.
    Parked,       ///< The key is dead: `delivery` is untouched, keeps its place, and is to become a letter;
                  ///< parked() must follow.
    Refused,      ///< The queue is not open; `delivery` is untouched and keeps its place.
  };
  /// A delivery that does not hold its key yet, in the place the caller has reserved.
  [[nodiscard]] Pushed push(Delivery& delivery);
  /// A Parked delivery is on its way to the sink.
  void parked();
  /// The redrive of a letter, in a place beyond the queue's bound. It runs before what waits behind its key,
  /// and what comes for its key waits behind it, though the key was dead. Refused: untouched, without a
  /// place.
  [[nodiscard]] Pushed push_redrive(Delivery& delivery);
  /// A retry that is due.
  [[nodiscard]] Pushed push_retry(Delivery& delivery);

  // --- serving: see Batches ---

  [[nodiscard]] Batch& begin_serving();
  [[nodiscard]] std::optional<Delivery> take_more(Batch& batch);
  void pause_serving(Batch& batch);
  [[nodiscard]] bool has_more() const noexcept { return batches_.has_more(); }
  [[nodiscard]] bool has_plenty() const noexcept { return batches_.has_plenty(); }

  // --- ordering keys: see KeyLanes ---

  /// Says that the delivery that held `key` has ended. Returns those that are refused with it; each keeps its
  /// place. To be called again after they were dealt with, until there are none. `needs_worker` is set when
  /// the caller must hand the subscriber to the pool.
  [[nodiscard]] std::vector<Delivery> end_key(const std::string& key, KeyOutcome outcome, bool& needs_worker);
  [[nodiscard]] bool hold_key(const std::string& key);
  [[nodiscard]] bool has_key(const std::string& key) const;
  void hold_keys(std::vector<std::string> dead, std::vector<std::string> resuming);
  [[nodiscard]] std::optional<KeyLook> look_at_keys(bool& later) const;
  struct KeyTurn {
    /// Deliveries of keys that are dead again; each keeps its place. To be called again after they were dealt
    /// with, until there are none.
    std::vector<Delivery> parked;
    /// How often the caller must hand the subscriber to the pool.
    std::size_t permits = 0;
  };
  [[nodiscard]] KeyTurn settle_keys(const KeyLook& look, const UnresolvedKeys& unresolved);
  [[nodiscard]] bool waits_for_redrives(const std::string& key) const;

  // --- the end ---

  /// From now on every push is refused; what is queued goes on being served.
  void begin_draining();
  /// Hands back what waits for redrives that will not come, as the queue drains. Each keeps its place.
  [[nodiscard]] std::vector<Delivery> give_up_resuming();
  /// From now on every push is refused. Returns all that no worker has begun; each keeps its place.
  [[nodiscard]] std::vector<Delivery> close();

  /// Waiting for a retry, or held behind one of the same key.
  [[nodiscard]] std::size_t waiting() const;

 private:
  enum class Mode : std::uint8_t { Open, Draining, Closed };

  [[nodiscard]] Pushed enqueue(Delivery& delivery) TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] Pushed enqueue(KeyLanes::Admitted admitted, Delivery& delivery) TIDINGS_REQUIRES(mutex_);

  const bool keyed_;
  // What publishers write for each event is apart from what workers read after each.
  alignas(kCacheLine) mutable Mutex mutex_;
  Mode mode_ TIDINGS_GUARDED_BY(mutex_) = Mode::Open;
  Batches batches_;  // guarded by mutex_, but for looks
  KeyLanes lanes_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::detail
