#include "redrive/redrive_settlement.hpp"

#include "file/claim_life.hpp"
#include "letters/letter_row.hpp"
#include "letters/letter_versions.hpp"
#include "sqlite/stored_time.hpp"

#include <tidings/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace tidings::deadletter {
namespace {

constexpr int kMostStale = 100;

constexpr const char* kRequestOf = "SELECT redrive_id FROM dead_letters WHERE id = ? AND claimed_by = ?";
constexpr const char* kResolve =
    "UPDATE dead_letters SET reprocessed_at = coalesce(reprocessed_at, ?1),"
    " resolution = coalesce(resolution, 'reprocessed'), redrive_requested_at = NULL, redrive_id = NULL,"
    " claimed_by = NULL, claimed_until = NULL, redrive_started_at = NULL WHERE id = ?2";
constexpr const char* kFail =
    "UPDATE dead_letters SET reason = ?, error_type = ?, error_message = ?, error_fingerprint = ?, failed_at"
    " = ?, retry_count = ?, attempts = ?, host = nullif(?, ''), pid = nullif(?, 0), release = nullif(?, ''),"
    " span_id = nullif(?, ''), redrive_requested_at = NULL, claimed_by = NULL, claimed_until = NULL,"
    " redrive_started_at = NULL WHERE id = ?";
constexpr const char* kRelease =
    "UPDATE dead_letters SET claimed_by = NULL, claimed_until = NULL, redrive_started_at = NULL WHERE id = ?";
constexpr const char* kWithdraw =
    "UPDATE dead_letters SET redrive_requested_at = NULL, redrive_id = NULL, claimed_by = NULL,"
    " claimed_until = NULL, redrive_started_at = NULL WHERE id = ?";
constexpr const char* kRenew =
    "UPDATE dead_letters SET claimed_until = ? WHERE claimed_by = ? AND id IN (SELECT value FROM "
    "json_each(?))";

std::string due_sql() {
  return std::string("SELECT coalesce(sum(claimed_by = ?1 AND claimed_until < ?2), 0), coalesce(sum(") +
         kMayBeTakenOver +
         "), 0) FROM dead_letters INDEXED BY dead_letters_claimed WHERE claimed_by IS NOT NULL";
}
std::string stale_sql() {
  return std::string(
             "SELECT id, claimed_by, redrive_started_at FROM dead_letters INDEXED BY dead_letters_claimed"
             " WHERE claimed_by IS NOT NULL AND ") +
         kMayBeTakenOver + " LIMIT ?";
}

/// Of `<boot id>/<pid>/<token of the bus>`; 0 if it cannot be read.
std::int64_t pid_of_claimant(std::string_view claimed_by) {
  const std::string_view rest = claimed_by.substr(std::min(claimed_by.find('/'), claimed_by.size()));
  if (rest.empty()) return 0;
  std::int64_t pid = 0;
  const char* const end = rest.data() + rest.size();
  const auto [after, problem] = std::from_chars(rest.data() + 1, end, pid);
  return problem == std::errc() && after != end && *after == '/' ? pid : 0;
}

}  // namespace

RedriveSettlement::RedriveSettlement(RedriveConnection& connection, RedriveRequests& requests)
    : connection_(connection),
      requests_(requests),
      request_of_(connection.database(), kRequestOf),
      resolve_(connection.database(), kResolve),
      fail_(connection.database(), kFail),
      release_(connection.database(), kRelease),
      withdraw_(connection.database(), kWithdraw),
      parked_(connection),
      due_(connection.database(), due_sql()),
      renew_(connection.database(), kRenew),
      stale_(connection.database(), stale_sql()),
      unnumbered_(connection.database(), kHasUnnumbered),
      letter_(connection.database(), "SELECT " + letter_columns(connection.database()) +
                                         ", redrive_started_at FROM dead_letters WHERE id = ?") {}

std::vector<RedriveEnd> RedriveSettlement::settle(const std::string& claimed_by,
                                                  std::span<const RedriveResult> results) {
  std::vector<RedriveEnd> ended;
  connection_.transact(Sync::Always, [&] {
    Counts counts;
    for (const RedriveResult& result : results) settle_one(claimed_by, result, counts);
    count_all(counts, results.empty() ? Timestamp{} : results.back().at, ended);
  });
  return ended;
}

std::optional<std::vector<RedriveEnd>> RedriveSettlement::settle_within(const std::string& claimed_by,
                                                                        const RedriveResult& result) {
  Counts counts;
  if (!settle_one(claimed_by, result, counts)) return std::nullopt;
  std::vector<RedriveEnd> ended;
  count_all(counts, result.at, ended);
  return ended;
}

bool RedriveSettlement::settle_one(const std::string& claimed_by, const RedriveResult& result,
                                   Counts& counts) {
  using End = RedriveResult::End;
  std::optional<std::int64_t> request;
  {
    const StatementUse use(request_of_);
    bind_all(request_of_, result.id, claimed_by);
    if (!request_of_.executeStep()) return false;
    if (!request_of_.getColumn(0).isNull()) request = request_of_.getColumn(0).getInt64();
  }
  // Also a letter that comes back ends its request, if that has failed and this was the last of it.
  auto* const count = request ? &counts[*request] : nullptr;
  switch (result.end) {
    case End::Reprocessed:
      run(resolve_, microseconds(result.at), result.id);
      if (count != nullptr) ++count->first;
      break;
    case End::Failed:
      fail(result);
      if (count != nullptr) ++count->second;
      break;
    case End::Returned:
      run(release_, result.id);
      break;
    case End::Withdrawn:
      run(withdraw_, result.id);
      break;
  }
  return true;
}

void RedriveSettlement::fail(const RedriveResult& result) {
  const DeadLetter& letter = result.letter;
  run(fail_, std::string(to_string(letter.reason)), letter.error_type, letter.error_message,
      letter.error_fingerprint, microseconds(letter.failed_at), std::int64_t{letter.retry_count},
      attempts_to_json(letter.attempts), letter.process.host, letter.process.pid, letter.process.release,
      span_of(letter.attempts), result.id);
  if (result.parks) parked_.withdraw_behind(result.id, "");
}

void RedriveSettlement::count_all(const Counts& counts, Timestamp wall, std::vector<RedriveEnd>& ended) {
  for (const auto& [request, count] : counts) {
    if (const auto end = requests_.count(request, count.first, count.second, wall)) ended.push_back(*end);
  }
}

/// Checks without the write lock first: mostly there is nothing to do.
void RedriveSettlement::tend(const std::string& claimed_by, const std::set<std::int64_t>& held,
                             const LeaseTime& time, Timestamp wall, RedriveUpkeep& upkeep) {
  number_inserted();
  const std::int64_t renewal = time.until - (time.until - time.now) / 3;
  bool renew = false;
  bool any_stale = false;
  {
    const StatementUse use(due_);
    bind_all(due_, claimed_by, renewal);
    if (due_.executeStep()) {
      renew = due_.getColumn(0).getInt64() > 0;
      any_stale = due_.getColumn(1).getInt64() > 0;
    }
  }
  if (renew && !held.empty()) {
    connection_.transact_unseen(Sync::Never, [&] { run(renew_, time.until, claimed_by, Json(held).dump()); });
  }
  if (!any_stale) return;
  connection_.transact(Sync::Always, [&] {
    Counts counts;
    const auto over = stale();
    for (const HeldLetter& letter : over) end_stale(letter, wall, counts, upkeep);
    count_all(counts, wall, upkeep.ended);
    upkeep.more = upkeep.more || over.size() == kMostStale;
  });
}

/// What programs have inserted that give letters no version.
void RedriveSettlement::number_inserted() {
  constexpr std::size_t kMostNumbered = 500;
  {
    const StatementUse use(unnumbered_);
    if (!unnumbered_.executeStep() || unnumbered_.getColumn(0).getInt() == 0) return;
  }
  connection_.transact_unseen(
      Sync::Never, [&] { static_cast<void>(number_letters(connection_.database(), kMostNumbered)); });
}

std::vector<RedriveSettlement::HeldLetter> RedriveSettlement::stale() {
  const StatementUse use(stale_);
  bind_all(stale_, std::int64_t{kMostStale});
  std::vector<HeldLetter> held;
  while (stale_.executeStep()) {
    held.push_back(
        {stale_.getColumn(0).getInt64(), stale_.getColumn(1).getString(), !stale_.getColumn(2).isNull()});
  }
  return held;
}

void RedriveSettlement::end_stale(const HeldLetter& held, Timestamp wall, Counts& counts,
                                  RedriveUpkeep& upkeep) {
  RedriveResult result;
  result.id = held.id;
  if (held.started) result = crashed(held, wall);
  if (!settle_one(held.claimed_by, result, counts)) return;  // withdrawn behind one that has crashed
  if (!held.started) {
    ++upkeep.returned;
    return;
  }
  result.letter.data = {};
  upkeep.crashed.push_back(std::move(result));
  if (parked_.parks(held.id)) parked_.withdraw_behind(held.id, held.claimed_by);
}

/// Withdraws a letter whose row cannot be read, so that it is not claimed again and again.
RedriveResult RedriveSettlement::crashed(const HeldLetter& held, Timestamp wall) {
  RedriveResult result;
  result.id = held.id;
  result.end = RedriveResult::End::Withdrawn;
  result.at = wall;
  const StatementUse use(letter_);
  letter_.bind(1, held.id);
  if (!letter_.executeStep()) return result;
  try {
    result.letter = read_letter(letter_, connection_.database()).letter;
  } catch (const Error&) {
    return result;
  }
  const Timestamp began(
      std::chrono::microseconds(letter_.getColumn(letter_.getColumnCount() - 1).getInt64()));
  add_failed_attempt(result.letter, crashed_attempt(began), Reason::Crashed, wall);
  result.letter.process = {.pid = pid_of_claimant(held.claimed_by)};
  result.end = RedriveResult::End::Failed;
  return result;
}

}  // namespace tidings::deadletter
