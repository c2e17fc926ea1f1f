#pragma once

#include "counting/list_count.hpp"
#include "queue/delivery_queue.hpp"
#include "subscriptions/backlog.hpp"

#include <tidings/bus.hpp>
#include <tidings/journal.hpp>
#include <tidings/redrive.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::detail {

enum class SubscriberState : std::uint8_t {
  Open,
  Draining,  ///< No new deliveries; what is queued runs.
  Closed,    ///< No run begins any more.
};

/// Where a subscriber's deliveries are counted.
struct SubscriberCounts {
  /// Null: nowhere.
  CounterBook* book = nullptr;
  /// Null: there is none that fits all events, as the handler takes those of all types, each counted apart.
  std::shared_ptr<HandlerCount> own;
};

/// One handler's place on a bus: what publish needs to call it, and its queue.
class Subscriber {
 public:
  Subscriber(SubscriberSpec spec, std::string service, std::weak_ptr<BusCore> owner,
             SubscriberCounts counted = {})
      : payload_type(spec.payload_type),
        user{std::move(spec.function), std::move(spec.ordering_key), {}},
        queued(spec.options.dispatch == Dispatch::Queued),
        timed(spec.options.slow_threshold.has_value()),
        identity{std::move(spec.handler), std::move(service), std::move(spec.event_type),
                 spec.options.retry.max_attempts},
        options(std::move(spec.options)),
        schema_version(spec.schema_version),
        keyed(static_cast<bool>(user.ordering_key)),
        counts(std::move(counted)),
        core(std::move(owner)),
        queue(options.queue_capacity, options.concurrency, keyed) {}

  /// Everything of the user's that could hold captures.
  struct UserCode {
    HandlerFunction function;
    /// Called between DispatchGuard::enter and leave only.
    std::function<std::string(const void*)> ordering_key;
    /// Kept in `options.retry` until it is taken.
    std::function<bool(const std::exception_ptr&)> retry_if;
  };
  [[nodiscard]] UserCode take_user_code() noexcept {
    return {std::move(user.function), std::exchange(user.ordering_key, {}),
            std::exchange(options.retry.retry_if, {})};
  }

  /// Whether it takes events of all types.
  [[nodiscard]] bool wildcard() const noexcept { return identity.event_type == "*"; }
  /// Calls `change` with what is counted of its deliveries of that event type, if anything is.
  template <class Change>
  void count(std::string_view event_type, const Change& change) const noexcept {
    if (counts.own) {
      change(*counts.own);
    } else if (counts.book != nullptr) {
      counts.book->change(event_type, identity.handler, change);
    }
  }

  /// Whether events of that type that are owed to a handler of that name are for this one, and it can take
  /// them.
  [[nodiscard]] bool serves(std::string_view event_type, std::string_view handler) const noexcept {
    return !backlog.refused() && identity.handler == handler &&
           (wildcard() || identity.event_type == event_type);
  }

  /// The subscriber as the store of letters knows it.
  [[nodiscard]] ServedHandler served() const {
    return {identity.event_type, identity.handler, options.after_death == AfterDeath::Park};
  }

  /// The event type for queries of what it is owed; empty for a handler of all events.
  [[nodiscard]] std::string_view queried_type() const noexcept {
    return wildcard() ? std::string_view() : std::string_view(identity.event_type);
  }

  // What an inline delivery touches comes first.
  std::atomic<SubscriberState> state{SubscriberState::Open};
  const PayloadType* const payload_type;
  /// Taken once, when Closed and running nowhere.
  UserCode user;
  const bool queued;
  /// Whether attempts are timed from their own beginning: from the first failure on, or when a slow_threshold
  /// is set.
  std::atomic<bool> timed;
  /// Its captures are gone: see Retirement.
  std::atomic<bool> freed{false};

  const HandlerIdentity identity;
  SubscribeOptions<void*> options;
  /// The schema version of the handler's struct; 0: any.
  const int schema_version;
  const bool keyed;
  const SubscriberCounts counts;
  const std::weak_ptr<BusCore> core;
  /// What crash slots know the handler by.
  const std::uint64_t crash_hash = crash_slot_hash(identity.handler);
  DeliveryQueue queue;
  Backlog backlog{queue, queued};
};

/// The subscribers of one event type at one time, in order of subscription, wildcards last. Never changed
/// once published.
struct SubscriberList {
  /// What stands in the place of a list, to be rebuilt by the next thread that needs it.
  struct Outdated {};
  explicit SubscriberList(Outdated) noexcept : outdated(true) {}
  /// Publishes through it are `counted`: by `by_list`, or if that is null by name.
  explicit SubscriberList(std::vector<std::shared_ptr<Subscriber>> everyone, bool counted = false,
                          std::unique_ptr<const ListCount> by_list = nullptr)
      : subscribers(std::move(everyone)), count(std::move(by_list)) {
    if (counted) {
      cell = count != nullptr ? count->near_cell() : CountCells::kByCall;
      step = 1;
    }
    for (const auto& subscriber : subscribers) {
      if (subscriber->queued) last_queued = subscriber.get();
    }
    const auto takes_as_first = [&](const auto& subscriber) {
      return !subscriber->queued && subscriber->payload_type == subscribers.front()->payload_type;
    };
    if (!subscribers.empty() && std::all_of(subscribers.begin(), subscribers.end(), takes_as_first))
      plain_type = subscribers.front()->payload_type;
  }

  /// The names of all, in the same order. Made when the first durable event asks. May throw std::bad_alloc.
  [[nodiscard]] const std::shared_ptr<const HandlerNames>& names() const {
    std::call_once(names_made_, [this] {
      std::vector<std::string> all;
      all.reserve(subscribers.size());
      for (const auto& subscriber : subscribers) all.push_back(subscriber->identity.handler);
      names_ = std::make_shared<const HandlerNames>(std::move(all));
    });
    return names_;
  }

  const std::vector<std::shared_ptr<Subscriber>> subscribers;
  /// Null: all are inline.
  const Subscriber* last_queued = nullptr;
  /// What every one of them takes, if all are inline and take the same.
  const PayloadType* plain_type = nullptr;
  /// What a publish adds to which of its thread's cells.
  std::uint32_t cell = CountCells::kUncounted;
  std::uint64_t step = 0;
  /// Null: publishes are counted by name, or not at all.
  const std::unique_ptr<const ListCount> count;
  /// The list is to be rebuilt before it is used: see Topics::current().
  const bool outdated = false;
  /// The next of those that wait to be freed. Guarded by the mutex of Topics.
  mutable const SubscriberList* next_retired = nullptr;

 private:
  mutable std::once_flag names_made_;
  mutable std::shared_ptr<const HandlerNames> names_;
};

}  // namespace tidings::detail
