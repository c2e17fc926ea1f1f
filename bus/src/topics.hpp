#pragma once

#include "subscriber.hpp"

#include <tidings/detail/mutex.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tidings::detail {

/// Who subscribes to one event type. Made by the first subscription; lives as long as the bus.
struct Topic {
  explicit Topic(std::string_view type) : event_type(type) {}
  const std::string event_type;
  /// Never null. Read under hazard protection only.
  std::atomic<const SubscriberList*> list{nullptr};
  /// The type's own subscribers, in order of subscription. Guarded by the mutex of Topics.
  std::vector<std::shared_ptr<Subscriber>> members;
};

/// All subscriptions of a bus. Finding a topic takes no lock and writes nothing; changing takes a mutex,
/// replaces whole lists and frees the old ones once no hazard protects them.
class Topics {
 public:
  Topics();
  ~Topics();
  Topics(const Topics&) = delete;
  Topics& operator=(const Topics&) = delete;

  /// The topic of a type, or the one that serves all types without subscribers (it has the wildcards).
  [[nodiscard]] const Topic& find(std::size_t slot) const noexcept {
    const SlotTable* const table = slots_.load(std::memory_order_acquire);
    if (slot >= table->topics.size()) return others_;
    const Topic* const topic = table->topics[slot].load(std::memory_order_acquire);
    return topic != nullptr ? *topic : others_;
  }
  [[nodiscard]] const Topic& find(std::string_view event_type) const noexcept;

  /// Throws Error(DuplicateHandler).
  void add(const std::shared_ptr<Subscriber>& subscriber) TIDINGS_EXCLUDES(mutex_);
  /// False if it was not there.
  bool remove(const Subscriber& subscriber) TIDINGS_EXCLUDES(mutex_);
  /// Everyone, by event type in order of first subscription, wildcards last.
  [[nodiscard]] std::vector<std::shared_ptr<Subscriber>> all() const TIDINGS_EXCLUDES(mutex_);
  /// Lists that wait for a hazard to go away; at most one for each level of each thread's nesting.
  [[nodiscard]] std::size_t retired() const TIDINGS_EXCLUDES(mutex_);

 private:
  struct SlotTable {
    explicit SlotTable(std::size_t size) : topics(size) {}
    std::vector<std::atomic<Topic*>> topics;
  };
  /// Open addressing, at most half full.
  struct NameTable {
    explicit NameTable(std::size_t size) : topics(size) {}
    std::vector<std::atomic<Topic*>> topics;
  };

  Topic& topic_for(std::string_view event_type) TIDINGS_REQUIRES(mutex_);
  void insert_slot(Topic& topic) TIDINGS_REQUIRES(mutex_);
  void insert_name(Topic& topic) TIDINGS_REQUIRES(mutex_);
  void grow_names() TIDINGS_REQUIRES(mutex_);
  static void place(NameTable& table, Topic& topic);
  /// Throws Error(DuplicateHandler).
  void require_free_name(const Subscriber& subscriber) TIDINGS_REQUIRES(mutex_);
  /// Where a subscriber of that kind is listed.
  std::vector<std::shared_ptr<Subscriber>>& members_for(const Subscriber& subscriber)
      TIDINGS_REQUIRES(mutex_);
  void rebuild(const Subscriber& changed) TIDINGS_REQUIRES(mutex_);
  void replace_list(Topic& topic) TIDINGS_REQUIRES(mutex_);
  void replace_list_now(Topic& topic) TIDINGS_REQUIRES(mutex_);
  void reclaim() TIDINGS_REQUIRES(mutex_);

  std::atomic<const SlotTable*> slots_;
  std::atomic<const NameTable*> names_;
  Topic others_{""};

  mutable Mutex mutex_;
  std::vector<std::shared_ptr<Subscriber>> wildcards_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Topic>> topics_ TIDINGS_GUARDED_BY(mutex_);
  std::unordered_map<std::string, Topic*> by_type_ TIDINGS_GUARDED_BY(mutex_);
  // Old tables stay readable; each is half the size of the next, so they cost no more than the current one.
  std::vector<std::unique_ptr<SlotTable>> slot_tables_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<NameTable>> name_tables_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<const SubscriberList*> retired_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::detail
