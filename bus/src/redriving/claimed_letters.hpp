#pragma once

#include <tidings/redrive.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tidings::detail {

/// Letters that are claimed and whose deliveries have not ended, and what they may not be delivered before. A
/// part of Redriver, guarded by its mutex.
class ClaimedLetters {
 public:
  [[nodiscard]] bool empty() const noexcept { return held_.empty(); }
  /// Whether so few are at hand that more are to be claimed.
  [[nodiscard]] bool wants_more() const noexcept { return held_.size() < kFew; }
  [[nodiscard]] bool full() const noexcept { return held_.size() >= kMostHeld; }
  /// Leaves out handlers with enough at hand, so that they hold up no other.
  void leave_out_busy(std::vector<ServedHandler>& handlers) const;
  /// The limited requests of letters that have not begun, one for each letter.
  [[nodiscard]] std::vector<std::int64_t> waiting_requests() const;

  /// A claim is under way until hold(): it does not know of what is blocked meanwhile.
  void begin_claim() noexcept { claiming_ = true; }
  void hold(const LetterClaim& claim);

  struct Begun {
    /// Set if an earlier letter of its lane was not delivered: how this one is to end without a run.
    std::optional<RedriveResult::End> instead;
    /// It is the last of its limited request that is at hand.
    bool last_of_request = false;
  };
  Begun begin(std::int64_t id);
  /// Its delivery has ended. True: it was of a limited request.
  bool end(const RedriveResult& result);
  /// It has ended, and the sink knows.
  void forget(std::int64_t id) { held_.erase(id); }
  /// The sink knows of these ends.
  void settled(const std::vector<RedriveResult>& results);

 private:
  static constexpr std::size_t kMostHeld = 1024;
  /// With fewer than these at hand more are claimed.
  static constexpr std::size_t kFew = 64;

  struct Held {
    std::string event_type;
    std::string handler;
    /// Event type, handler and ordering key, if it has one.
    std::string lane;
    std::optional<std::int64_t> limited_request;
    bool begun = false;
    /// An earlier letter of its lane was not delivered: nor is this one to be.
    std::optional<RedriveResult::End> instead;
  };
  /// A letter that parks all that follow it in its lane.
  struct Block {
    std::int64_t id = 0;
    std::string lane;
    RedriveResult::End behind;
    /// The sink knows; a claim that begins from now on needs no check.
    bool settled = false;
  };

  void block_behind(const RedriveResult& result, const std::string& lane);
  void block(const Block& block);

  std::map<std::int64_t, Held> held_;
  /// What was blocked: until the sink knows, and letters that were being claimed meanwhile are held.
  std::vector<Block> blocks_;
  bool claiming_ = false;
};

}  // namespace tidings::detail
