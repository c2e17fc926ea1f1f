#include "subscriptions/topics.hpp"

#include "subscriptions/hazard.hpp"

#include <tidings/detail/patiently.hpp>
#include <tidings/error.hpp>

#include <algorithm>
#include <functional>
#include <iterator>
#include <new>
#include <unordered_map>
#include <utility>

namespace tidings::detail {

namespace {

constexpr std::size_t kFirstTableSize = 64;
/// A list of at most this many is rebuilt by the thread that changes it.
constexpr std::size_t kRenewedAtOnce = 256;

std::size_t hash(std::string_view text) noexcept { return std::hash<std::string_view>{}(text); }

}  // namespace

std::size_t event_type_slot(std::string_view event_type) {
  static Mutex mutex;
  static std::unordered_map<std::string, std::size_t> slots;
  const MutexLock lock(mutex);
  return slots.try_emplace(std::string(event_type), slots.size()).first->second;
}

void Members::add(const std::shared_ptr<Subscriber>& subscriber) {
  in_order_.push_back(subscriber);
  try {
    by_name_.emplace(subscriber->identity.handler, std::prev(in_order_.end()));
  } catch (...) {
    in_order_.pop_back();
    throw;
  }
}

bool Members::remove(const Subscriber& subscriber) noexcept {
  const auto found = by_name_.find(subscriber.identity.handler);
  if (found == by_name_.end() || found->second->get() != &subscriber) return false;
  const auto place = found->second;
  by_name_.erase(found);
  in_order_.erase(place);
  return true;
}

Topics::Topics(CounterBook* counts) : counts_(counts) {
  choose_fence();
  const MutexLock lock(mutex_);
  slot_tables_.push_back(std::make_unique<SlotTable>(kFirstTableSize));
  name_tables_.push_back(std::make_unique<NameTable>(kFirstTableSize));
  slots_.store(slot_tables_.back().get(), std::memory_order_release);
  names_.store(name_tables_.back().get(), std::memory_order_release);
  others_.list.store(&outdated_, std::memory_order_release);
  renew(others_);
}

Topics::~Topics() {
  const MutexLock lock(mutex_);
  for (const auto& topic : topics_) replace(*topic, &outdated_);
  replace(others_, &outdated_);
  while (retired_ != nullptr) delete std::exchange(retired_, retired_->next_retired);
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
  if (subscriber->wildcard()) {
    wildcards_.add(subscriber);
  } else {
    topic_for(subscriber->identity.event_type).members.add(subscriber);
  }
  changed(*subscriber);
}

/// A handler of all events is one of each type's: no type may have another of its name.
void Topics::require_free_name(const Subscriber& subscriber) {
  const std::string& handler = subscriber.identity.handler;
  const auto refuse_equal = [&](const Members& others, std::string_view event_type) {
    if (!others.has(handler)) return;
    throw Error(ErrorCode::DuplicateHandler,
                "the handler name '" + handler + "' is taken for event type '" + std::string(event_type) +
                    "' ('*' is all of them): names are unique per bus and event type; choose another");
  };
  refuse_equal(wildcards_, "*");
  if (subscriber.wildcard()) {
    for (const auto& topic : topics_) refuse_equal(topic->members, topic->event_type);
  } else if (const Topic* const topic = known_topic(subscriber.identity.event_type)) {
    refuse_equal(topic->members, topic->event_type);
  }
}

bool Topics::remove(const Subscriber& subscriber) noexcept {
  const MutexLock lock(mutex_);
  Topic* const topic = known_topic(subscriber.identity.event_type);
  if (!subscriber.wildcard() && topic == nullptr) return false;
  Members& members = subscriber.wildcard() ? wildcards_ : topic->members;
  if (!members.remove(subscriber)) return false;
  changed(subscriber);
  return true;
}

/// Memory is waited for without the mutex: a thread that unsubscribes may be about to free some.
std::vector<std::shared_ptr<Subscriber>> Topics::all() const {
  return patiently([&] {
    const MutexLock lock(mutex_);
    std::vector<std::shared_ptr<Subscriber>> everyone;
    for (const auto& topic : topics_) topic->members.append_to(everyone);
    wildcards_.append_to(everyone);
    return everyone;
  });
}

std::size_t Topics::retired() const {
  const MutexLock lock(mutex_);
  std::size_t count = 0;
  for (const SubscriberList* list = retired_; list != nullptr; list = list->next_retired) ++count;
  return count;
}

Topic* Topics::known_topic(std::string_view event_type) {
  const auto known = by_type_.find(event_type);
  return known != by_type_.end() ? known->second : nullptr;
}

/// All or nothing: a topic that is listed in part would never be found by those who publish to it.
Topic& Topics::topic_for(std::string_view event_type) {
  if (Topic* const known = known_topic(event_type)) return *known;
  const std::size_t slot = event_type_slot(event_type);
  make_room_for_slot(slot);
  make_room_for_name();
  topics_.push_back(std::make_unique<Topic>(event_type));
  Topic& topic = *topics_.back();
  try {
    by_type_.emplace(topic.event_type, &topic);
  } catch (...) {
    topics_.pop_back();
    throw;
  }
  topic.list.store(&outdated_, std::memory_order_release);
  slot_tables_.back()->topics[slot].store(&topic, std::memory_order_release);
  place(*name_tables_.back(), topic);
  return topic;
}

void Topics::make_room_for_slot(std::size_t slot) {
  const SlotTable& table = *slot_tables_.back();
  std::size_t size = table.topics.size();
  if (slot < size) return;
  while (size <= slot) size *= 2;
  auto larger = std::make_unique<SlotTable>(size);
  for (std::size_t index = 0; index < table.topics.size(); ++index)
    larger->topics[index].store(table.topics[index].load(), std::memory_order_relaxed);
  slot_tables_.push_back(std::move(larger));
  slots_.store(slot_tables_.back().get(), std::memory_order_release);
}

void Topics::make_room_for_name() {
  const std::size_t size = name_tables_.back()->topics.size();
  if ((topics_.size() + 1) * 2 <= size) return;
  auto larger = std::make_unique<NameTable>(size * 2);
  for (const auto& topic : topics_) place(*larger, *topic);
  name_tables_.push_back(std::move(larger));
  names_.store(name_tables_.back().get(), std::memory_order_release);
}

void Topics::place(NameTable& table, Topic& topic) noexcept {
  const std::size_t mask = table.topics.size() - 1;
  std::size_t index = hash(topic.event_type) & mask;
  while (table.topics[index].load(std::memory_order_relaxed) != nullptr) index = (index + 1) & mask;
  table.topics[index].store(&topic, std::memory_order_release);
}

void Topics::changed(const Subscriber& subscriber) noexcept {
  if (subscriber.wildcard()) {
    for (const auto& topic : topics_) renew(*topic);
    renew(others_);
  } else if (Topic* const topic = known_topic(subscriber.identity.event_type)) {
    renew(*topic);
  }
  reclaim();
}

void Topics::renew(Topic& topic) noexcept {
  const bool is_short = topic.members.size() + wildcards_.size() <= kRenewedAtOnce;
  try {
    replace(topic, is_short ? list_of(topic).release() : &outdated_);
  } catch (const std::bad_alloc&) {
    replace(topic, &outdated_);
  }
}

std::unique_ptr<const SubscriberList> Topics::list_of(const Topic& topic) const {
  std::vector<std::shared_ptr<Subscriber>> everyone;
  everyone.reserve(topic.members.size() + wildcards_.size());
  topic.members.append_to(everyone);
  wildcards_.append_to(everyone);
  const bool counted = counts_ != nullptr && counts_->on();
  auto count = counted && &topic != &others_ ? count_of(topic, everyone) : nullptr;
  return std::make_unique<const SubscriberList>(std::move(everyone), counted, std::move(count));
}

/// Null, and publishes are counted by name, if the book has no place for the type.
std::unique_ptr<const ListCount> Topics::count_of(
    const Topic& topic, const std::vector<std::shared_ptr<Subscriber>>& everyone) const {
  auto type = counts_->find(topic.event_type, "");
  std::vector<std::shared_ptr<HandlerCount>> handlers;
  for (const auto& subscriber : everyone) {
    if (subscriber->queued) continue;
    const auto& kept = subscriber->counts.own;
    handlers.push_back(kept ? kept : counts_->find(topic.event_type, subscriber->identity.handler));
  }
  const auto is_missing = [](const auto& each) { return each == nullptr; };
  if (type == nullptr || std::any_of(handlers.begin(), handlers.end(), is_missing)) return nullptr;
  return std::make_unique<const ListCount>(*counts_, std::move(type), std::move(handlers));
}

const SubscriberList& Topics::bring_up_to_date(const Topic& topic, DispatchGuard& guard) {
  const MutexLock lock(mutex_);
  if (topic.list.load()->outdated) {
    Topic& mine = &topic == &others_ ? others_ : *known_topic(topic.event_type);
    replace(mine, list_of(topic).release());
  }
  return guard.protect(topic.list);  // under the mutex, or it might be outdated again
}

void Topics::replace(Topic& topic, const SubscriberList* list) noexcept {
  const SubscriberList* const old = topic.list.exchange(list, std::memory_order_seq_cst);
  if (old == &outdated_) return;
  old->next_retired = std::exchange(retired_, old);
}

void Topics::reclaim() noexcept {
  if (retired_ == nullptr) return;
  fence_all_threads();
  const SubscriberList* kept = nullptr;
  while (const SubscriberList* const list = retired_) {
    retired_ = list->next_retired;
    const bool is_protected = any_slot(
        [list](const HazardSlot& slot) { return slot.list.load(std::memory_order_seq_cst) == list; });
    if (is_protected) {
      list->next_retired = std::exchange(kept, list);
    } else {
      delete list;
    }
  }
  retired_ = kept;
}

}  // namespace tidings::detail
