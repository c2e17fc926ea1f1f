#include "recovery/transaction_watch.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace tidings::detail {
namespace {

constexpr std::chrono::milliseconds kLookForCommits{500};
constexpr std::chrono::milliseconds kLookAgain{5};
constexpr int kLooksSoon = 20;

}  // namespace

void TransactionWatch::look_soon() noexcept { looks_wanted_.store(kLooksSoon); }

std::optional<Instant> TransactionWatch::look(Instant now) {
  const std::vector<std::int64_t> ids = journal_.ledger->reserved();
  if (ids.empty()) return std::nullopt;
  if (journal_.port->transactions_ended(ids)) {
    journal_.ledger->transactions_ended(ids);
    return std::nullopt;
  }
  if (looks_wanted_.load() <= 0) return now + kLookForCommits;
  looks_wanted_.fetch_sub(1);
  return now + kLookAgain;
}

std::optional<Instant> TransactionWatch::due(Instant now) const {
  if (!journal_.ledger->awaits_transactions()) return std::nullopt;
  return now + kLookForCommits;
}

}  // namespace tidings::detail
