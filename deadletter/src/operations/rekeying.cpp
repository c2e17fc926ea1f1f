#include "operations/rekeying.hpp"

#include "letters/payload_value.hpp"
#include "operations/bulk_change.hpp"
#include "schema/schema.hpp"
#include "spill/locked_spill.hpp"
#include "sqlite/statement.hpp"
#include "sqlite/write_transaction.hpp"

#include <tidings/payload_cipher.hpp>

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tidings::deadletter {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRekeyTime(20);
constexpr std::size_t kRekeyedAtOnce = 1'000;

// Rows that are still to be rewritten: the beginning of what is under the key (twice), and the types whose
// payloads are to be encrypted, as a JSON array.
const std::string kToRewrite = "(" + std::string(kNotUnderKey) +
                               " OR data_encoding IN ('json', 'cbor') AND event_type IN"
                               " (SELECT value FROM json_each(?)))";

/// Rewrites payloads of one table, whose columns are those of letters and of the journal. Keeps its
/// statements prepared.
class Rewriter {
 public:
  Rewriter(Connection& connection, const PayloadCipher& cipher, const std::vector<std::string>& encrypt,
           const std::string& table)
      : cipher_(cipher),
        encrypt_(Json(encrypt).dump()),
        header_(envelope_header(cipher.writing_key())),
        read_(connection.database(), "SELECT event_id, event_type, event_data, data_encoding FROM " + table +
                                         " WHERE " + kToRewrite + " AND id = ?"),
        write_(connection.database(),
               "UPDATE " + table + " SET event_data = ?2, data_encoding = 'encrypted' WHERE id = ?1"),
        find_(connection.database(), "SELECT id FROM " + table + " WHERE " + kToRewrite +
                                         " AND id > ? ORDER BY id LIMIT " + std::to_string(kRekeyedAtOnce)),
        count_(connection.database(), "SELECT count(*) FROM " + table + " WHERE " + kToRewrite) {}

  /// Inside a transaction. False if the row has gone or needs nothing, or cannot be decrypted: problem() says
  /// why.
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
    bind_all(find_, header_, header_, encrypt_, id);
    return integers_of(find_);
  }
  [[nodiscard]] std::int64_t count() {
    const StatementUse use(count_);
    bind_all(count_, header_, header_, encrypt_);
    return count_.executeStep() ? count_.getColumn(0).getInt64() : 0;
  }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  std::optional<std::string> encrypted_anew(std::int64_t id) {
    const StatementUse use(read_);
    bind_all(read_, header_, header_, encrypt_, id);
    if (!read_.executeStep()) return std::nullopt;
    const std::string event_type = read_.getColumn(1).getString();
    const auto event_id = EventId::parse(read_.getColumn(0).getString());
    const auto encoding = parse_data_encoding(read_.getColumn(3).getString());
    if (!event_id || !encoding) return std::nullopt;
    const PayloadOwner owner{event_type, *event_id};
    EncodedData data{read_.getColumn(2).getString(), *encoding, ""};
    if (*encoding == DataEncoding::Encrypted) data = cipher_.decrypt(data.bytes, owner);
    return cipher_.encrypt(data, owner).bytes;
  }

  const PayloadCipher& cipher_;
  const std::string encrypt_;
  const std::string header_;
  SQLite::Statement read_;
  SQLite::Statement write_;
  SQLite::Statement find_;
  SQLite::Statement count_;
  std::string problem_;
};

std::vector<RekeyResult::InTheClear> find_in_the_clear(Connection& connection) {
  SQLite::Statement row(connection.database(),
                        "WITH rows(event_type, data_encoding) AS (SELECT event_type, data_encoding FROM"
                        " dead_letters UNION ALL SELECT event_type, data_encoding FROM tidings_journal)"
                        " SELECT event_type, count(*) FROM rows WHERE data_encoding IN ('json', 'cbor')"
                        " AND event_type IN (SELECT event_type FROM rows WHERE data_encoding = 'encrypted')"
                        " GROUP BY event_type ORDER BY event_type");
  std::vector<RekeyResult::InTheClear> found;
  while (row.executeStep()) found.push_back({row.getColumn(0).getString(), row.getColumn(1).getInt64()});
  return found;
}

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

void tell_together(const Watch& watch, const Progress& before, Progress progress) {
  progress.changed += before.changed;
  if (watch.progress) watch.progress(progress);
}

}  // namespace

RekeyResult rekey_payloads(Connection& connection, Audit& audit, const Rekeying& how,
                           std::chrono::milliseconds busy_timeout, const Watch& watch) {
  Rewriter letters(connection, how.cipher, how.encrypt, "dead_letters");
  Rewriter journal(connection, how.cipher, how.encrypt, "tidings_journal");
  const Filter others{.not_under_key = std::string(how.cipher.writing_key())};
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
  const LetterChange change{.apply = apply, .finish_batch = finish_batch};
  result.progress = change_letters(connection, others, busy_timeout, change, watch);
  for (const std::string& type : how.encrypt) {
    const Watch more{[&](const Progress& progress) { tell_together(watch, result.progress, progress); },
                     watch.stop};
    const Filter of_type{.event_type = type, .has_payload = true};
    const Progress done = change_letters(connection, of_type, busy_timeout, change, more);
    result.progress.changed += done.changed;
    result.progress.complete = result.progress.complete && done.complete;
  }
  for (const auto& spill : known_spills(connection))
    result.spilled_left += LockedSpill(spill, steady_clock::now() + busy_timeout).count(others);
  result.letters_left = letters.count();
  result.journal_events_left = journal.count();
  result.in_the_clear = find_in_the_clear(connection);
  result.problem = letters.problem().empty() ? journal.problem() : letters.problem();
  return result;
}

}  // namespace tidings::deadletter
