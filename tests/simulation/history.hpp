#pragma once

#include "simulation/facts.hpp"
#include "simulation/plan.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tidings::simulation {

/// A place in the history. Each line has one, whatever life wrote it.
using Place = std::size_t;
inline constexpr Place kNever = static_cast<Place>(-1);

/// What publishers know of an event.
struct Publishing {
  std::string kind;  // `order`, `payment` ...
  bool durable = false;
  bool in_transaction = false;
  bool has_key = false;
  Place first_try = kNever;
  Place accepted_at = kNever;
  /// When the publish that was no repeat had returned.
  Place published_at = kNever;
  int tries = 0;
  int refusals = 0;
  int life = 0;  // of the last try
  /// Its first try in each life in which there was one.
  std::map<int, Place> tried_in = {};
  bool duplicate_of_nothing = false;
};

/// One run of a handler.
struct Run {
  int life = 0;
  Place began = 0;
  Place ended = kNever;
  std::string event_id;
  std::int64_t attempt = 1;
  std::string how = {};  // `done`, `failed`, `gave_up`; empty: the process died
};

struct LifeSpan {
  Place began = 0;
  Place ended = kNever;
  bool killed = false;
  /// It ended while the disk or the memory failed: what it could not write down happens again.
  bool sick = false;
  std::vector<Place> quiets = {};  // moments at which the bus was idle
};

/// What the lives of a shop have written, sorted by what it is about.
class History {
 public:
  explicit History(const Plan& plan);

  void begin_life();
  void end_life(bool killed, bool sick = false);
  /// A line of the life that runs, or has just ended.
  void add(const std::string& line);
  /// `dead-letters VERB` is about to be run.
  void add_tool(const std::string& verb);

  [[nodiscard]] const std::map<std::int64_t, Publishing>& events() const { return events_; }
  [[nodiscard]] const std::map<Delivery, std::vector<Run>>& runs() const { return runs_; }
  [[nodiscard]] const std::vector<LifeSpan>& lives() const { return lives_; }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  /// Whether letters may have gone to the spill file.
  [[nodiscard]] bool disk_failed() const { return disk_failed_; }
  /// Whether a tool may have resolved letters, or taken that back.
  [[nodiscard]] bool resolved_by_tools() const { return resolved_by_tools_; }

  /// Whether the handler was subscribed during all of it; nullopt: for a part of it, perhaps.
  [[nodiscard]] std::optional<bool> subscribed(const std::string& handler, int life, Place from,
                                               Place to) const;
  /// Whether the bus was idle, or has ended in order, after this place in its life.
  [[nodiscard]] bool settled_after(int life, Place place) const;
  /// The same, and could write to its database then: it has committed what had happened.
  [[nodiscard]] bool recorded_after(int life, Place place) const;
  [[nodiscard]] int kills() const;
  /// Whether any life was killed, or could not write down what had happened before it ended.
  [[nodiscard]] bool cut_short() const;

 private:
  void add_publishing(const std::vector<std::string>& words, Place place);
  void add_run(const std::vector<std::string>& words, Place place);

  std::map<std::int64_t, std::string> kinds_;
  std::set<std::int64_t> keyed_;
  std::map<std::int64_t, Publishing> events_;
  std::map<Delivery, std::vector<Run>> runs_;
  std::vector<LifeSpan> lives_;
  /// For each life and handler: places of its `on` and `off`.
  std::vector<std::map<std::string, std::vector<std::pair<Place, bool>>>> switches_;
  std::vector<std::string> lines_;
  bool resolved_by_tools_ = false;
  bool disk_failed_ = false;
};

}  // namespace tidings::simulation
