#include "check_dead_letters/check.hpp"

#include "text/time.hpp"

#include <algorithm>

namespace tidings::check_dead_letters {
namespace {

void add(Verdict& verdict, State state, std::string_view reason) {
  verdict.state = worse(verdict.state, state);
  verdict.reasons.push_back(reason);
}

bool alerts(const std::optional<Range>& range, double value) { return range && range->alerts(value); }

void judge_count(Verdict& verdict, std::int64_t count, const Thresholds& thresholds) {
  const auto value = static_cast<double>(count);
  if (alerts(thresholds.critical, value)) {
    add(verdict, State::Critical, "unresolved_critical");
  } else if (alerts(thresholds.warning, value)) {
    add(verdict, State::Warning, "unresolved_warning");
  }
}

void judge_age(Verdict& verdict, std::chrono::seconds oldest, const Thresholds& thresholds) {
  const auto value = static_cast<double>(oldest.count());
  if (alerts(thresholds.oldest_critical, value)) {
    add(verdict, State::Critical, "oldest_critical");
  } else if (alerts(thresholds.oldest_warning, value)) {
    add(verdict, State::Warning, "oldest_warning");
  }
}

}  // namespace

std::chrono::seconds age(Timestamp failed_at, Timestamp now) {
  return std::max(std::chrono::floor<std::chrono::seconds>(tools::time_between(failed_at, now)),
                  std::chrono::seconds(0));
}

Verdict judge(const Answer& answer, const Thresholds& thresholds, Timestamp now) {
  Verdict verdict;
  if (answer.failure) {
    add(verdict, State::Unknown, "check_failed");
    return verdict;
  }
  const DatabaseFacts& facts = answer.facts;
  judge_count(verdict, facts.unresolved_in_window, thresholds);
  if (facts.oldest) judge_age(verdict, age(facts.oldest->failed_at, now), thresholds);
  if (facts.spill_bytes > 0) add(verdict, State::Warning, "spill_waiting");
  if (deadletter::is_wal_large(facts.sizes.wal, facts.sizes.database))
    add(verdict, State::Warning, "wal_large");
  if (!facts.unserved.empty()) add(verdict, State::Warning, "handlers_unserved");
  return verdict;
}

State overall_state(const Report& report) {
  State state = report.problems.empty() ? State::Ok : State::Unknown;
  for (const JudgedAnswer& database : report.databases) state = worse(state, database.verdict.state);
  return state;
}

}  // namespace tidings::check_dead_letters
