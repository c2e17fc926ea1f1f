#pragma once

#include "ending/bus_parts.hpp"
#include "queue/delivery.hpp"
#include "recovery/readmission.hpp"

#include <tidings/clock.hpp>
#include <tidings/journal.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tidings::detail {

/// Deliveries that may have killed the process: they run one at a time, before all others but those that
/// their own queue owes them first. Other durable deliveries are held back meanwhile. On the housekeeper's
/// thread, once it runs, but for end_turn().
class SuspectTrial final : public SuspectTurns {
 public:
  SuspectTrial(const BusParts& bus, Readmission& readmission) : bus_(bus), readmission_(readmission) {}

  /// What a crash left. Throws Error.
  void begin(std::span<const CrashSuspect> suspects, Instant now);
  /// Runs the next one, or lets the others go.
  void serve(Instant now);
  /// When to call serve() at the latest. Returns nullopt if no delivery is held back.
  [[nodiscard]] std::optional<Instant> due() const;
  void end_turn() noexcept override;

 private:
  struct Suspect {
    std::int64_t journal_id = 0;
    std::string handler;
    /// All that has to run before it has an id above this one.
    std::int64_t clear_up_to = 0;
  };
  void add(const CrashSuspect& suspect);
  [[nodiscard]] bool serve(Suspect& suspect, const std::shared_ptr<Subscriber>& subscriber,
                           OwedDelivery& row);
  [[nodiscard]] std::optional<OwedDelivery> owed_before(Suspect& suspect, Subscriber& subscriber,
                                                        const std::optional<std::string>& key);
  void run(const std::shared_ptr<Subscriber>& subscriber, OwedDelivery& row);

  const BusParts bus_;
  Readmission& readmission_;
  std::atomic<bool> runs_{false};
  std::vector<Suspect> suspects_;
  /// Until when other deliveries wait for the handler of a suspect to subscribe.
  Instant wait_until_{};
};

}  // namespace tidings::detail
