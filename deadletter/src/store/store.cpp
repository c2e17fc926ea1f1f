#include <tidings/deadletter/store.hpp>
#include <tidings/detail/longest_wait.hpp>

#include "copies/backup.hpp"
#include "file/companions.hpp"
#include "file/file_system.hpp"
#include "file/sqlite_error.hpp"
#include "store/open_store.hpp"
#include "store/opening.hpp"
#include "store/spill_importer.hpp"
#include "store/store_journal.hpp"
#include "store/store_redrives.hpp"
#include "store/store_transaction.hpp"
#include "store/wal_upkeep.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <mutex>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

namespace tidings::deadletter {
namespace {

constexpr const char* kCannotStore = "cannot store dead letters in";
/// How long an import may go on at a time, while a service starts and while the bus waits for it.
constexpr std::chrono::milliseconds kImportAtOpen{1000};
constexpr std::chrono::milliseconds kImportAtOnce{100};
constexpr unsigned kWidestMode = 0660;

void require_valid(const StoreOptions& options) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorCode::InvalidArgument, what); };
  if ((options.file_mode & ~kWidestMode) != 0 || (options.file_mode & 0600U) != 0600U) {
    refuse(
        "StoreOptions::file_mode must let the owner read and write (0600) and nobody beyond the group (at "
        "most 0660)");
  }
  if (options.retention < std::chrono::hours::zero()) {
    refuse("StoreOptions::retention must not be negative; zero keeps resolved letters for ever");
  }
  if (options.busy_timeout < std::chrono::milliseconds::zero()) {
    refuse("StoreOptions::busy_timeout must not be negative; zero means not to wait");
  }
  constexpr std::uint64_t kMostReserve = 1ULL << 40U;
  if (options.spill_reserve > kMostReserve) refuse("StoreOptions::spill_reserve must be at most 1 TiB");
}

/// The one place: whoever computes with them adds them to times.
StoreOptions with_bounded_durations(StoreOptions options) {
  options.busy_timeout = tidings::detail::bounded(options.busy_timeout);
  options.retention = tidings::detail::bounded(options.retention);
  return options;
}

/// The folder's links are resolved, the file's own name is not: a spill file is never a link.
std::filesystem::path resolve_spill_path(const std::filesystem::path& database,
                                         const std::filesystem::path& wanted) {
  std::filesystem::path usual = database.native() + ".spill.jsonl";
  if (wanted.empty()) return usual;
  const auto whole = resolve_path(wanted, "spill file");
  const DatabaseFiles own{database};
  if (whole != usual && !why_no_output(whole, {&own, 1}).empty()) {
    throw unusable("the spill file cannot be", wanted,
                   "that is a file of a database; give another spill_path", ErrorCode::InvalidArgument);
  }
  if (!wanted.has_filename()) {
    throw unusable("the spill file cannot be", wanted, "that is a folder; give a file name",
                   ErrorCode::InvalidArgument);
  }
  const auto folder = wanted.has_parent_path() ? wanted.parent_path() : std::filesystem::path(".");
  return resolve_path(folder, "folder of the spill file") / wanted.filename();
}

Error in_doubt(const std::filesystem::path& database, const SQLite::Exception& cause) {
  const int code = cause.getExtendedErrorCode();
  return unusable("in doubt: an error during the commit in", database,
                  "this process goes on as if it had not happened, but it may be found after a restart; "
                  "publishing again with the same idempotency key is safe: " +
                      explain(code, cause.what()),
                  ErrorCode::InDoubt, code);
}

LetterOutcome unsaved(std::string problem) { return {LetterOutcome::Place::Unsaved, 0, std::move(problem)}; }

}  // namespace

class Store::Implementation : private StoreWriter {
 public:
  Implementation(const std::filesystem::path& path, const StoreOptions& options, StoreInternals internals)
      : options_(with_bounded_durations(options)),
        internals_(std::move(internals)),
        path_(resolve_path(path, "dead-letter database")),
        spill_(
            resolve_spill_path(path_, options.spill_path),
            {options.file_mode, options.spill_reserve, options_.busy_timeout, internals_.spill_calls, path_}),
        wal_(path_, internals_),
        transactions_(path_, options_, internals_),
        journal_(*this, {path_, internals_.vfs, options_.busy_timeout, options_.file_mode, internals_.boot_id,
                         internals_.boot_time, internals_.file, internals_.owner}) {
    make_current(path_, options_, internals_, spill_.path());
    session_ = connect(path_, options_, internals_);
    spill_.open();
    redrives_ = std::make_unique<StoreRedrives>(path_, options_, internals_);
    spills_ = in_database([](Session& session) { return known_spills(session.connection()); });
    import_until(std::chrono::steady_clock::now() + kImportAtOpen);
  }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  /// SQLite forbids a child even to close what its parent opened, so there the connections are leaked.
  ~Implementation() override {
    if (::getpid() == process_) {
      if (!internals_.file->is_in_place()) save_committed();
      return;
    }
    static_cast<void>(session_.release());
    transactions_.abandon();
    journal_.abandon();
  }

  std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy when_busy) {
    require_same_process();
    const std::lock_guard lock(mutex_);
    std::vector<LetterOutcome> outcomes;
    try {
      // Those of the journal's come so when its commit has failed: the delivery is still owed.
      const bool without_end = when_busy == WhenBusy::Spill;
      outcomes = in_database([&](Session& session) { return session.store(letters, without_end); });
    } catch (const Error& error) {
      if (error.code() == ErrorCode::DatabaseBusy && when_busy == WhenBusy::Throw) throw;
      outcomes.assign(letters.size(), unsaved(error.what()));
    } catch (const std::bad_alloc&) {
      throw;  // they are to be given again
    } catch (const std::exception& error) {
      outcomes.assign(letters.size(), unsaved(printable(error.what())));
    }
    std::vector<const DeadLetter*> each;
    for (const DeadLetter& letter : letters) each.push_back(&letter);
    spill_unsaved(each, outcomes);
    return outcomes;
  }

  std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                     std::string_view handler) {
    require_same_process();
    const std::lock_guard lock(mutex_);
    return in_database([&](Session& session) { return session.dead_keys(service, event_type, handler); });
  }

  SpillImport import_spilled() {
    if (::getpid() != process_) return {};
    import_until(std::chrono::steady_clock::now() + kImportAtOnce);
    const std::lock_guard lock(mutex_);
    return std::exchange(imported_, {});
  }

  /// Not in turn with writers: SQLite copies one moment while they go on.
  void backup(const std::filesystem::path& target) const {
    require_same_process();
    const auto whole = resolve_path(target, "backup copy");
    internals_.file->require_in_place("cannot back up");
    try {
      back_up(path_, whole, internals_.vfs, std::chrono::steady_clock::now() + options_.busy_timeout,
              "nothing was copied");
    } catch (const SQLite::Exception& error) {
      throw unusable("cannot back up", path_, error);
    }
  }

  SinkFiles look_after_files() {
    if (::getpid() != process_) return {};
    try {
      if (const std::unique_lock lock(mutex_, std::try_to_lock); lock)
        require_file(OpenedFile::Look::Everything);
      return wal_.look();
    } catch (const SQLite::Exception& error) {
      throw unusable("cannot look after the files of", path_, error);
    }
  }

  [[nodiscard]] Journal& journal() noexcept { return journal_; }

  [[nodiscard]] Redrives* redrives() noexcept { return redrives_.get(); }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] const std::filesystem::path& spill_path() const noexcept { return spill_.path(); }

 private:
  void write(const std::function<void(Session&)>& work) override {
    require_same_process();
    const std::lock_guard lock(mutex_);
    in_database(work);
  }

  bool write_lock_is_free() noexcept override {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    try {
      return lock && sound_session().connection().write_lock_is_free();
    } catch (const std::exception&) {
      return false;
    }
  }

  std::unique_ptr<DeliveryTransaction> begin_transaction() override { return transactions_.begin(); }

  void spill(std::span<const DeadLetter* const> letters, std::vector<LetterOutcome>& outcomes) override {
    const std::lock_guard lock(mutex_);
    spill_unsaved(letters, outcomes);
  }

  void import_until(Connection::Deadline deadline) {
    {
      const std::lock_guard lock(mutex_);
      imported_.problem.clear();
    }
    for (const auto& spill : spills_) {
      if (SpillImporter::has_work(spill)) import_from(spill, deadline);
    }
  }

  /// In steps between which others may write.
  void import_from(const std::filesystem::path& path, Connection::Deadline deadline) {
    SpillFile another(path, {options_.file_mode, 0, options_.busy_timeout, internals_.spill_calls, path_});
    SpillImporter importer(path == spill_.path() ? spill_ : another);
    bool more = true;
    while (more && std::chrono::steady_clock::now() < deadline) {
      const std::lock_guard lock(mutex_);
      more = import_step(importer, path);
    }
  }

  bool import_step(SpillImporter& importer, const std::filesystem::path& path) {
    try {
      in_database([&](Session& session) { importer.step(session, imported_); });
      return imported_.more;
    } catch (const Error& error) {
      // Who has the lock needs it for a moment; there is another time.
      if (error.code() != ErrorCode::DatabaseBusy) imported_.problem = error.what();
    } catch (const std::system_error& error) {
      imported_.problem = unusable("cannot import the spill file", path, error.code().message()).what();
    }
    imported_.more = false;
    return false;
  }

  void require_same_process() const {
    if (::getpid() == process_) return;
    throw Error(ErrorCode::ForkedChild,
                "this store was opened by the parent process; a forked child must open one of its own");
  }

  /// A connection that is as sound as can be had. A failed one is given up only when there is another: as
  /// long as one lives, a transaction whose commit failed stays uncommitted, while after the last one's end
  /// whoever opens the database next finds it in the -wal file, whole, and takes it for committed.
  Session& sound_session() {
    require_file(OpenedFile::Look::Database);
    if (session_ == nullptr || suspect_) session_ = connect(path_, options_, internals_);
    suspect_ = false;
    return *session_;
  }

  /// Throws Error.
  template <class Work>
  std::invoke_result_t<Work, Session&> in_database(Work work) {
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<Work, Session&>>) {
        work(sound_session());
        require_still_there();
      } else {
        auto result = work(sound_session());
        require_still_there();
        return result;
      }
    } catch (const CommitInDoubt& error) {
      suspect_ = true;
      throw in_doubt(path_, error);
    } catch (const SQLite::Exception& error) {
      suspect_ = failure_kind(error.getErrorCode()) == FailureKind::Database;
      throw unusable(kCannotStore, path_, error);
    }
  }

  /// What was committed to a file that had been deleted meanwhile is not stored.
  void require_still_there() { require_file(OpenedFile::Look::Committed); }

  void require_file(OpenedFile::Look look) {
    if (internals_.file->is_in_place(look)) return;
    save_committed();
    internals_.file->require_in_place(kCannotStore, look);
  }

  /// What is committed to a -wal file that was deleted would end with this process: it is copied into the
  /// database, as far as nobody reads an older state of it just now. There is another time.
  void save_committed() noexcept {
    if (session_ == nullptr || !internals_.file->is_only_writer()) return;
    sqlite3_wal_checkpoint_v2(session_->connection().database().getHandle(), "main",
                              SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  }

  void spill_unsaved(std::span<const DeadLetter* const> letters, std::vector<LetterOutcome>& outcomes) {
    std::vector<std::size_t> places;
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < letters.size(); ++i) {
      if (outcomes[i].place != LetterOutcome::Place::Unsaved) continue;
      try {
        lines.push_back(to_json_line(*letters[i]));
        places.push_back(i);
      } catch (const std::bad_alloc&) {
        throw;
      } catch (const std::exception& error) {
        outcomes[i].problem +=
            std::string("; it cannot be written as JSON either: ") + printable(error.what());
      }
    }
    const auto problems = spill_.append(lines);
    for (std::size_t i = 0; i < places.size(); ++i) settle(outcomes[places[i]], problems[i]);
  }

  void settle(LetterOutcome& outcome, const std::string& spill_problem) const {
    if (spill_problem.empty()) {
      outcome.place = LetterOutcome::Place::Spilled;
      outcome.problem += "; the letter is in " + printable(spill_.path().native());
    } else {
      outcome.problem += "; " + spill_problem;
    }
  }

  // Constant after construction.
  const pid_t process_ = ::getpid();
  const StoreOptions options_;
  const StoreInternals internals_;
  const std::filesystem::path path_;
  std::unique_ptr<StoreRedrives> redrives_;

  std::vector<std::filesystem::path> spills_;  // all that were ever in use; constant after construction

  std::mutex mutex_;
  SpillImport imported_;              // guarded by mutex_; since import_spilled was last called
  SpillFile spill_;                   // guarded by mutex_, but for its path
  std::unique_ptr<Session> session_;  // guarded by mutex_; empty when the next call is to connect anew
  bool suspect_ = false;              // guarded by mutex_; the last call failed for more than a lock
  WalUpkeep wal_;                     // its own thread safety
  StoreTransactions transactions_;    // its own thread safety
  StoreJournal journal_;              // writes through session_; its own thread safety
};

Store::Store(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Store::~Store() = default;

std::shared_ptr<Store> Store::open(const std::filesystem::path& path, const StoreOptions& options) {
  return open_store(path, options, {});
}

std::shared_ptr<Store> open_store(const std::filesystem::path& path, const StoreOptions& options,
                                  StoreInternals internals) {
  require_valid(options);
  internals.file = std::make_shared<OpenedFile>();
  internals.owner = std::make_shared<OwnerNumber>();
  auto implementation = std::make_unique<Store::Implementation>(path, options, std::move(internals));
  return std::shared_ptr<Store>(new Store(std::move(implementation)));
}

std::vector<LetterOutcome> Store::store(std::span<const DeadLetter> letters, WhenBusy when_busy) {
  return implementation_->store(letters, when_busy);
}

std::vector<std::string> Store::dead_keys(std::string_view service, std::string_view event_type,
                                          std::string_view handler) {
  return implementation_->dead_keys(service, event_type, handler);
}

void Store::backup(const std::filesystem::path& target) const { implementation_->backup(target); }

SpillImport Store::import_spilled() { return implementation_->import_spilled(); }

SinkFiles Store::look_after_files() { return implementation_->look_after_files(); }

Journal* Store::journal() noexcept { return &implementation_->journal(); }
Redrives* Store::redrives() noexcept { return implementation_->redrives(); }

const std::filesystem::path& Store::path() const noexcept { return implementation_->path(); }
const std::filesystem::path& Store::spill_path() const noexcept { return implementation_->spill_path(); }

}  // namespace tidings::deadletter
