#pragma once

#include "check_dead_letters/facts.hpp"
#include "check_dead_letters/range.hpp"
#include "check_dead_letters/state.hpp"

#include <tidings/clock.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::check_dead_letters {

/// When to alert. Each database is checked on its own.
struct Thresholds {
  /// On the number of unresolved letters in the window. By default any letter is a warning.
  std::optional<Range> warning = Range(0);
  std::optional<Range> critical = {};
  /// On the age, in seconds, of the oldest unresolved letter. They do not alert if there is none.
  std::optional<Range> oldest_warning = {};
  std::optional<Range> oldest_critical = {};
};

/// Which letters count; a member that is not set does not restrict.
struct Selection {
  std::chrono::seconds window = std::chrono::hours(1);
  std::optional<std::string> event_type = {};
  std::optional<std::string> handler = {};
  std::optional<std::string> service = {};
};

/// The verdict on one database's answer.
struct Verdict {
  State state = State::Ok;
  /// Stable names of all that is wrong: `unresolved_critical`, `unresolved_warning`, `oldest_critical`,
  /// `oldest_warning`, `spill_waiting`, `handlers_unserved`, `wal_large`, `check_failed`.
  std::vector<std::string_view> reasons;
};

struct JudgedAnswer {
  Answer answer;
  Verdict verdict;
};

/// Everything from which the output is made.
struct Report {
  Timestamp now{};
  Selection selection;
  Thresholds thresholds;
  /// How often -v was given, 0 to 3.
  int verbosity = 0;
  std::vector<JudgedAnswer> databases;
  /// Problems outside of the databases; each makes the report at least UNKNOWN.
  std::vector<std::string> problems;
};

/// How long ago a letter failed, in whole seconds; never negative, also when clocks were set back.
[[nodiscard]] std::chrono::seconds age(Timestamp failed_at, Timestamp now);

[[nodiscard]] Verdict judge(const Answer& answer, const Thresholds& thresholds, Timestamp now);

/// The worst of all (see worse()).
[[nodiscard]] State overall_state(const Report& report);

}  // namespace tidings::check_dead_letters
