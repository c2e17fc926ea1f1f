#include "letters/memory_redrives.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace tidings::detail {
namespace {

bool is_same_delivery(const DeadLetter& left, const DeadLetter& right) {
  return left.metadata.event_id == right.metadata.event_id && left.service == right.service &&
         left.handler == right.handler;
}

bool is_same_handler(const DeadLetter& left, const DeadLetter& right) {
  return left.service == right.service && left.event_type == right.event_type &&
         left.handler == right.handler;
}

bool has_fields(const ContextFields& has, const std::vector<FieldValue>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const FieldValue& each) {
    const ContextValue* const found = has.find(each.name);
    return found != nullptr && found->to_string() == each.value;
  });
}

/// As the handler needs it: there, and not masked.
bool has_whole_payload(const DeadLetter& letter) {
  return letter.data.encoding != DataEncoding::None && letter.data.encoding != DataEncoding::Masked;
}

bool matches(const LetterFilter& filter, const DeadLetter& letter, std::int64_t id) {
  const auto is = [](const auto& wanted, const auto& actual) { return !wanted || *wanted == actual; };
  const bool named =
      !filter.ids || std::find(filter.ids->begin(), filter.ids->end(), id) != filter.ids->end();
  return named && is(filter.event_type, letter.event_type) && is(filter.handler, letter.handler) &&
         is(filter.fingerprint, letter.error_fingerprint) &&
         is(filter.correlation_id, letter.metadata.correlation_id.to_string()) &&
         is(filter.event_id, letter.metadata.event_id) && has_fields(letter.metadata.fields, filter.fields) &&
         is(filter.reason, letter.reason) && (!filter.since || letter.failed_at >= *filter.since) &&
         (!filter.until || letter.failed_at < *filter.until);
}

const ServedHandler* handler_of(const DeadLetter& letter, std::span<const ServedHandler> handlers) {
  const auto serves = [&](std::string_view type) {
    return std::find_if(handlers.begin(), handlers.end(), [&](const ServedHandler& handler) {
      return handler.event_type == type && handler.handler == letter.handler;
    });
  };
  auto found = serves(letter.event_type);
  if (found == handlers.end()) found = serves("*");
  return found == handlers.end() ? nullptr : &*found;
}

}  // namespace

MemoryRedrives::Added MemoryRedrives::add(const DeadLetter& letter) {
  const MutexLock lock(mutex_);
  const auto known = std::find_if(records_.begin(), records_.end(), [&](const Record& record) {
    return is_same_delivery(record.letter, letter);
  });
  const std::int64_t id = known - records_.begin() + 1;
  if (known != records_.end()) return {id, false};
  records_.emplace_back().letter = letter;
  changed_ = true;
  return {id, true};
}

std::vector<DeadLetter> MemoryRedrives::letters(bool resolved_too) const {
  const MutexLock lock(mutex_);
  std::vector<DeadLetter> letters;
  for (const Record& record : records_) {
    if (resolved_too || !record.resolved) letters.push_back(record.letter);
  }
  return letters;
}

std::vector<std::string> MemoryRedrives::dead_keys(std::string_view service, std::string_view event_type,
                                                   std::string_view handler) const {
  const MutexLock lock(mutex_);
  std::vector<std::string> keys;
  for (const Record& record : records_) {
    const DeadLetter& letter = record.letter;
    if (record.resolved || !letter.ordering_key || letter.service != service) continue;
    if (letter.event_type != event_type || letter.handler != handler) continue;
    if (std::find(keys.begin(), keys.end(), *letter.ordering_key) == keys.end())
      keys.push_back(*letter.ordering_key);
  }
  return keys;
}

RedriveRequest MemoryRedrives::mark(std::string_view service, const LetterFilter& filter,
                                    const RedriveOptions& options, Timestamp) {
  const MutexLock lock(mutex_);
  RedriveRequest request{std::ssize(requests_) + 1, 0};
  for (Record& record : records_) {
    if (record.resolved || record.marked || !record.claimed_by.empty()) continue;
    if (!has_whole_payload(record.letter)) continue;
    if (record.letter.service != service || !matches(filter, record.letter, &record - records_.data() + 1))
      continue;
    record.marked = true;
    record.redrive_id = request.id;
    ++request.letters;
  }
  if (request.letters == 0) return {};
  requests_[request.id].options = options;
  changed_ = true;
  return request;
}

bool MemoryRedrives::changed() {
  const MutexLock lock(mutex_);
  return std::exchange(changed_, false);
}

MemoryRedrives::Record* MemoryRedrives::find(std::string_view claimant, std::int64_t id) {
  if (id < 1 || id > std::ssize(records_)) return nullptr;
  Record& record = records_[static_cast<std::size_t>(id - 1)];
  return record.claimed_by == claimant ? &record : nullptr;
}

MemoryRedrives::Request* MemoryRedrives::request_of(const Record& record) {
  if (!record.redrive_id) return nullptr;
  const auto found = requests_.find(*record.redrive_id);
  return found == requests_.end() ? nullptr : &found->second;
}

std::size_t MemoryRedrives::budget(std::int64_t id, const Request& request, const ClaimRequest& wanted) {
  if (request.stopped) return 0;
  std::size_t letters = std::numeric_limits<std::size_t>::max();
  const std::int64_t begun = request.succeeded + request.failed + request.claimed;
  if (request.options.canary && request.succeeded < std::int64_t{*request.options.canary}) {
    const std::int64_t left = std::int64_t{*request.options.canary} - begun;
    letters = static_cast<std::size_t>(std::max<std::int64_t>(left, 0));
  }
  if (!request.options.rate) return letters;
  if (std::find(wanted.waiting.begin(), wanted.waiting.end(), id) != wanted.waiting.end()) return 0;
  const auto by_rate =
      pace_.allowed(id, *request.options.rate, static_cast<std::uint64_t>(begun), wanted.now);
  return std::min(letters, by_rate);
}

/// Whether an earlier letter of its key has to be delivered first. The order of those that the claimant holds
/// is kept by the claimant.
bool MemoryRedrives::must_wait(const Record& record, const ServedHandler& handler,
                               std::string_view claimant) const {
  if (!record.letter.ordering_key) return false;
  return std::any_of(records_.data(), &record, [&](const Record& earlier) {
    return !earlier.resolved && earlier.letter.ordering_key == record.letter.ordering_key &&
           is_same_handler(earlier.letter, record.letter) && earlier.claimed_by != claimant &&
           (handler.parks || earlier.coming());
  });
}

std::vector<MemoryRedrives::Record*> MemoryRedrives::candidates(std::string_view service) {
  std::vector<Record*> found;
  for (Record& record : records_) {
    if (record.letter.service != service || record.resolved || !record.claimed_by.empty()) continue;
    if (record.coming()) found.push_back(&record);
  }
  std::stable_sort(found.begin(), found.end(), [](const Record* left, const Record* right) {
    return left->redrive_id.value_or(0) < right->redrive_id.value_or(0);
  });
  return found;
}

void MemoryRedrives::take(Record& record, const ClaimRequest& wanted, LetterClaim& claim) {
  record.marked = true;
  record.claimed_by = wanted.claimant;
  ClaimedLetter claimed{&record - records_.data() + 1, record.redrive_id, false, record.letter};
  if (Request* const request = request_of(record)) {
    ++request->claimed;
    request->open = true;
    const RedriveOptions& options = request->options;
    claimed.limited = options.canary || options.rate || options.stop_after;
    if (options.rate) pace_.claimed(*record.redrive_id, *options.rate, 1, wanted.now);
  }
  claim.letters.push_back(std::move(claimed));
}

LetterClaim MemoryRedrives::claim(const ClaimRequest& wanted) {
  const MutexLock lock(mutex_);
  LetterClaim claim;
  std::map<std::int64_t, std::size_t> budgets;
  std::size_t bytes = 0;
  for (Record* const record : candidates(wanted.service)) {
    const ServedHandler* const handler = handler_of(record->letter, wanted.handlers);
    if (handler == nullptr || must_wait(*record, *handler, wanted.claimant)) continue;
    const bool full = claim.letters.size() >= wanted.most_letters || bytes >= wanted.most_bytes;
    claim.more = claim.more || full;
    if (full) break;
    if (const Request* const request = request_of(*record)) {
      const auto [entry, is_new] = budgets.try_emplace(*record->redrive_id, 0);
      if (is_new) entry->second = budget(*record->redrive_id, *request, wanted);
      if (entry->second == 0) continue;
      --entry->second;
    }
    bytes += record->letter.data.bytes.size();
    take(*record, wanted, claim);
  }
  for (const auto& [id, left] : budgets) {
    if (!requests_.at(id).options.rate) continue;
    const Instant next = pace_.next(id);
    if (next > wanted.now) claim.next = std::min(claim.next.value_or(next), next);
  }
  return claim;
}

bool MemoryRedrives::begin(std::string_view claimant, std::int64_t id, Timestamp) {
  const MutexLock lock(mutex_);
  const Record* const record = find(claimant, id);
  if (record == nullptr || record->resolved) return false;
  const Request* const request = request_of(*record);
  return request == nullptr || !request->stopped;
}

void MemoryRedrives::withdraw_behind(const Record& failed) {
  for (Record* record = records_.data() + (&failed - records_.data()) + 1;
       record != records_.data() + records_.size(); ++record) {
    if (!record->claimed_by.empty() || !is_same_handler(record->letter, failed.letter) ||
        record->letter.ordering_key != failed.letter.ordering_key)
      continue;
    record->marked = false;
    record->redrive_id.reset();
  }
}

void MemoryRedrives::settle_one(Record& record, const RedriveResult& result) {
  using End = RedriveResult::End;
  Request* const request = request_of(record);
  if (request != nullptr) --request->claimed;
  record.claimed_by.clear();
  if (result.end == End::Returned && (request == nullptr || !request->stopped)) return;
  record.marked = false;
  record.redrive_id.reset();
  if (result.end == End::Reprocessed) record.resolved = true;
  if (result.end == End::Failed) {
    record.letter = result.letter;
    if (result.parks && record.letter.ordering_key) withdraw_behind(record);
  }
  if (request == nullptr) return;
  if (result.end == End::Reprocessed) ++request->succeeded;
  if (result.end == End::Failed) ++request->failed;
}

std::optional<RedriveEnd> MemoryRedrives::end_of(std::int64_t id, Request& request) {
  if (!request.open) return std::nullopt;
  const bool canary_failed = request.options.canary && request.failed > 0 &&
                             request.succeeded + request.failed <= std::int64_t{*request.options.canary};
  request.stopped =
      canary_failed || (request.options.stop_after && request.failed >= *request.options.stop_after);
  if (request.stopped) {
    for (Record& record : records_) {
      if (record.redrive_id != id || !record.claimed_by.empty()) continue;
      record.marked = false;
      record.redrive_id.reset();
    }
  }
  const bool any_left = std::any_of(records_.begin(), records_.end(),
                                    [&](const Record& record) { return record.redrive_id == id; });
  if (any_left) return std::nullopt;
  request.open = false;
  pace_.forget(id);
  return RedriveEnd{id, request.stopped, request.succeeded, request.failed};
}

std::vector<RedriveEnd> MemoryRedrives::settle(std::string_view claimant,
                                               std::span<const RedriveResult> results) {
  const MutexLock lock(mutex_);
  for (const RedriveResult& result : results) {
    if (Record* const record = find(claimant, result.id)) settle_one(*record, result);
  }
  changed_ = true;
  std::vector<RedriveEnd> ended;
  for (auto& [id, request] : requests_) {
    if (const auto end = end_of(id, request)) ended.push_back(*end);
  }
  return ended;
}

RedriveUpkeep MemoryRedrives::tend(std::string_view, std::chrono::milliseconds, Timestamp) {
  const MutexLock lock(mutex_);
  RedriveUpkeep upkeep;
  for (auto& [id, request] : requests_) {
    if (const auto end = end_of(id, request)) upkeep.ended.push_back(*end);
  }
  return upkeep;
}

std::vector<LetterKey> MemoryRedrives::keys(std::string_view service, const ServedHandler& handler) {
  const MutexLock lock(mutex_);
  std::vector<LetterKey> keys;
  for (const Record& record : records_) {
    const DeadLetter& letter = record.letter;
    if (record.resolved || !letter.ordering_key || letter.service != service) continue;
    if (letter.event_type != handler.event_type || letter.handler != handler.handler) continue;
    if (!handler.parks && letter.reason != Reason::Shutdown) continue;
    const bool known = std::any_of(keys.begin(), keys.end(),
                                   [&](const LetterKey& key) { return key.key == *letter.ordering_key; });
    if (!known) keys.push_back({*letter.ordering_key, record.coming()});
  }
  return keys;
}

}  // namespace tidings::detail
