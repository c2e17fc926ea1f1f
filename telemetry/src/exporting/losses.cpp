#include "exporting/losses.hpp"

#include <chrono>
#include <new>

namespace tidings::telemetry {
namespace {

constexpr std::chrono::minutes kBetweenRecords{1};
constexpr std::chrono::seconds kTellAgain{1};

}  // namespace

void Losses::add(std::uint64_t items, std::string_view problem) noexcept {
  counted_.fetch_add(items);
  try {
    problem_ = problem;
  } catch (const std::bad_alloc&) {
    problem_ = "no memory";  // so short that it needs none
  }
}

Instant Losses::tell_due(std::uint64_t in_all) const noexcept {
  return in_all > told_ ? next_ : Instant::max();
}

void Losses::tell_later(Instant now) noexcept { next_ = now + kTellAgain; }

void Losses::tell(const char* signal, std::uint64_t in_all, const std::string& otherwise,
                  const logging::Logger& logger, Instant now) {
  if (in_all == told_) return;
  logger.warning("telemetry_lost", {{"signal", signal},
                                    {"lost", in_all - told_},
                                    {"lost_in_all", in_all},
                                    {"problem", problem_.empty() ? otherwise : problem_}});
  problem_.clear();
  told_ = in_all;
  next_ = now + kBetweenRecords;
}

}  // namespace tidings::telemetry
