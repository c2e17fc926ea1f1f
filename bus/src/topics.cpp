#include "topics.hpp"

#include "hazard.hpp"

#include <tidings/detail/patiently.hpp>
#include <tidings/error.hpp>

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>

namespace tidings::detail {

namespace {

constexpr std::size_t kFirstTableSize = 64;

std::size_t hash(std::string_view text) noexcept { return std::hash<std::string_view>{}(text); }

}  // namespace

std::size_t event_type_slot(std::string_view event_type) {
  static Mutex mutex;
  static std::unordered_map<std::string, std::size_t> slots;
  const MutexLock lock(mutex);
  return slots.try_emplace(std::string(event_type), slots.size()).first->second;
}

Topics::Topics() {
  choose_fence();
  const MutexLock lock(mutex_);
  slot_tables_.push_back(std::make_unique<SlotTable>(kFirstTableSize));
  name_tables_.push_back(std::make_unique<NameTable>(kFirstTableSize));
  slots_.store(slot_tables_.back().get(), std::memory_order_release);
  names_.store(name_tables_.back().get(), std::memory_order_release);
  others_.list.store(new SubscriberList({}), std::memory_order_release);
}

Topics::~Topics() {
  const MutexLock lock(mutex_);
  for (const SubscriberList* list : retired_) delete list;
  for (const auto& topic : topics_) delete topic->list.load();
  delete others_.list.load();
}

const Topic& Topics::find(std::string_view event_type) const noexcept {
  const NameTable* const table = names_.load(std::memory_order_acquire);
  const std::size_t mask = table->topics.size() - 1;
  for (std::size_t index = hash(event_type) & mask;; index = (index + 1) & mask) {
    const Topic* const topic = table->topics[index].load(std::memory_order_acquire);
    if (topic == nullptr) return others_;
    if (topic->event_type == event_type) return *topic;
  }
}

void Topics::add(const std::shared_ptr<Subscriber>& subscriber) {
  const MutexLock lock(mutex_);
  require_free_name(*subscriber);
  members_for(*subscriber).push_back(subscriber);
  rebuild(*subscriber);
}

/// A handler of all events is one of each type's: no type may have another of its name.
void Topics::require_free_name(const Subscriber& subscriber) {
  const auto refuse_equal = [&](const std::vector<std::shared_ptr<Subscriber>>& others) {
    for (const auto& other : others) {
      if (other->identity.handler != subscriber.identity.handler) continue;
      throw Error(ErrorCode::DuplicateHandler,
                  "the handler name '" + other->identity.handler + "' is taken for event type '" +
                      other->identity.event_type +
                      "' ('*' is all of them): names are unique per bus and event type; choose another");
    }
  };
  refuse_equal(wildcards_);
  if (!subscriber.wildcard) return refuse_equal(topic_for(subscriber.identity.event_type).members);
  for (const auto& topic : topics_) refuse_equal(topic->members);
}

bool Topics::remove(const Subscriber& subscriber) {
  const MutexLock lock(mutex_);
  auto& members = members_for(subscriber);
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const auto& candidate) { return candidate.get() == &subscriber; });
  if (found == members.end()) return false;
  members.erase(found);
  rebuild(subscriber);
  return true;
}

std::vector<std::shared_ptr<Subscriber>> Topics::all() const {
  const MutexLock lock(mutex_);
  return patiently([&] {
    mutex_.assert_held();
    std::vector<std::shared_ptr<Subscriber>> everyone;
    for (const auto& topic : topics_)
      everyone.insert(everyone.end(), topic->members.begin(), topic->members.end());
    everyone.insert(everyone.end(), wildcards_.begin(), wildcards_.end());
    return everyone;
  });
}

std::size_t Topics::retired() const {
  const MutexLock lock(mutex_);
  return retired_.size();
}

std::vector<std::shared_ptr<Subscriber>>& Topics::members_for(const Subscriber& subscriber) {
  return subscriber.wildcard ? wildcards_ : topic_for(subscriber.identity.event_type).members;
}

Topic& Topics::topic_for(std::string_view event_type) {
  const auto key = patiently([&] { return std::string(event_type); });
  if (const auto known = by_type_.find(key); known != by_type_.end()) return *known->second;
  // All or nothing: a topic that is listed in part would never be found by those who publish to it.
  auto made = std::make_unique<Topic>(event_type);
  auto list = std::make_unique<const SubscriberList>(wildcards_);
  by_type_.emplace(key, made.get());
  made->list.store(list.release(), std::memory_order_release);
  patiently([&] {
    mutex_.assert_held();
    topics_.push_back(std::move(made));
  });
  Topic& topic = *topics_.back();
  patiently([&] {
    mutex_.assert_held();
    insert_slot(topic);
  });
  patiently([&] {
    mutex_.assert_held();
    insert_name(topic);
  });
  return topic;
}

void Topics::insert_slot(Topic& topic) {
  const std::size_t slot = event_type_slot(topic.event_type);
  SlotTable* table = slot_tables_.back().get();
  if (slot >= table->topics.size()) {
    std::size_t size = table->topics.size();
    while (size <= slot) size *= 2;
    slot_tables_.push_back(std::make_unique<SlotTable>(size));
    for (std::size_t index = 0; index < table->topics.size(); ++index) {
      slot_tables_.back()->topics[index].store(table->topics[index].load(), std::memory_order_relaxed);
    }
    table = slot_tables_.back().get();
  }
  table->topics[slot].store(&topic, std::memory_order_release);
  slots_.store(table, std::memory_order_release);
}

void Topics::insert_name(Topic& topic) {
  if (topics_.size() * 2 > name_tables_.back()->topics.size()) {
    grow_names();
  } else {
    place(*name_tables_.back(), topic);
  }
}

void Topics::grow_names() {
  name_tables_.push_back(std::make_unique<NameTable>(name_tables_.back()->topics.size() * 2));
  for (const auto& topic : topics_) place(*name_tables_.back(), *topic);
  names_.store(name_tables_.back().get(), std::memory_order_release);
}

void Topics::place(NameTable& table, Topic& topic) {
  const std::size_t mask = table.topics.size() - 1;
  std::size_t index = hash(topic.event_type) & mask;
  while (table.topics[index].load(std::memory_order_relaxed) != nullptr) index = (index + 1) & mask;
  table.topics[index].store(&topic, std::memory_order_release);
}

void Topics::rebuild(const Subscriber& changed) {
  if (changed.wildcard) {
    for (const auto& topic : topics_) replace_list(*topic);
    replace_list(others_);
  } else {
    replace_list(topic_for(changed.identity.event_type));
  }
  reclaim();
}

/// Nobody can be told half-way through several lists, nor by unsubscribe().
void Topics::replace_list(Topic& topic) {
  patiently([&] {
    mutex_.assert_held();
    replace_list_now(topic);
  });
}

void Topics::replace_list_now(Topic& topic) {
  std::vector<std::shared_ptr<Subscriber>> everyone;
  everyone.reserve(topic.members.size() + wildcards_.size());
  everyone.insert(everyone.end(), topic.members.begin(), topic.members.end());
  everyone.insert(everyone.end(), wildcards_.begin(), wildcards_.end());
  auto list = std::make_unique<const SubscriberList>(std::move(everyone));
  retired_.push_back(topic.list.load());
  topic.list.store(list.release(), std::memory_order_seq_cst);
}

void Topics::reclaim() {
  fence_all_threads();
  const auto unprotected = std::partition(retired_.begin(), retired_.end(), [](const SubscriberList* list) {
    return any_slot(
        [list](const HazardSlot& slot) { return slot.list.load(std::memory_order_seq_cst) == list; });
  });
  for (auto list = unprotected; list != retired_.end(); ++list) delete *list;
  retired_.erase(unprotected, retired_.end());
}

}  // namespace tidings::detail
