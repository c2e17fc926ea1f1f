#include "file/claim_life.hpp"

#include "file/claimant_lock.hpp"
#include "file/owner_file.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <memory>
#include <utility>

namespace tidings::deadletter {
namespace {

void claim_life_function(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  const auto* by = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
  if (by == nullptr || sqlite3_value_type(values[1]) == SQLITE_NULL) return sqlite3_result_int(context, 0);
  const std::string_view claimed_by(by, static_cast<std::size_t>(sqlite3_value_bytes(values[0])));
  const auto& judge = *static_cast<const ClaimJudge*>(sqlite3_user_data(context));
  sqlite3_result_int(context, static_cast<int>(judge.judge(claimed_by, sqlite3_value_int64(values[1]))));
}

}  // namespace

ClaimJudge::ClaimJudge(const std::filesystem::path& database, std::string boot_id,
                       std::function<std::int64_t()> boot_time)
    : owner_file_(owner_path(database)), boot_id_(std::move(boot_id)), boot_time_(std::move(boot_time)) {}

ClaimLife ClaimJudge::judge(std::string_view claimed_by, std::int64_t claimed_until) const noexcept {
  const std::int64_t now = boot_time_();
  const bool runs = claimed_until > now;
  const bool same_clock = !boot_id_.empty() && claimed_by.substr(0, claimed_by.find('/')) == boot_id_;
  if (runs && (same_clock || claimed_until - kLongestLease <= now)) return ClaimLife::Alive;
  if (!ClaimantLock::is_held(owner_file_, claimed_by)) return ClaimLife::Over;
  return runs ? ClaimLife::Alive : ClaimLife::Lapsed;
}

void ClaimJudge::define_on(SQLite::Database& connection, ClaimJudge judge) {
  auto kept = std::make_unique<ClaimJudge>(std::move(judge));
  // SQLite destroys its argument, also when the call fails.
  const int result = sqlite3_create_function_v2(
      connection.getHandle(), "tidings_claim_life", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, kept.release(),
      &claim_life_function, nullptr, nullptr, [](void* made) { delete static_cast<ClaimJudge*>(made); });
  if (result != SQLITE_OK) throw SQLite::Exception(connection.getHandle(), result);
}

}  // namespace tidings::deadletter
