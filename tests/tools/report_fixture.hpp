#pragma once

#include "check_dead_letters/check.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tidings::check_dead_letters {

/// 2026-01-01T00:00:00Z: when the reports of these tests are made.
inline constexpr Timestamp kNow{std::chrono::seconds(1'767'225'600)};

inline LetterFacts letter_of(std::int64_t id, std::chrono::seconds old) {
  return {.id = id,
          .event_type = "orders.order_placed",
          .handler = "send_receipt",
          .service = "orders",
          .error_type = "SmtpTimeout",
          .event_id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
          .correlation_id = "request-7",
          .failed_at = kNow - old};
}

inline deadletter::Group group_of(std::int64_t count, std::string sample_error) {
  return {.fingerprint = "00c0ffee00c0ffee",
          .event_type = "orders.order_placed",
          .handler = "send_receipt",
          .service = "orders",
          .error_type = "SmtpTimeout",
          .sample_error = std::move(sample_error),
          .newest_id = 19,
          .count = count,
          .first_failed_at = kNow - std::chrono::minutes(42),
          .last_failed_at = kNow - std::chrono::minutes(3)};
}

inline deadletter::UnservedHandler unserved_of(const std::string& handler) {
  return {.service = "orders",
          .event_type = "orders.order_placed",
          .handler = handler,
          .owed = 5,
          .since = kNow - std::chrono::hours(1)};
}

/// `count` unresolved letters in the window and in all, the oldest 42 minutes old.
inline Answer answer_of(const std::string& path, std::int64_t count) {
  Answer answer{.path = path, .failure = {}, .facts = {}};
  answer.facts.unresolved_in_window = count;
  answer.facts.unresolved = count;
  answer.facts.spill_path = path + ".spill.jsonl";
  if (count > 0) answer.facts.oldest = letter_of(17, std::chrono::minutes(42));
  return answer;
}

inline Answer failed_answer_of(const std::string& path) {
  return {.path = path,
          .failure = Failure{"database_unusable", path + " does not exist; check the path"},
          .facts = {}};
}

/// A report about these answers, judged.
inline Report report_of(const std::vector<Answer>& answers, const Thresholds& thresholds = {},
                        int verbosity = 0) {
  Report report{.now = kNow,
                .selection = {},
                .thresholds = thresholds,
                .verbosity = verbosity,
                .databases = {},
                .problems = {}};
  for (const Answer& answer : answers) report.databases.push_back({answer, judge(answer, thresholds, kNow)});
  return report;
}

}  // namespace tidings::check_dead_letters
