#pragma once

#include <tidings/dead_letter.hpp>
#include <tidings/deadletter/filter.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// How much of a letter is read.
enum class LetterParts : std::uint8_t {
  All,
  Summary,  ///< Without payload, attributes and attempts, which may be long: they are empty, whatever the
            ///< encoding says.
};

/// In which order letters are listed: by failed_at, then by number.
enum class ListOrder : std::uint8_t { NewestFirst, OldestFirst };

/// Which bus holds a letter to deliver it again.
struct Claim {
  std::string by;
  /// Its lease has not passed, as far as can be determined, or the process that holds it is alive. Another
  /// machine cannot determine that.
  bool alive = false;
};

/// A letter as stored in the database.
struct StoredLetter {
  std::int64_t id = 0;
  DeadLetter letter;
  std::optional<Timestamp> redrive_requested_at = {};
  std::optional<Timestamp> reprocessed_at = {};
  std::optional<Resolution> resolution = {};
  std::optional<EventId> edited_from = {};
  std::optional<Claim> claim = {};
  std::optional<std::int64_t> redrive_id = {};
  std::optional<Timestamp> redrive_started_at = {};
  std::string resolution_note = {};

  /// Whether its handler is running now, so that it must not be changed.
  [[nodiscard]] bool is_running() const noexcept { return redrive_started_at && claim && claim->alive; }
};

/// One page of a list. `next` is where the next page begins; nullopt on the last page.
struct Page {
  struct Cursor {
    Timestamp failed_at;
    std::int64_t id = 0;
  };
  std::vector<StoredLetter> letters;
  std::optional<Cursor> next;
};

/// A parked letter, and the earlier one of its ordering key that it waits for.
struct HeldBackLetter {
  std::int64_t id = 0;
  std::int64_t behind = 0;
};

}  // namespace tidings::deadletter
