#pragma once

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/journal.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tidings::detail {

/// Names of the handlers that an event is owed to, as a list and as the journal has them.
struct HandlerNames {
  explicit HandlerNames(std::vector<std::string> all);
  const std::vector<std::string> names;
  /// A JSON array. JSON escapes no character of a name.
  const std::string json;
};

/// A journalled event while one of its deliveries is in memory. What is not const is guarded by the mutex of
/// OwedLedger.
struct OwedEvent {
  struct Part {
    bool done = false;
    bool in_memory = false;
    /// The next commit is to record what is here.
    bool changed = false;
    std::uint32_t crashes = 0;
    std::uint32_t attempts_made = 0;
    std::vector<Attempt> attempts;
    std::optional<Timestamp> failed_at;
    std::optional<Timestamp> next_attempt_at;
  };

  explicit OwedEvent(std::shared_ptr<const HandlerNames> owed_to)
      : handlers(std::move(owed_to)), parts(handlers->names.size()), parts_open(parts.size()) {}

  /// What the journal is to have of one delivery.
  [[nodiscard]] JournalDelivery row_of(std::size_t index) const;

  const std::shared_ptr<const HandlerNames> handlers;
  std::int64_t id = 0;  // constant once the event is appended
  std::vector<Part> parts;
  std::size_t parts_open;     // parts that are not done
  std::size_t in_memory = 0;  // parts whose deliveries are in memory
  bool dirty = false;         // listed for the next commit
  bool in_commit = false;     // part of the commit that is running
};

/// One handler's share of an OwedEvent. A delivery carries it, and its end is recorded with it.
struct OwedDeliveryHandle {
  std::shared_ptr<OwedEvent> event;
  std::size_t index = 0;

  explicit operator bool() const noexcept { return event != nullptr; }
};

}  // namespace tidings::detail
