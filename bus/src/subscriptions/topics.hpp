#pragma once

#include "subscriptions/dispatch_guard.hpp"
#include "subscriptions/subscriber.hpp"

#include <tidings/detail/mutex.hpp>

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tidings::detail {

/// Some subscribers, in order of subscription, and found by name.
class Members {
 public:
  [[nodiscard]] bool has(std::string_view handler) const { return by_name_.contains(handler); }
  [[nodiscard]] std::size_t size() const noexcept { return in_order_.size(); }
  /// The caller has checked that the name is not there yet. All or nothing.
  void add(const std::shared_ptr<Subscriber>& subscriber);
  /// False if it was not there. Needs no memory.
  bool remove(const Subscriber& subscriber) noexcept;
  void append_to(std::vector<std::shared_ptr<Subscriber>>& everyone) const {
    everyone.insert(everyone.end(), in_order_.begin(), in_order_.end());
  }

 private:
  using InOrder = std::list<std::shared_ptr<Subscriber>>;
  InOrder in_order_;
  std::unordered_map<std::string_view, InOrder::iterator> by_name_;  // of names that the subscribers own
};

/// The subscribers of one event type. Made by the first subscription; lives as long as the bus.
struct Topic {
  explicit Topic(std::string_view type) : event_type(type) {}
  const std::string event_type;
  /// Never null. Read under hazard protection only.
  std::atomic<const SubscriberList*> list{nullptr};
  /// The type's own subscribers. Guarded by the mutex of Topics.
  Members members;
};

/// All subscriptions of a bus. Finding a topic takes no lock and writes nothing; changing takes a mutex,
/// replaces whole lists and frees the old ones once no hazard protects them.
///
/// A long list is not replaced at each change, which would make many changes cost the square of their number:
/// it is marked as outdated, and the next publisher rebuilds it, which calls everyone in it anyway. A list
/// that there is no memory for is marked, too.
class Topics {
 public:
  /// `counts` is what publishes are counted in, and outlives this; null: they are not.
  explicit Topics(CounterBook* counts = nullptr);
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

  /// The list of a topic that find() has given, protected by that guard. May throw std::bad_alloc.
  [[nodiscard]] const SubscriberList& current(const Topic& topic, DispatchGuard& guard)
      TIDINGS_EXCLUDES(mutex_) {
    const SubscriberList& list = guard.protect(topic.list);
    return list.outdated ? bring_up_to_date(topic, guard) : list;
  }

  /// Throws Error(DuplicateHandler).
  void add(const std::shared_ptr<Subscriber>& subscriber) TIDINGS_EXCLUDES(mutex_);
  /// False if it was not there.
  bool remove(const Subscriber& subscriber) noexcept TIDINGS_EXCLUDES(mutex_);
  /// All subscribers, by event type in order of first subscription, wildcards last.
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

  /// Null: there is none yet.
  [[nodiscard]] Topic* known_topic(std::string_view event_type) TIDINGS_REQUIRES(mutex_);
  Topic& topic_for(std::string_view event_type) TIDINGS_REQUIRES(mutex_);
  void make_room_for_slot(std::size_t slot) TIDINGS_REQUIRES(mutex_);
  void make_room_for_name() TIDINGS_REQUIRES(mutex_);
  static void place(NameTable& table, Topic& topic) noexcept;
  /// Throws Error(DuplicateHandler).
  void require_free_name(const Subscriber& subscriber) TIDINGS_REQUIRES(mutex_);
  /// To be called after each change of the members.
  void changed(const Subscriber& subscriber) noexcept TIDINGS_REQUIRES(mutex_);
  void renew(Topic& topic) noexcept TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] std::unique_ptr<const ListCount> count_of(
      const Topic& topic, const std::vector<std::shared_ptr<Subscriber>>& everyone) const;
  [[nodiscard]] std::unique_ptr<const SubscriberList> list_of(const Topic& topic) const
      TIDINGS_REQUIRES(mutex_);
  const SubscriberList& bring_up_to_date(const Topic& topic, DispatchGuard& guard) TIDINGS_EXCLUDES(mutex_);
  void replace(Topic& topic, const SubscriberList* list) noexcept TIDINGS_REQUIRES(mutex_);
  void reclaim() noexcept TIDINGS_REQUIRES(mutex_);

  CounterBook* const counts_;
  std::atomic<const SlotTable*> slots_;
  std::atomic<const NameTable*> names_;
  Topic others_{""};
  const SubscriberList outdated_{SubscriberList::Outdated()};

  mutable Mutex mutex_;
  Members wildcards_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Topic>> topics_ TIDINGS_GUARDED_BY(mutex_);
  std::unordered_map<std::string_view, Topic*> by_type_ TIDINGS_GUARDED_BY(mutex_);
  // Old tables stay readable; each is half the size of the next, so they cost no more than the current one.
  std::vector<std::unique_ptr<SlotTable>> slot_tables_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<NameTable>> name_tables_ TIDINGS_GUARDED_BY(mutex_);
  const SubscriberList* retired_ TIDINGS_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace tidings::detail
