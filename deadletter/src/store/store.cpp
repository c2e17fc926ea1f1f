#include <tidings/deadletter/store.hpp>
#include <tidings/detail/longest_wait.hpp>

#include "copies/backup.hpp"
#include "file/file_system.hpp"
#include "file/sqlite_error.hpp"
#include "store/open_store.hpp"
#include "store/opening.hpp"
#include "store/spill_keeper.hpp"
#include "store/store_journal.hpp"
#include "store/store_redrives.hpp"
#include "store/store_session.hpp"
#include "store/store_transaction.hpp"
#include "store/wal_upkeep.hpp"

#include <sqlite3.h>

#include <array>
#include <cstdio>
#include <exception>
#include <new>
#include <utility>

namespace tidings::deadletter {
namespace {

constexpr const char* kCannotBackUp = "cannot back up";
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
  if (options.audit_retention < std::chrono::hours::zero()) {
    refuse("StoreOptions::audit_retention must not be negative; zero keeps the audit for ever");
  }
  if (options.retention < std::chrono::hours::zero()) {
    refuse("StoreOptions::retention must not be negative; zero keeps resolved letters for ever");
  }
  if (options.minutes_retention < std::chrono::hours::zero()) {
    refuse("StoreOptions::minutes_retention must not be negative; zero keeps the counters for ever");
  }
  if (options.busy_timeout < std::chrono::milliseconds::zero()) {
    refuse("StoreOptions::busy_timeout must not be negative; zero means not to wait");
  }
  constexpr std::uint64_t kMostReserve = 1ULL << 40U;
  if (options.spill_reserve > kMostReserve) refuse("StoreOptions::spill_reserve must be at most 1 TiB");
}

/// They are added to times later, which must not overflow. Nothing else bounds them.
StoreOptions with_bounded_durations(StoreOptions options) {
  options.busy_timeout = tidings::detail::bounded(options.busy_timeout);
  options.retention = tidings::detail::bounded(options.retention);
  options.audit_retention = tidings::detail::bounded(options.audit_retention);
  options.minutes_retention = tidings::detail::bounded(options.minutes_retention);
  return options;
}

LetterOutcome unsaved(std::string problem) { return {LetterOutcome::Place::Unsaved, 0, std::move(problem)}; }

}  // namespace

/// The store as the bus's port for counters.
class StoreMinutes final : public Minutes {
 public:
  StoreMinutes(const StoreSettings& settings, StoreSession& session)
      : settings_(settings), session_(session) {}

  void add(std::string_view service, std::span<const MinuteRow> rows) override {
    settings_.internals.minutes->add(service, rows);
  }
  void flush() override {
    settings_.process.require_this("store");
    if (!settings_.internals.minutes->anything_waits()) return;
    session_.use([](Session& session) {
      session.keep_minutes();
      return true;
    });
  }

 private:
  const StoreSettings& settings_;
  StoreSession& session_;
};

/// The parts of a store. Each is thread-safe.
class Store::Implementation {
 public:
  explicit Implementation(StoreSettings with)
      : settings(std::move(with)),
        spills(settings),
        wal(settings),
        session(settings),
        transactions(settings),
        journal(settings, session, spills, transactions),
        redrives(settings),
        minutes(settings, session) {
    make_current(settings, spills.path());
    spills.open(session);
    spills.import_for(kImportAtOpen, session);
  }

  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  /// Before the journal may have another owner.
  ~Implementation() { session.save_if_lost(); }

  const StoreSettings settings;
  SpillKeeper spills;
  WalUpkeep wal;
  /// Ends after the journal's reader: the last connection takes in the -wal file, and a reader cannot.
  StoreSession session;
  StoreTransactions transactions;
  StoreJournal journal;
  StoreRedrives redrives;
  StoreMinutes minutes;
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
  internals.minutes = std::make_shared<MinuteBuffer>(tidings::detail::bounded(options.minutes_retention));
  auto implementation = std::make_unique<Store::Implementation>(StoreSettings{
      resolve_path(path, "dead-letter database"), with_bounded_durations(options), std::move(internals)});
  return std::shared_ptr<Store>(new Store(std::move(implementation)));
}

std::vector<LetterOutcome> Store::store(std::span<const DeadLetter> letters, WhenBusy when_busy) {
  implementation_->settings.process.require_this("store");
  std::vector<LetterOutcome> outcomes;
  try {
    // The bus stores letters of owed deliveries in this way when the journal's commit has failed.
    const bool without_end = when_busy == WhenBusy::Spill;
    outcomes =
        implementation_->session.use([&](Session& session) { return session.store(letters, without_end); });
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
  implementation_->spills.spill(each, outcomes);
  return outcomes;
}

std::vector<std::string> Store::dead_keys(std::string_view service, std::string_view event_type,
                                          std::string_view handler) {
  implementation_->settings.process.require_this("store");
  return implementation_->session.use(
      [&](Session& session) { return session.dead_keys(service, event_type, handler); });
}

std::optional<UnresolvedLetters> Store::unresolved_letters(std::string_view service) {
  implementation_->settings.process.require_this("store");
  return implementation_->session.use([&](Session& session) { return session.unresolved(service); });
}

/// Not in turn with writers: SQLite copies one moment while they go on.
void Store::backup(const std::filesystem::path& target) const {
  const StoreSettings& settings = implementation_->settings;
  settings.process.require_this("store");
  const auto whole = resolve_path(target, "backup copy");
  settings.internals.file->require_in_place(kCannotBackUp);
  const auto deadline = std::chrono::steady_clock::now() + settings.options.busy_timeout;
  translated(kCannotBackUp, settings.path,
             [&] { back_up(settings.path, whole, settings.internals.vfs, deadline, "nothing was copied"); });
}

SpillImport Store::import_spilled() {
  if (!implementation_->settings.process.is_this()) return {};
  implementation_->spills.import_for(kImportAtOnce, implementation_->session);
  return implementation_->spills.take_report();
}

SinkFiles Store::look_after_files() {
  if (!implementation_->settings.process.is_this()) return {};
  return translated("cannot look after the files of", path(), [this] {
    implementation_->session.look_after_file();
    return implementation_->wal.tend();
  });
}

Journal* Store::journal() noexcept { return &implementation_->journal; }
Redrives* Store::redrives() noexcept { return &implementation_->redrives; }
Minutes* Store::minutes() noexcept { return &implementation_->minutes; }

PayloadEncryption Store::encryption() const { return implementation_->settings.options.encryption; }

const std::filesystem::path& Store::path() const noexcept { return implementation_->settings.path; }
std::string Store::location() const { return path().string(); }

Json Store::configuration() const {
  const StoreOptions& options = implementation_->settings.options;
  std::array<char, 8> mode{};
  std::snprintf(mode.data(), mode.size(), "%04o", options.file_mode);
  Json fields = Json::object();
  fields["busy_timeout_ms"] = options.busy_timeout.count();
  fields["spill_path"] = spill_path().string();
  fields["spill_reserve_bytes"] = options.spill_reserve;
  fields["file_mode"] = mode.data();
  fields["retention_h"] = options.retention.count();
  fields["audit_retention_h"] = options.audit_retention.count();
  fields["minutes_retention_h"] = options.minutes_retention.count();
  fields["adopted_database"] = options.adopt;
  fields["encrypted_types"] = options.encryption.types;
  fields["key_file"] = nullptr;
  fields["key_ids"] = Json::array();
  fields["sqlite_version"] = ::sqlite3_libversion();
  if (options.encryption.cipher) fields.update(options.encryption.cipher->configuration());
  return fields;
}
const std::filesystem::path& Store::spill_path() const noexcept { return implementation_->spills.path(); }

}  // namespace tidings::deadletter
