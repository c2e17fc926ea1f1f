#include "ledger.hpp"

#include <optional>

namespace webhooks {
namespace {

using tidings::deadletter::Filter;
using tidings::deadletter::Resolution;

std::uint64_t count(tidings::deadletter::Reader& letters, const Filter& filter) {
  return static_cast<std::uint64_t>(letters.count(filter));
}

/// Adds the letters that failed in this run: its own, and those of earlier ones that were delivered again.
void add_failed_since(tidings::deadletter::Reader& letters, Filter filter, tidings::Timestamp since,
                      Account& account) {
  constexpr std::size_t kPage = 500;
  filter.since = since;
  std::optional<tidings::deadletter::Page::Cursor> after;
  do {
    const auto page = letters.list(filter, kPage, after);
    for (const auto& stored : page.letters) {
      const bool own = stored.letter.metadata.published_at >= since && !stored.edited_from;
      const bool handled = stored.resolution == Resolution::Reprocessed;
      if (own && !handled) ++account.dead_letters;
      if (!own && handled) ++account.redriven;
    }
    after = page.next;
  } while (after);
}

/// How many letters were redriven that failed before this run and not in it.
std::uint64_t redriven_since(tidings::deadletter::Reader& letters, Filter filter, tidings::Timestamp since) {
  filter.until = since;
  filter.resolution = Resolution::Reprocessed;
  const auto all = count(letters, filter);
  filter.resolved_before = since;
  return all - count(letters, filter);
}

}  // namespace

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
    Filter filter{.handler = entry.handler, .service = std::string(service)};
    if (entry.event_type != "*") filter.event_type = entry.event_type;
    accounts.push_back({.event_type = entry.event_type,
                        .handler = entry.handler,
                        .published = published_to(entry),
                        .handled = entry.handled,
                        .retries = entry.retries,
                        .redriven = redriven_since(letters, filter, since)});
    add_failed_since(letters, filter, since, accounts.back());
  }
  return accounts;
}

}  // namespace webhooks
