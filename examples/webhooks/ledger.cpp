#include "ledger.hpp"

namespace webhooks {

std::uint64_t Ledger::events() const {
  std::uint64_t sum = 0;
  for (const auto& each : published_) sum += each.second;
  return sum;
}

std::uint64_t Ledger::published_to(const Entry& entry) const {
  if (entry.event_type == "*") return events();
  const auto found = published_.find(entry.event_type);
  return found == published_.end() ? 0 : found->second;
}

std::vector<Account> Ledger::accounts(tidings::deadletter::Reader& letters, std::string_view service,
                                      tidings::Timestamp since) const {
  std::vector<Account> accounts;
  for (const Entry& entry : entries_) {
    // A letter names the event's own type, also when a handler of all events failed.
    tidings::deadletter::Filter filter{
        .handler = entry.handler, .service = std::string(service), .since = since};
    if (entry.event_type != "*") filter.event_type = entry.event_type;
    accounts.push_back({.event_type = entry.event_type,
                        .handler = entry.handler,
                        .published = published_to(entry),
                        .handled = entry.handled,
                        .retries = entry.retries,
                        .dead_letters = static_cast<std::uint64_t>(letters.count(filter))});
  }
  return accounts;
}

}  // namespace webhooks
