#include "ledger/owed_count.hpp"

#include <tidings/error.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

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

OwedCount::Numbers OwedCount::read() const {
  Numbers numbers;
  if (!journal_) return numbers;
  try {
    numbers.totals = journal_.port->owed_totals(kCounted);
  } catch (const Error& error) {
    numbers.problem = error.what();
  }
  return numbers;
}

/// A handler of all events may be owed events of many types.
OwedCount::Share OwedCount::share_of(const Subscriber& subscriber, const Numbers& numbers) const {
  Share share;
  for (const OwedTotal& total : numbers.totals) {
    if (total.service != setup_.options.service || !subscriber.serves(total.event_type, total.handler))
      continue;
    share.deliveries += total.deliveries;
    share.oldest = std::min(share.oldest.value_or(total.oldest_published_at), total.oldest_published_at);
  }
  return share;
}

std::vector<OwedTotal> OwedCount::unserved(std::vector<OwedTotal> totals,
                                           const Subscribers& subscribers) const {
  std::erase_if(totals, [&](const OwedTotal& total) {
    return std::any_of(subscribers.begin(), subscribers.end(), [&](const auto& subscriber) {
      return total.service == setup_.options.service && subscriber->serves(total.event_type, total.handler);
    });
  });
  return totals;
}

std::uint64_t OwedCount::owed_to_nobody(const Subscribers& subscribers, const Numbers& numbers) const {
  return deliveries(unserved(numbers.totals, subscribers));
}

/// What a lost journal owes is its next owner's to deliver.
bool OwedCount::owes_any(const Subscribers& subscribers) const {
  if (journal_.is_lost()) return false;
  const Numbers numbers = read();
  if (!numbers.problem.empty()) return true;
  const auto total = deliveries(numbers.totals);
  if (owed_to_nobody(subscribers, numbers) < total) return true;
  if (total < kCounted) return false;
  try {
    return std::any_of(subscribers.begin(), subscribers.end(), [&](const auto& subscriber) {
      return !journal_.port->owed({subscriber->queried_type(), subscriber->identity.handler, 0, INT64_MAX, 1})
                  .empty();
    });
  } catch (const Error&) {
    return true;
  }
}

}  // namespace tidings::detail
