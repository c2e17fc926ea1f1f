#include "operations/rekeying.hpp"

#include "letters/payload_value.hpp"
#include "operations/bulk_change.hpp"
#include "schema/schema.hpp"
#include "spill/locked_spill.hpp"
#include "sqlite/statement.hpp"
#include "sqlite/write_transaction.hpp"

#include <tidings/payload_cipher.hpp>

#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tidings::deadletter {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRekeyTime(20);
constexpr std::size_t kRekeyedAtOnce = 1'000;

/// Rewrites payloads of one table, whose columns are those of letters and of the journal. Keeps its
/// statements prepared.
class Rewriter {
 public:
  Rewriter(Connection& connection, const PayloadCipher& cipher, const std::string& table)
      : cipher_(cipher),
        header_(envelope_header(cipher.writing_key())),
        read_(connection.database(), "SELECT event_id, event_type, event_data FROM " + table +
                                         " WHERE id = ?1 AND data_encoding = 'encrypted'"),
        write_(connection.database(), "UPDATE " + table + " SET event_data = ?2 WHERE id = ?1"),
        find_(connection.database(), "SELECT id FROM " + table + " WHERE id > ? AND " +
                                         std::string(kNotUnderKey) + " ORDER BY id LIMIT " +
                                         std::to_string(kRekeyedAtOnce)),
        count_(connection.database(),
               "SELECT count(*) FROM " + table + " WHERE " + std::string(kNotUnderKey)) {}

  /// Inside a transaction. False if the row has gone, or cannot be decrypted: problem() says why.
  bool rewrite(std::int64_t id) {
    try {
      const auto data = encrypted_anew(id);
      if (!data) return false;
      const StatementUse use(write_);
      write_.bind(1, id);
      write_.bind(2, data->data(), static_cast<int>(data->size()));
      return write_.exec() == 1;
    } catch (const Error& error) {
      problem_ = error.what();
      return false;
    }
  }
  [[nodiscard]] std::vector<std::int64_t> find_after(std::int64_t id) {
    const StatementUse use(find_);
    bind_all(find_, id, header_, header_);
    return integers_of(find_);
  }
  [[nodiscard]] std::int64_t count() {
    const StatementUse use(count_);
    bind_all(count_, header_, header_);
    return count_.executeStep() ? count_.getColumn(0).getInt64() : 0;
  }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  std::optional<std::string> encrypted_anew(std::int64_t id) {
    const StatementUse use(read_);
    read_.bind(1, id);
    if (!read_.executeStep()) return std::nullopt;
    const std::string event_type = read_.getColumn(1).getString();
    const auto event_id = EventId::parse(read_.getColumn(0).getString());
    if (!event_id) return std::nullopt;
    const PayloadOwner owner{event_type, *event_id};
    return cipher_.encrypt(cipher_.decrypt(read_.getColumn(2).getString(), owner), owner).bytes;
  }

  const PayloadCipher& cipher_;
  const std::string header_;
  SQLite::Statement read_;
  SQLite::Statement write_;
  SQLite::Statement find_;
  SQLite::Statement count_;
  std::string problem_;
};

/// The journal's part: in transactions as short as those of letters.
std::int64_t rekey_journal(Connection& connection, Audit& audit, Rewriter& journal,
                           std::chrono::milliseconds busy_timeout, const Watch& watch) {
  std::int64_t rewritten = 0;
  std::int64_t after = 0;
  for (auto ids = journal.find_after(after); !ids.empty(); ids = journal.find_after(after)) {
    if (watch.stop && watch.stop()) break;
    connection.wait_until(steady_clock::now() + busy_timeout);
    WriteTransaction transaction(connection);
    const auto end = steady_clock::now() + kRekeyTime;
    std::int64_t in_batch = 0;
    for (std::size_t i = 0; i < ids.size() && (i == 0 || steady_clock::now() < end); ++i) {
      after = ids[i];
      if (journal.rewrite(after)) ++in_batch;
    }
    if (in_batch > 0) audit.add(connection.database(), in_batch);
    transaction.commit();
    rewritten += in_batch;
    std::this_thread::sleep_for(kPauseBetweenWrites);
  }
  return rewritten;
}

}  // namespace

RekeyResult rekey_payloads(Connection& connection, Audit& audit, const PayloadCipher& cipher,
                           std::chrono::milliseconds busy_timeout, const Watch& watch) {
  Rewriter letters(connection, cipher, "dead_letters");
  Rewriter journal(connection, cipher, "tidings_journal");
  const Filter others{.not_under_key = std::string(cipher.writing_key())};
  RekeyResult result;
  // First: what dies of it meanwhile becomes a letter under the new key.
  result.journal_events = rekey_journal(connection, audit, journal, busy_timeout, watch);
  const auto apply = [&](std::int64_t id) {
    return letters.rewrite(id) ? LetterChange::Outcome::Changed : LetterChange::Outcome::Unfitting;
  };
  const auto finish_batch = [&](std::int64_t changed) {
    audit.add(connection.database(), changed);
    return true;
  };
  result.progress =
      change_letters(connection, others, busy_timeout, {.apply = apply, .finish_batch = finish_batch}, watch);
  for (const auto& spill : known_spills(connection))
    result.spilled_left += LockedSpill(spill, steady_clock::now() + busy_timeout).count(others);
  result.letters_left = letters.count();
  result.journal_events_left = journal.count();
  result.problem = letters.problem().empty() ? journal.problem() : letters.problem();
  return result;
}

}  // namespace tidings::deadletter
