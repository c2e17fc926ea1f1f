#include <tidings/deadletter/operations.hpp>
#include <tidings/detail/longest_wait.hpp>
#include <tidings/detail/utf8.hpp>

#include "copies/backup.hpp"
#include "file/claim_life.hpp"
#include "file/companions.hpp"
#include "file/file_system.hpp"
#include "file/sqlite_error.hpp"
#include "letters/audit.hpp"
#include "letters/payload_value.hpp"
#include "letters/query.hpp"
#include "operations/bulk_change.hpp"
#include "operations/erasure.hpp"
#include "operations/letter_edit.hpp"
#include "operations/letter_import.hpp"
#include "operations/rekeying.hpp"
#include "redrive/redrive_requests.hpp"
#include "schema/database_file.hpp"
#include "schema/schema.hpp"
#include "sqlite/opened_file.hpp"
#include "sqlite/stored_time.hpp"
#include "sqlite/write_transaction.hpp"

#include <system_error>
#include <type_traits>
#include <utility>

namespace tidings::deadletter {
namespace {

using std::chrono::steady_clock;

constexpr const char* kCannotChange = "cannot change the dead-letter database";

constexpr const char* kMarkForRedrive =
    "UPDATE dead_letters SET redrive_requested_at = :now, redrive_id = :redrive, claimed_by = NULL,"
    " claimed_until = NULL, redrive_started_at = NULL"
    " WHERE id = :id AND reprocessed_at IS NULL AND redrive_requested_at IS NULL AND handler <> ''";
constexpr const char* kUndo =
    "UPDATE dead_letters SET reprocessed_at = NULL, resolution = NULL, resolution_note = NULL"
    " WHERE id = :id AND resolution = 'discarded'";

std::string discard_sql() {
  return std::string(
             "UPDATE dead_letters SET reprocessed_at = :now, resolution = 'discarded',"
             " resolution_note = nullif(:note, ''), redrive_requested_at = NULL, redrive_id = NULL,"
             " claimed_by = NULL, claimed_until = NULL, redrive_started_at = NULL"
             " WHERE id = :id AND reprocessed_at IS NULL AND NOT ") +
         kIsRunning;
}

/// A statement that changes the row :id or, in another state, does not.
LetterChange::Outcome apply(Connection& connection, SQLite::Statement& statement, std::int64_t id) {
  const StatementUse use(statement);
  statement.bind(":id", id);
  statement.exec();
  const bool changed = connection.database().getChanges() > 0;
  return changed ? LetterChange::Outcome::Changed : LetterChange::Outcome::Unfitting;
}

std::optional<logging::Logger> named_audit(const std::optional<logging::Logger>& logger) {
  if (!logger) return std::nullopt;
  return logger->with_name(kAuditLogger);
}

/// Asked before a request is made for the first letter, so that none is made for nothing.
bool is_markable(Connection& connection, std::int64_t id) {
  SQLite::Statement row(connection.database(),
                        "SELECT 1 FROM dead_letters WHERE id = ? AND reprocessed_at IS NULL"
                        " AND redrive_requested_at IS NULL AND handler <> ''");
  row.bind(1, id);
  return row.executeStep();
}

/// The row of tidings_redrives, which is made with the first batch of its letters.
class RequestOfOperator {
 public:
  RequestOfOperator(Connection& connection, const Actor& actor, const RedriveOptions& options)
      : connection_(connection), actor_(actor), options_(options) {}

  [[nodiscard]] std::int64_t id() const noexcept { return id_; }
  [[nodiscard]] std::int64_t requested_at() const noexcept { return requested_at_; }

  /// Inside the transaction that marks its letters.
  void begin() {
    if (id_ != 0) return;
    id_ = insert_request(connection_.database(), options_, actor_.user + "@" + actor_.host, requested_at_);
  }
  /// False when the service has stopped it. A service may have finished all that was marked so far.
  bool add_letters(std::int64_t marked) {
    return run(connection_.database(),
               std::string("UPDATE tidings_redrives SET letters = letters + ?, state = 'open',"
                           " finished_at = NULL WHERE id = ? AND NOT ") +
                   kHasFailed,
               marked, id_) > 0;
  }

 private:
  Connection& connection_;
  const Actor& actor_;
  const RedriveOptions& options_;
  const std::int64_t requested_at_ = wall_now();
  std::int64_t id_ = 0;
};

}  // namespace

class Operations::Implementation {
 public:
  Implementation(const std::filesystem::path& path, Actor actor, const Options& options)
      : actor_(std::move(actor)),
        options_{.busy_timeout = tidings::detail::bounded(options.busy_timeout), .cipher = options.cipher},
        log_(named_audit(options.logger)),
        path_(resolve_path(path, "dead-letter database")) {
    if (options.busy_timeout <= std::chrono::milliseconds::zero()) {
      throw Error(ErrorCode::InvalidArgument, "Operations::Options::busy_timeout must be above zero");
    }
    require_guarded_companions(kCannotOpen, path_);
    static_cast<void>(
        Reader::open(path_, {.timeout = options_.busy_timeout}));  // Says what is wrong with it.
    require_current_schema();
    require_writable(path_, kCannotOpen);
    call([&] {
      connection_ = std::make_unique<Connection>(path_, Access::ReadWrite, "",
                                                 steady_clock::now() + options_.busy_timeout);
      static_cast<void>(connection_->has_table("tidings_meta"));
      file_.admit(*connection_, path_, kCannotChange);
    });
  }

  /// What `body` gives, with SQLite's exceptions as ours.
  template <class Body>
  std::invoke_result_t<Body> call(Body body) {
    file_.require_in_place(kCannotChange);
    if (connection_) connection_->wait_until(steady_clock::now() + options_.busy_timeout);
    return translated(kCannotChange, path_, body);
  }

  /// As call() does for a change, of which the audit tells: `body` gets the audit's row to add to.
  template <class Body>
  std::invoke_result_t<Body, Audit&> audited(const char* verb, std::string filter, Body body) {
    Audit audit(actor_, verb, std::move(filter));
    const Mirror mirror{*this, audit};
    return call([&] { return body(audit); });
  }

  /// Each batch adds to the audit.
  Progress change(const Filter& filter, const std::function<LetterChange::Outcome(std::int64_t)>& apply,
                  Audit& audit, const Watch& watch) {
    const auto finish_batch = [&](std::int64_t changed) {
      audit.add(connection_->database(), changed);
      return true;
    };
    return change(filter, {.apply = apply, .finish_batch = finish_batch}, watch);
  }
  Progress change(const Filter& filter, const LetterChange& change, const Watch& watch) {
    for (const PayloadValue& each : filter.where) require_pointer(each.pointer);
    return change_letters(*connection_, filter, options_.busy_timeout, change, watch);
  }

  [[nodiscard]] Connection& connection() noexcept { return *connection_; }
  [[nodiscard]] const Actor& actor() const noexcept { return actor_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] const PayloadCipher* cipher() const noexcept { return options_.cipher.get(); }
  [[nodiscard]] std::chrono::milliseconds busy_timeout() const noexcept { return options_.busy_timeout; }

 private:
  /// Logs what a call has committed, whether it returned or threw.
  struct Mirror {
    ~Mirror() {
      if (of.log_ && of.connection_) audit.mirror(of.connection_->database(), *of.log_);
    }
    Implementation& of;  // NOLINT(cppcoreguidelines-avoid-const-or-ref-data-members)
    const Audit& audit;  // NOLINT(cppcoreguidelines-avoid-const-or-ref-data-members)
  };

  /// Services migrate, not tools: an older service that still runs would be shut out.
  void require_current_schema() const {
    const auto identity = inspect(path_, kCannotOpen, {}, steady_clock::now() + options_.busy_timeout);
    if (identity.schema_version >= kSchemaVersion) return;
    throw unusable(
        kCannotOpen, path_,
        "its schema version is " + std::to_string(identity.schema_version) +
            ", which this tidings reads and does not change; start the service, which migrates it");
  }

  const Actor actor_;
  const Options options_;
  const std::optional<logging::Logger> log_;
  const std::filesystem::path path_;
  OpenedFile file_;
  std::unique_ptr<Connection> connection_;
};

Operations::Operations(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
Operations::Operations(Operations&&) noexcept = default;
Operations& Operations::operator=(Operations&&) noexcept = default;
Operations::~Operations() = default;

Operations Operations::open(const std::filesystem::path& path, Actor actor, const Options& options) {
  return Operations(std::make_unique<Implementation>(path, std::move(actor), options));
}

Operations Operations::open(const std::filesystem::path& path, Actor actor) {
  return open(path, std::move(actor), Options{});
}

RedriveReport Operations::redrive(Filter filter, const RedriveOptions& options, const Watch& watch) {
  filter.resolved = false;
  filter.marked = false;
  filter.has_handler = true;
  return implementation_->audited("retry", describe_filter(filter), [&](Audit& audit) {
    Connection& connection = implementation_->connection();
    RequestOfOperator request(connection, implementation_->actor(), options);
    SQLite::Statement mark(connection.database(), kMarkForRedrive);
    RedriveReport result;
    const LetterChange change{.apply =
                                  [&](std::int64_t id) {
                                    if (request.id() == 0 && !is_markable(connection, id)) {
                                      return LetterChange::Outcome::Unfitting;
                                    }
                                    request.begin();
                                    mark.bind(":now", request.requested_at());
                                    mark.bind(":redrive", request.id());
                                    return apply(connection, mark, id);
                                  },
                              .finish_batch =
                                  [&](std::int64_t marked) {
                                    result.stopped = !request.add_letters(marked);
                                    audit.add(connection.database(), marked);
                                    return !result.stopped;
                                  }};
    result.progress = implementation_->change(filter, change, watch);
    result.id = result.progress.changed > 0 ? request.id() : 0;
    return result;
  });
}

Progress Operations::discard(Filter filter, const std::string& reason, const Watch& watch) {
  if (!tidings::detail::is_valid_utf8(reason))
    throw Error(ErrorCode::InvalidArgument, "the reason of a discard is not valid UTF-8");
  filter.resolved = false;
  return implementation_->audited("discard", describe_filter(filter), [&](Audit& audit) {
    Connection& connection = implementation_->connection();
    audit.set_note(reason);
    GuardedStatement discard(connection, discard_sql());
    discard.statement().bind(":now", wall_now());
    discard.statement().bind(":note", reason);
    return implementation_->change(
        filter, [&](std::int64_t id) { return discard.apply(id); }, audit, watch);
  });
}

Progress Operations::undo(Filter filter, const Watch& watch) {
  filter.resolved = true;
  filter.resolution = Resolution::Discarded;
  return implementation_->audited("undo", describe_filter(filter), [&](Audit& audit) {
    Connection& connection = implementation_->connection();
    SQLite::Statement undo(connection.database(), kUndo);
    return implementation_->change(
        filter, [&](std::int64_t id) { return apply(connection, undo, id); }, audit, watch);
  });
}

EditResult Operations::edit(std::int64_t id, const Json& payload) {
  return implementation_->audited("edit", describe_filter({.ids = {{id}}}), [&](Audit& audit) {
    return edit_letter(implementation_->connection(), audit, id, payload, implementation_->cipher());
  });
}

RekeyResult Operations::rekey(const Watch& watch, const std::vector<std::string>& encrypt) {
  const PayloadCipher* const cipher = implementation_->cipher();
  if (cipher == nullptr)
    throw Error(ErrorCode::InvalidArgument, "there is no key to encrypt with: give the key file");
  for (const std::string& type : encrypt) validate_name(type, "event type");
  const std::string filter = encrypt.empty() ? "{}" : Json{{"encrypt", encrypt}}.dump();
  return implementation_->audited("rekey", filter, [&](Audit& audit) {
    return rekey_payloads(implementation_->connection(), audit, {*cipher, encrypt},
                          implementation_->busy_timeout(), watch);
  });
}

Progress Operations::import(const std::function<std::optional<StoredLetter>()>& next,
                            const std::function<void(const ImportOutcome&)>& tell, const Watch& watch) {
  return implementation_->audited("import", "{}", [&](Audit& audit) {
    return import_letters(implementation_->connection(), audit, implementation_->busy_timeout(), next, tell,
                          watch);
  });
}

Progress Operations::rehearse_import(const std::function<std::optional<StoredLetter>()>& next,
                                     const std::function<void(const ImportOutcome&)>& tell,
                                     const Watch& watch) {
  return implementation_->call([&] {
    return rehearse_letters(implementation_->connection(), implementation_->busy_timeout(), next, tell,
                            watch);
  });
}

namespace {

/// Leaves the letter with the largest number, as retention does.
Filter without_newest(Filter filter, Connection& connection) {
  if (!filter.resolved) filter.resolved = true;
  filter.up_to_id = connection.integer("SELECT max(id) FROM dead_letters") - 1;
  return filter;
}

}  // namespace

Filter Operations::purgeable(Filter filter) {
  return implementation_->call(
      [&] { return without_newest(std::move(filter), implementation_->connection()); });
}

Progress Operations::purge(Filter filter, const Watch& watch) {
  filter = purgeable(std::move(filter));
  return implementation_->audited("purge", describe_filter(filter), [&](Audit& audit) {
    Connection& connection = implementation_->connection();
    GuardedStatement purge(
        connection, std::string("DELETE FROM dead_letters WHERE id = :id AND (reprocessed_at IS NOT NULL)"
                                " = :resolved AND NOT ") +
                        kIsRunning);
    purge.statement().bind(":resolved", *filter.resolved ? 1 : 0);
    return implementation_->change(
        filter, [&](std::int64_t id) { return purge.apply(id); }, audit, watch);
  });
}

EraseResult Operations::erase(Filter filter, const Watch& watch) {
  for (const PayloadValue& each : filter.where) require_pointer(each.pointer);
  return implementation_->audited("erase", describe_filter(filter), [&](Audit& audit) {
    return erase_letters(implementation_->connection(), audit, filter, implementation_->busy_timeout(),
                         watch);
  });
}

EraseResult Operations::count_erasable(const Filter& filter, const Watch& watch) {
  for (const PayloadValue& each : filter.where) require_pointer(each.pointer);
  return implementation_->call([&] {
    return deadletter::count_erasable(implementation_->connection(), filter, implementation_->busy_timeout(),
                                      watch);
  });
}

void Operations::backup(const std::filesystem::path& target) {
  const auto folder = resolve_path(target.has_parent_path() ? target.parent_path() : ".", "backup's folder");
  const auto whole = folder / target.filename();
  if (file_exists(whole)) {
    throw Error(ErrorCode::InvalidArgument,
                "there is a file " + printable(whole.native()) + " already; give another name");
  }
  implementation_->audited("backup", "{}", [&](Audit& audit) {
    back_up(implementation_->path(), whole, "", steady_clock::now() + implementation_->busy_timeout(),
            "nothing was copied");
    audit.set_note(whole.native());
    WriteTransaction transaction(implementation_->connection());
    audit.add(implementation_->connection().database(), 0);
    transaction.commit();
  });
}

}  // namespace tidings::deadletter
