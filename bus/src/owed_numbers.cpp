#include "bus_core.hpp"

#include <tidings/error.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

// What the journal owes, in numbers. They are read from the journal itself, not from what memory thinks of
// it, so that wait_idle, snapshot and the report of a stop tell of what nobody works on.

namespace tidings::detail {

namespace {

/// More events than this are not counted.
constexpr std::size_t kCounted = 10'000;

std::uint64_t deliveries(const std::vector<OwedTotal>& totals) {
  std::uint64_t sum = 0;
  for (const OwedTotal& total : totals) sum += total.deliveries;
  return sum;
}

}  // namespace

BusCore::OwedNumbers BusCore::owed_numbers() const {
  OwedNumbers numbers;
  if (!journal_) return numbers;
  try {
    numbers.totals = journal_port_->owed_totals(kCounted);
  } catch (const Error& error) {
    numbers.problem = error.what();
  }
  return numbers;
}

/// A handler of all events may be owed events of many types.
std::uint64_t BusCore::owed_to(const Subscriber& subscriber, const OwedNumbers& numbers) const {
  std::uint64_t sum = 0;
  for (const OwedTotal& total : numbers.totals) {
    if (total.service == options_.service && subscriber.serves(total.event_type, total.handler))
      sum += total.deliveries;
  }
  return sum;
}

std::vector<OwedTotal> BusCore::unserved_of(std::vector<OwedTotal> totals,
                                            const Subscribers& subscribers) const {
  std::erase_if(totals, [&](const OwedTotal& total) {
    return std::any_of(subscribers.begin(), subscribers.end(), [&](const auto& subscriber) {
      return total.service == options_.service && subscriber->serves(total.event_type, total.handler);
    });
  });
  return totals;
}

std::uint64_t BusCore::owed_to_nobody(const Subscribers& subscribers, const OwedNumbers& numbers) const {
  return deliveries(unserved_of(numbers.totals, subscribers));
}

/// True, too, when the journal cannot be asked. What a lost journal owes is its next owner's to deliver.
bool BusCore::owes_any(const Subscribers& subscribers) const {
  if (journal_ && journal_->commits.lost()) return false;
  const OwedNumbers numbers = owed_numbers();
  if (!numbers.problem.empty()) return true;
  const auto total = deliveries(numbers.totals);
  if (owed_to_nobody(subscribers, numbers) < total) return true;
  if (total < kCounted) return false;
  try {
    return std::any_of(subscribers.begin(), subscribers.end(), [&](const auto& subscriber) {
      return !journal_port_->owed({subscriber->queried_type(), subscriber->identity.handler, 0, INT64_MAX, 1})
                  .empty();
    });
  } catch (const Error&) {
    return true;
  }
}

}  // namespace tidings::detail
