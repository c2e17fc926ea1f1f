#include "store/store_journal.hpp"

#include "store/store_transaction.hpp"

#include <exception>
#include <utility>

namespace tidings::deadletter {
using tidings::detail::MutexLock;

namespace {

constexpr const char* kCannotReadJournal = "cannot read the journal in";

/// Takes the owner file's lock; its error says what to do about a bus that has it.
OwnerFile::LastOwner own(OwnerFile& file, std::chrono::milliseconds wait) {
  try {
    return file.lock(wait);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::JournalOwned) throw;
    throw Error(
        ErrorCode::JournalOwned,
        std::string(error.what()) + "; stop that first, or give this bus an owner_wait for rolling restarts");
  }
}

Opened<JournalReader> connect_reader(const StoreSettings& settings) {
  auto reader =
      make_opened<JournalReader>(settings.path, settings.internals.vfs, settings.options.busy_timeout);
  settings.internals.file->admit(reader->connection(), settings.path, kCannotReadJournal);
  return reader;
}

}  // namespace

StoreJournal::StoreJournal(const StoreSettings& settings, StoreSession& session, SpillKeeper& spills,
                           StoreTransactions& transactions)
    : settings_(settings),
      session_(session),
      spills_(spills),
      transactions_(transactions),
      owner_(owner_path(settings.path), settings.options.file_mode, settings.internals.boot_id,
             settings.internals.boot_time),
      reader_({.file = *settings.internals.file,
               .path = settings.path,
               .what_failed = kCannotReadJournal,
               .connect = [&settings] { return connect_reader(settings); }}) {}

JournalStart StoreJournal::acquire(std::string_view service, std::chrono::milliseconds owner_wait) {
  settings_.process.require_this("journal");
  validate_name(service, "service");
  const auto last = own(owner_, owner_wait);
  JournalStart start;
  try {
    // While nobody else can commit: a transaction in which the last owner's process published, and that is
    // still open, has taken numbers too.
    session_.transact([&](Session& session) {
      start = read([&](JournalReader& reader) {
        JournalStart found = reader.extent();
        found.suspects = reader.suspects(last.slots);
        return found;
      });
      owner_number().take(session.connection());
    });
    start.crashed = last.crashed;
    owner_.sign();
    service_ = service;
  } catch (...) {
    // Unsigned: what the last owner left stays for the next.
    owner_number().give_up();
    owner_.release(false);
    throw;
  }
  if (start.crashed) remember(start.suspects);
  return start;
}

/// What is no batch, in a transaction of its own.
template <class Work>
void StoreJournal::write_as_owner(Work work) {
  session_.transact([&](Session& session) {
    owner_number().require(session.journal().owner_number());
    work(session.journal());
  });
}

/// Once the crash cannot be found again: a delivery is counted too seldom rather than too often, and so it
/// may fail.
void StoreJournal::remember(std::span<const CrashSuspect> suspects) noexcept {
  try {
    write_as_owner([&](JournalRows& journal) { journal.remember_sole_crashes(suspects); });
  } catch (const std::exception&) {
    return;
  }
}

void StoreJournal::release(bool clean) noexcept {
  service_.clear();
  owner_.release(clean && !owner_number().lost());
  owner_number().give_up();
}

void StoreJournal::require_owned() const {
  settings_.process.require_this("journal");
  if (!service_.empty()) return owner_number().require_not_lost();
  throw Error(ErrorCode::NoJournal, "the journal is used before acquire or after release; acquire it first");
}

const std::string& StoreJournal::service() const {
  require_owned();
  return service_;
}

std::unique_ptr<DeliveryTransaction> StoreJournal::begin_transaction() {
  settings_.process.require_this("journal");
  return transactions_.begin();
}

JournalCommit StoreJournal::commit(const JournalBatch& batch) {
  require_owned();
  JournalCommit result;
  bool done = false;
  for (;;) {
    try {
      session_.use(
          [&](Session& session) { return done = session.commit(batch, service_, owner_number(), result); });
    } catch (const Error& error) {
      // Committed, but to a file that was moved away: whoever puts it back brings the events back too.
      if (done) throw Error(ErrorCode::InDoubt, error.what(), error.sqlite_code());
      throw;
    }
    if (done) return result;
    // Some letter cannot be a row: it is kept elsewhere before its delivery's end is committed, and outside
    // of the transaction, so that no process waits for this one's database and it for that one's spill file.
    spills_.spill(batch.letters, result.letters);
  }
}

template <class Question>
std::invoke_result_t<Question, JournalReader&> StoreJournal::read(Question question) {
  const MutexLock lock(reading_);
  return reader_.use(question);
}

std::vector<OwedDelivery> StoreJournal::owed(const OwedQuery& query) {
  require_owned();
  return read([&](JournalReader& reader) {
    owner_number().require(reader.owner_number());
    return reader.owed(query, service_);
  });
}

std::vector<OwedTotal> StoreJournal::owed_totals(std::size_t at_most) {
  require_owned();
  return read([&](JournalReader& reader) { return reader.owed_totals(at_most); });
}

void StoreJournal::report_unserved(std::span<const OwedTotal> handlers) {
  require_owned();
  write_as_owner([&](JournalRows& journal) { journal.report_unserved(handlers); });
}

bool StoreJournal::forget_keys(const KeyPeriod& remembered) {
  require_owned();
  bool more = false;
  write_as_owner([&](JournalRows& journal) { more = journal.forget_keys(remembered); });
  return more;
}

}  // namespace tidings::deadletter
