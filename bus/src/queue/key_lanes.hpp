#pragma once

#include "queue/delivery.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace tidings::detail {

/// What becomes of the deliveries behind one that ended.
enum class KeyOutcome : std::uint8_t {
  Next,    ///< The next delivery of the key may run.
  Refuse,  ///< All that wait behind it are handed back, and those to come are refused until the key's letters
           ///< are resolved or redriven.
};

/// Keys that are dead or resuming, at one moment.
struct KeyLook {
  /// Each with the number of its deliveries that were refused so far.
  std::vector<std::pair<std::string, std::uint64_t>> dead;
  std::vector<std::string> resuming;
};
/// What has become of a key's letters since that look: whether they are being redriven. A key that is not
/// listed has no unresolved letter.
using UnresolvedKeys = std::unordered_map<std::string, bool>;

/// All that a queue knows of ordering keys: one delivery of a key is on its way, and the others wait in its
/// lane. A part of DeliveryQueue, guarded by its mutex. Waits for memory rather than throw, but for
/// hold_all().
class KeyLanes {
 public:
  enum class Admitted : std::uint8_t {
    Ready,  ///< The delivery may run: it has the key.
    Held,   ///< It was moved into its lane.
    Dead,   ///< The key is dead: it is untouched, and to become a letter; parked() must follow.
  };
  /// A delivery that does not hold its key yet.
  [[nodiscard]] Admitted admit(Delivery& delivery, const std::string& key);
  /// A redrive runs before what waits in its lane, and what comes for its key waits behind it, though the key
  /// was dead.
  [[nodiscard]] Admitted admit_redrive(Delivery& delivery, const std::string& key);
  /// A Dead delivery is on its way to the sink.
  void parked() noexcept { --parking_; }

  /// What the end of a delivery leaves to be done.
  struct Passed {
    /// Handed back with it. Unless it is empty, pass_on() is to be called again once they were dealt with:
    /// the key is held until then, so that order is kept.
    std::vector<Delivery> refused;
    /// May run now.
    std::optional<Delivery> next;
  };
  /// The delivery that had the key has ended.
  [[nodiscard]] Passed pass_on(const std::string& key, KeyOutcome outcome);

  /// Takes a key for a delivery that waits for its retry. False: another delivery has it, or it is dead.
  [[nodiscard]] bool hold(const std::string& key);
  [[nodiscard]] bool has(const std::string& key) const { return lanes_.contains(key); }
  /// Before the first delivery: what comes for `dead` keys is refused, what comes for `resuming` ones waits
  /// for the redrive of their letters.
  void hold_all(std::vector<std::string> dead, std::vector<std::string> resuming);

  /// Returns nullopt if there is nothing to look at, or, with `later` set, while deliveries that were refused
  /// are still on their way to the sink.
  [[nodiscard]] std::optional<KeyLook> look(bool& later) const;
  struct Settled {
    /// Deliveries of keys that are dead again. Unless it is empty, settle() is to be called again once they
    /// were dealt with.
    std::vector<Delivery> parked;
    /// May run now.
    std::vector<Delivery> ready;
  };
  [[nodiscard]] Settled settle(const KeyLook& look, const UnresolvedKeys& unresolved);
  /// Whether nothing of the key runs until it is settled or another redrive comes.
  [[nodiscard]] bool waits_for_redrives(const std::string& key) const { return idle_.contains(key); }
  /// Hands back what waits for redrives that will not come.
  [[nodiscard]] std::vector<Delivery> give_up_resuming();

  /// How many wait in lanes.
  [[nodiscard]] std::size_t held() const noexcept { return held_; }
  /// Moves them all to `rest`, which has the memory for them. The keys stay taken.
  void surrender(std::vector<Delivery>& rest) noexcept;

 private:
  using Lane = std::deque<Delivery>;

  void free_key(const std::string& key, Settled& settled);
  void lose_key(const std::string& key, Settled& settled);
  [[nodiscard]] Delivery take_front(Lane& lane) noexcept;
  void take_lane(Lane& lane, std::vector<Delivery>& taken);

  /// A key is listed while one of its deliveries is queued, running or waiting for a retry; the others wait
  /// here.
  std::unordered_map<std::string, Lane> lanes_;
  std::size_t held_ = 0;
  /// Each with the number of deliveries that were refused.
  std::unordered_map<std::string, std::uint64_t> dead_keys_;
  std::size_t parking_ = 0;
  /// Keys whose lane only redrives pass, until all their letters are resolved; and those of them whose lane
  /// waits for one.
  std::unordered_set<std::string> resuming_;
  std::unordered_set<std::string> idle_;
};

}  // namespace tidings::detail
