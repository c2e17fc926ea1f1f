#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tidings::simulation {

/// A delivery: (handler, number of the event). An edit makes a new event of the same number, for that
/// handler.
using Delivery = std::pair<std::string, std::int64_t>;

struct LetterFact {
  std::int64_t id = 0;
  std::string event_id = {};
  std::string reason = {};
  std::string error_type = {};
  std::string error_message = {};
  /// Empty: unresolved.
  std::string resolution = {};
  std::string ordering_key = {};
  bool mended = false;
  bool marked = false;
  friend bool operator==(const LetterFact&, const LetterFact&) = default;
};

/// A request to deliver letters again.
struct RequestFact {
  std::int64_t id = 0;
  std::optional<std::int64_t> canary = {};
  std::int64_t succeeded = 0;
  std::int64_t failed = 0;
  friend bool operator==(const RequestFact&, const RequestFact&) = default;
};

/// What the database says.
struct Facts {
  /// Newest last: those of a delivery are the original and what edits made of it.
  std::map<Delivery, std::vector<LetterFact>> letters;
  /// Letters that were deleted, with how they had been resolved.
  std::map<Delivery, std::vector<std::string>> gone;
  /// What the journal owes.
  std::multiset<Delivery> owed;
  /// Rows that handlers wrote in their transactions.
  std::map<Delivery, int> effects;
  /// Events whose transactions were committed.
  std::set<std::int64_t> placed;
  /// Letters that wait in the spill file.
  std::set<Delivery> spilled;
  std::vector<RequestFact> requests = {};
  /// Events in the journal.
  std::size_t events = 0;
  /// Causes whose number of unresolved letters is not that of `tidings_causes`.
  std::int64_t miscounted_causes = 0;

  [[nodiscard]] std::size_t unresolved() const;
  /// The numbers of unresolved letters that a handler could take.
  [[nodiscard]] std::set<std::int64_t> open_letters() const;
  /// Whether a letter is on its way to be delivered again.
  [[nodiscard]] bool any_marked() const;
  friend bool operator==(const Facts&, const Facts&) = default;
};

[[nodiscard]] Facts facts_of(const std::filesystem::path& database);

}  // namespace tidings::simulation
