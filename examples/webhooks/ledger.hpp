#pragma once

#include <tidings/clock.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/event_context.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace webhooks {

/// What became of one handler's deliveries. The three numbers come from three places: from the call of
/// publish, from the handler, and from the database; so that they add up only if nothing was lost on the way.
struct Account {
  std::string event_type;  ///< `*` for a handler of all.
  std::string handler;
  std::uint64_t published = 0;
  std::uint64_t handled = 0;
  std::uint64_t retries = 0;
  /// Deliveries of this run that were given up, and not handled since.
  std::uint64_t dead_letters = 0;
  /// Dead letters of earlier runs that this one was asked for again and has handled.
  std::uint64_t redriven = 0;

  [[nodiscard]] bool is_balanced() const { return published + redriven == handled + dead_letters; }
};

/// Counts what is published and what is handled. Thread-safe, but for opening accounts.
class Ledger {
 public:
  /// A handler that does what `handler` does, and counts. The ledger must outlive it.
  template <class E, class Handler>
  [[nodiscard]] auto counted(std::string_view event_type, std::string_view name, Handler handler) {
    Entry& entry = entries_.emplace_back(event_type, name);
    return [&entry, handler = std::move(handler)](const E& event, const tidings::EventContext& context) {
      if (context.attempt() > 1) ++entry.retries;
      if constexpr (std::is_invocable_v<const Handler&, const E&, const tidings::EventContext&>) {
        handler(event, context);
      } else {
        handler(event);
      }
      ++entry.handled;
    };
  }

  /// Called by the one thread that publishes.
  void count_published(std::string_view event_type) { ++published_[std::string(event_type)]; }
  [[nodiscard]] std::uint64_t events() const;

  /// All accounts, in the order they were opened. `letters` is the database; this run began at `since`.
  [[nodiscard]] std::vector<Account> accounts(tidings::deadletter::Reader& letters, std::string_view service,
                                              tidings::Timestamp since) const;

 private:
  struct Entry {
    Entry(std::string_view type, std::string_view name) : event_type(type), handler(name) {}
    std::string event_type;
    std::string handler;
    std::atomic<std::uint64_t> handled = 0;
    std::atomic<std::uint64_t> retries = 0;
  };
  [[nodiscard]] std::uint64_t published_to(const Entry& entry) const;

  std::deque<Entry> entries_;
  std::map<std::string, std::uint64_t> published_;
};

}  // namespace webhooks
