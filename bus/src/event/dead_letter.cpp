#include <tidings/dead_letter.hpp>

#include <cstddef>
#include <iterator>
#include <utility>

namespace tidings {
namespace {

constexpr std::ptrdiff_t kMaxAttemptsKept = 100;

}  // namespace

std::string_view to_string(Reason reason) noexcept {
  switch (reason) {
    case Reason::Exhausted:
      return "exhausted";
    case Reason::Permanent:
      return "permanent";
    case Reason::CausationLoop:
      return "causation_loop";
    case Reason::Unhandled:
      return "unhandled";
    case Reason::Shutdown:
      return "shutdown";
    case Reason::Parked:
      return "parked";
    case Reason::Undecodable:
      return "undecodable";
    case Reason::Crashed:
      return "crashed";
  }
  return "unknown";
}

std::optional<Reason> parse_reason(std::string_view text) noexcept {
  for (const Reason reason : kReasons) {
    if (text == to_string(reason)) return reason;
  }
  return std::nullopt;
}

void append_attempt(std::vector<Attempt>& attempts, Attempt attempt) {
  if (std::ssize(attempts) >= kMaxAttemptsKept) attempts.erase(attempts.begin() + kMaxAttemptsKept / 2);
  attempts.push_back(std::move(attempt));
}

void add_failed_attempt(DeadLetter& letter, Attempt attempt, Reason reason, Timestamp failed_at) {
  // What needs memory comes first: the letter is as it was when that is short.
  std::string type = attempt.error_type;
  std::string message = attempt.error_message;
  std::string fingerprint = error_fingerprint(letter.handler, type, message);
  const bool is_retry = !letter.attempts.empty();
  append_attempt(letter.attempts, std::move(attempt));
  if (is_retry) ++letter.retry_count;
  letter.reason = reason;
  letter.error_type = std::move(type);
  letter.error_message = std::move(message);
  letter.error_fingerprint = std::move(fingerprint);
  letter.failed_at = failed_at;
}

Attempt crashed_attempt(Timestamp began) {
  return {
      began, std::chrono::microseconds(0), "tidings::crashed",
      "the process died while the handler ran: whether its work was done is not known; look, then redrive "
      "the letter or discard it"};
}

}  // namespace tidings
