#pragma once

#include "memory/failing_new.hpp"
#include "simulation/bursts.hpp"
#include "simulation/shop.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace tidings::simulation {

/// The service's process: it does what the driver says, a step a line, and answers each with a line
/// `reply ...`. Its history and the replies come in the order in which they were written.
///
/// Steps: burst (see Bursts), join, quiet (waits until the bus is idle), redrive (canary, stop), on, off
/// (handler), clock (hours), disk (the nth write fails: lasting, what: full, or io, which syncs fail with,
/// too), memory (nth, burst: allocations of the bus's threads, handlers and publishers fail), heal, stop
/// (ms), end.
class Service {
 public:
  Service(const std::filesystem::path& database, const Step& life, int pipe);
  /// False: that was the last.
  bool obey(const Step& step);

 private:
  [[nodiscard]] std::string answer_to(const Step& step);
  void break_disk(const Step& step);
  void heal();
  [[nodiscard]] std::string quiet();
  [[nodiscard]] std::string stopped(const Step& step);
  [[nodiscard]] std::string redrive(const Step& step);
  [[nodiscard]] std::string changed_subscription(const Step& step);

  Scribe scribe_;
  Shop shop_;
  Bursts bursts_;
  std::optional<memory::ScarceMemory> scarce_;
};

/// Threads linger at kill points: how long each time, the seed says; longer at those in `long_at`.
void linger_at_kill_points(std::uint64_t seed, const std::string& long_at);

/// `main` of the service's process. `life` is the step that began it.
int run_service(const std::filesystem::path& database, const std::string& life, int commands, int pipe);

}  // namespace tidings::simulation
