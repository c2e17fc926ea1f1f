#pragma once

#include <tidings/error.hpp>
#include <tidings/journal.hpp>
#include <tidings/memory_letter_sink.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace tidings::test {

/// A journal in memory, with its letters: what a store is to a bus, for tests that restart buses and break
/// commits. Thread-safe.
class MemoryJournal final : public LetterSink, public Journal {
 public:
  // --- LetterSink ---
  std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy when_busy) override {
    return letters_.store(letters, when_busy);
  }
  std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                     std::string_view handler) override {
    return letters_.dead_keys(service, event_type, handler);
  }
  Journal* journal() noexcept override { return this; }
  [[nodiscard]] PayloadEncryption encryption() const override { return encryption_used; }
  /// Not of what a process finds after a crash.
  PayloadEncryption encryption_used = {};

  // --- Journal ---
  JournalStart acquire(std::string_view service, std::chrono::milliseconds owner_wait) override {
    const std::lock_guard lock(mutex_);
    owner_wait_ = owner_wait;
    if (owned_) throw Error(ErrorCode::JournalOwned, "another bus of this process owns the journal");
    owned_ = true;
    service_ = service;
    JournalStart start{.next_id = rows_.empty() ? 1 : rows_.rbegin()->first + 1,
                       .events = rows_.size(),
                       .crashed = !suspects_.empty(),
                       .suspects = std::exchange(suspects_, {})};
    for (CrashSlot& slot : slots_) slot.journal_id.store(0);
    return start;
  }
  void release(bool clean) noexcept override {
    const std::lock_guard lock(mutex_);
    owned_ = false;
    released_cleanly_ = clean;
  }

  JournalCommit commit(const JournalBatch& batch) override {
    if (before_commit) before_commit(batch);
    const std::lock_guard lock(mutex_);
    if (failures_ > 0) {
      --failures_;
      throw Error(failure_, "the test broke this commit");
    }
    ++commits_;
    synced_ += batch.synced || !batch.letters.empty() ? 1U : 0U;
    JournalCommit result;
    for (const JournalAppend& append : batch.appended) {
      result.repeats.push_back(append_row(append));
      if (batch.synced) synced_events_.insert(append.metadata->event_id);
    }
    for (const JournalDelivery& delivery : batch.changed) change(delivery);
    for (const DeadLetter* letter : batch.letters) {
      if (is_of_repeat(*letter, batch, result.repeats)) {
        result.letters.push_back({LetterOutcome::Place::Repeat, 0, {}});
      } else {
        result.letters.push_back(letters_.store({letter, 1}, WhenBusy::Throw).front());
      }
    }
    for (const std::int64_t id : batch.finished) rows_.erase(id);
    return result;
  }

  std::vector<OwedDelivery> owed(const OwedQuery& query) override {
    std::vector<OwedDelivery> found = find_owed(query);
    for (OwedDelivery& row : found) row.has_letter = letters_are_there;
    if (after_read) after_read(query);
    return found;
  }

  std::vector<OwedTotal> owed_totals(std::size_t at_most) override {
    const std::lock_guard lock(mutex_);
    std::map<std::tuple<std::string, std::string, std::string>, OwedTotal> totals;
    for (const auto& [id, row] : rows_) {
      if (at_most-- == 0) break;
      for (const std::string& handler : row.event.handlers) {
        const auto known = row.deliveries.find(handler);
        if (known != row.deliveries.end() && known->second.done) continue;
        auto& total = totals[{row.service, row.event.event_type, handler}];
        if (total.deliveries++ == 0)
          total = {row.service, row.event.event_type, handler, 1, row.event.metadata.published_at};
      }
    }
    std::vector<OwedTotal> result;
    for (auto& [key, total] : totals) result.push_back(std::move(total));
    return result;
  }
  void report_unserved(std::span<const OwedTotal> handlers) override {
    const std::lock_guard lock(mutex_);
    unserved_.assign(handlers.begin(), handlers.end());
  }
  bool forget_keys(const KeyPeriod& remembered) override {
    const std::lock_guard lock(mutex_);
    std::size_t left = 500;
    for (auto key = keys_.begin(); key != keys_.end() && left > 0;) {
      const bool forgotten = !remembered.has(key->second.second);
      key = forgotten ? keys_.erase(key) : std::next(key);
      left -= forgotten ? 1 : 0;
    }
    return left == 0;
  }
  std::span<CrashSlot> crash_slots() noexcept override { return slots_; }
  bool transactions_ended(std::span<const std::int64_t>) noexcept override { return !transaction_is_open; }

  // --- what tests do to it and ask of it ---

  /// Called before each commit and after each reading of what is owed, while others may use it. To be set
  /// before a bus has it.
  std::function<void(const JournalBatch&)> before_commit;
  std::function<void(const OwedQuery&)> after_read;
  /// What is owed has letters, which the process before spilled. To be set before a bus has it.
  bool letters_are_there = false;
  /// Somebody's transaction has not ended.
  std::atomic<bool> transaction_is_open{false};

  /// The next `count` commits fail.
  void fail_commits(std::size_t count, ErrorCode code) {
    const std::lock_guard lock(mutex_);
    failures_ = count;
    failure_ = code;
  }
  /// What the next owner finds.
  void suspect(CrashSuspect suspect) {
    const std::lock_guard lock(mutex_);
    suspects_.push_back(std::move(suspect));
  }
  /// A copy as a crash at this moment would leave it, without an owner.
  [[nodiscard]] std::shared_ptr<MemoryJournal> after_crash() const {
    const std::lock_guard lock(mutex_);
    auto copy = std::make_shared<MemoryJournal>();
    copy->rows_ = rows_;
    copy->keys_ = keys_;
    for (const DeadLetter& letter : letters_.letters())
      static_cast<void>(copy->letters_.store({&letter, 1}, WhenBusy::Throw));
    return copy;
  }
  [[nodiscard]] std::size_t events() const {
    const std::lock_guard lock(mutex_);
    return rows_.size();
  }
  [[nodiscard]] std::size_t keys() const {
    const std::lock_guard lock(mutex_);
    return keys_.size();
  }
  [[nodiscard]] bool has(std::int64_t id) const {
    const std::lock_guard lock(mutex_);
    return rows_.contains(id);
  }
  [[nodiscard]] std::chrono::milliseconds owner_wait() const {
    const std::lock_guard lock(mutex_);
    return owner_wait_;
  }
  [[nodiscard]] bool released_cleanly() const {
    const std::lock_guard lock(mutex_);
    return released_cleanly_;
  }
  [[nodiscard]] std::size_t commits() const {
    const std::lock_guard lock(mutex_);
    return commits_;
  }
  [[nodiscard]] std::size_t synced() const {
    const std::lock_guard lock(mutex_);
    return synced_;
  }
  /// Whether the commit of that event was synced.
  [[nodiscard]] bool is_synced(const EventId& event) const {
    const std::lock_guard lock(mutex_);
    return synced_events_.contains(event);
  }
  /// What the journal knows of one delivery.
  [[nodiscard]] JournalDelivery known(std::int64_t id, const std::string& handler) const {
    const std::lock_guard lock(mutex_);
    const auto row = rows_.find(id);
    if (row == rows_.end()) return {};
    const auto delivery = row->second.deliveries.find(handler);
    return delivery == row->second.deliveries.end() ? JournalDelivery{} : delivery->second;
  }
  [[nodiscard]] std::vector<DeadLetter> letters() const { return letters_.letters(); }
  [[nodiscard]] std::vector<OwedTotal> unserved() const {
    const std::lock_guard lock(mutex_);
    return unserved_;
  }

 private:
  struct Row {
    std::string service;
    OwedDelivery event;
    std::map<std::string, JournalDelivery> deliveries;
  };

  std::optional<EventId> append_row(const JournalAppend& append) {
    if (!append.idempotency_key.empty()) {
      const auto key = std::pair(append.metadata->source.str(), std::string(append.idempotency_key));
      const std::pair use(append.metadata->event_id, append.metadata->published_at);
      const auto [known, is_new] = keys_.try_emplace(key, use);
      if (!is_new && append.key_period.has(known->second.second)) return known->second.first;
      known->second = use;
    }
    OwedDelivery event;
    event.journal_id = append.id;
    event.event_type = append.event_type;
    event.schema_version = append.schema_version;
    event.data = *append.data;
    event.metadata = *append.metadata;
    event.handlers = Json::parse(append.handlers).get<std::vector<std::string>>();
    if (!event.handlers.empty()) rows_.emplace(append.id, Row{service_, std::move(event), {}});
    return std::nullopt;
  }
  void change(const JournalDelivery& delivery) {
    const auto row = rows_.find(delivery.journal_id);
    if (row == rows_.end()) return;
    JournalDelivery& known = row->second.deliveries[delivery.handler];
    const bool done = known.done || delivery.done;
    known = delivery;
    known.done = done;
    const auto& deliveries = row->second.deliveries;
    const auto ended = std::count_if(deliveries.begin(), deliveries.end(),
                                     [](const auto& each) { return each.second.done; });
    if (static_cast<std::size_t>(ended) == row->second.event.handlers.size()) rows_.erase(row);
  }
  [[nodiscard]] std::vector<OwedDelivery> find_owed(const OwedQuery& query) const {
    const std::lock_guard lock(mutex_);
    std::vector<OwedDelivery> found;
    for (auto row = rows_.upper_bound(query.after); row != rows_.end() && row->first <= query.up_to; ++row) {
      if (found.size() == query.limit) break;
      if (auto delivery = owed_by(row->second, query)) found.push_back(std::move(*delivery));
    }
    return found;
  }
  [[nodiscard]] std::optional<OwedDelivery> owed_by(const Row& row, const OwedQuery& query) const {
    if (row.service != service_) return std::nullopt;
    const auto& handlers = row.event.handlers;
    const std::string handler(query.handler);
    if (!query.event_type.empty() && row.event.event_type != query.event_type) return std::nullopt;
    if (std::find(handlers.begin(), handlers.end(), handler) == handlers.end()) return std::nullopt;
    OwedDelivery result = row.event;
    result.delivery.journal_id = row.event.journal_id;
    result.delivery.handler = handler;
    for (const auto& [name, delivery] : row.deliveries) {
      if (delivery.done) result.done.push_back(name);
      if (name == handler) result.delivery = delivery;
    }
    if (result.delivery.done) return std::nullopt;
    return result;
  }

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::int64_t, Row> rows_;
  std::map<std::pair<std::string, std::string>, std::pair<EventId, Timestamp>> keys_;
  std::vector<CrashSuspect> suspects_;
  std::vector<OwedTotal> unserved_;
  std::size_t failures_ = 0;
  ErrorCode failure_ = ErrorCode::DatabaseUnusable;
  std::size_t commits_ = 0;
  std::size_t synced_ = 0;
  std::set<EventId> synced_events_;
  std::chrono::milliseconds owner_wait_{0};
  bool owned_ = false;
  bool released_cleanly_ = false;
  std::string service_;

  MemoryLetterSink letters_;
  std::array<CrashSlot, 1024> slots_{};
};

}  // namespace tidings::test
