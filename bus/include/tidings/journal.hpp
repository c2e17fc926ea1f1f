#pragma once

#include <tidings/dead_letter.hpp>
#include <tidings/event.hpp>
#include <tidings/letter_sink.hpp>
#include <tidings/metadata.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings {

/// What an accepted event survives besides failing handlers.
enum class Durability : std::uint8_t {
  None,          ///< Nothing more: it is in memory until handled. Dead letters are durable all the same.
  ProcessCrash,  ///< kill -9, abort, out of memory: it is in the journal before publish returns.
  PowerLoss,     ///< A power cut or kernel crash too: the journal is synced before publish returns.
};

/// The times, first and last, at which an idempotency key must have been used to count. They are wall-clock
/// times, as events are stamped: a key may have been used in the future.
struct KeyPeriod {
  Timestamp from = Timestamp::min();
  Timestamp to = Timestamp::max();

  [[nodiscard]] bool has(Timestamp used_at) const noexcept { return from <= used_at && used_at <= to; }
};

/// An event to be journalled. What it points at lives until `Journal::commit` returns.
struct JournalAppend {
  /// Chosen by the bus, larger than every id before: the order of publishing.
  std::int64_t id = 0;
  std::string_view event_type;
  int schema_version = 1;
  const EncodedData* data = nullptr;
  const Metadata* metadata = nullptr;
  /// Names of the handlers that owe a delivery: a JSON array of strings.
  std::string_view handlers;
  /// Empty: none.
  std::string_view idempotency_key;
  /// An event that was published outside of it, under the same key, is no repeat's first: the key is this
  /// one's from now on.
  KeyPeriod key_period = {};
};

/// What is known of one delivery of a journalled event, besides that it is owed.
struct JournalDelivery {
  std::int64_t journal_id = 0;
  std::string handler;
  /// Handled, or a dead letter by now, while other handlers still owe the event.
  bool done = false;
  std::uint32_t attempts_made = 0;
  /// Oldest first; of more than 100, the first 50 and the last 50.
  std::vector<Attempt> attempts;
  std::optional<Timestamp> failed_at;
  std::optional<Timestamp> next_attempt_at;
  /// How often the process died while this delivery was the only one running.
  std::uint32_t crashes = 0;
};

/// What one commit changes, all of it or nothing.
struct JournalBatch {
  std::vector<JournalAppend> appended;
  /// Replace what was known of these deliveries, but that they are done. What is said of events that are not
  /// there is forgotten. An event all of whose deliveries are done goes, also if nobody says so in
  /// `finished`.
  std::vector<JournalDelivery> changed;
  /// Letters of deliveries that gave up; their ends are among `changed` or `finished`. Or letters of events
  /// in `appended`, whose deliveries are dead from the start: those of an event that is a repeat are not
  /// stored.
  std::vector<const DeadLetter*> letters;
  /// Events that no handler owes any more: they and their deliveries go.
  std::vector<std::int64_t> finished;
  /// Sync before returning. A batch with letters is synced always.
  bool synced = false;
};

struct JournalCommit {
  /// For each appended event the id of the event that was published before under its idempotency key, or
  /// nothing. An event with such a repeat was not appended. Nil: it is a repeat, but the key's row is
  /// damaged.
  std::vector<std::optional<EventId>> repeats;
  /// One for each letter, as from LetterSink::store. A letter that cannot be a row (larger than the database
  /// takes) does not hold up the batch: it was Spilled before the commit, or is Unsaved, and the bus's to
  /// save.
  std::vector<LetterOutcome> letters;
};

/// Whether a letter of `batch` is of an event in `appended` that is a repeat, by JournalCommit::repeats: such
/// a letter is not stored.
[[nodiscard]] bool is_of_repeat(const DeadLetter& letter, const JournalBatch& batch,
                                std::span<const std::optional<EventId>> repeats) noexcept;

/// A delivery that is owed, as read back.
struct OwedDelivery {
  std::int64_t journal_id = 0;
  std::string event_type;
  int schema_version = 1;
  EncodedData data;
  Metadata metadata;
  /// All handlers that owed the event when it was published.
  std::vector<std::string> handlers;
  /// Those of them that are done with it.
  std::vector<std::string> done;
  /// What is known of this delivery; its handler is the one that was asked for.
  JournalDelivery delivery;
  /// Its letter is kept already: a process put it into the spill file and died before the journal, which it
  /// could not reach, knew of it. The delivery is done.
  bool has_letter = false;
  /// Not empty: some of its values cannot be read (damaged, or changed by hand), and this says which and what
  /// to do. The others are as they are. A nil event_id is one of those that cannot be read.
  std::string problem;
};

/// Which owed deliveries to read, of events that the owner's service published, in the order of their journal
/// ids.
struct OwedQuery {
  /// Empty: of every type (a handler of all events).
  std::string_view event_type;
  std::string_view handler;
  std::int64_t after = 0;
  std::int64_t up_to = 0;
  std::size_t limit = 0;
};

/// How much is owed to one handler.
struct OwedTotal {
  std::string service;
  std::string event_type;
  /// Empty: of events whose rows do not say, being damaged.
  std::string handler;
  std::uint64_t deliveries = 0;
  Timestamp oldest_published_at{};
};

/// One attempt that was running when the process died.
struct CrashSuspect {
  std::int64_t journal_id = 0;
  std::string handler;
  /// No other thread was inside a handler: this crash counts against it.
  bool alone = false;
  /// In how many crashes in a row, this one included, no other thread was inside a handler with a delivery of
  /// the journal; nested attempts of its own thread do not count.
  std::uint32_t sole_crashes = 0;
};

/// What taking a journal over has found.
struct JournalStart {
  /// Larger than every id in the journal.
  std::int64_t next_id = 1;
  /// Events in the journal: up to 10,000 counted, of more at most this many.
  std::uint64_t events = 0;
  /// The last owner ended without release(), and not by a reboot of the machine, as far as can be told.
  bool crashed = false;
  std::vector<CrashSuspect> suspects;
};

/// Where a bus says which attempt a thread is running, in memory that outlives the process. Written by its
/// thread alone; a few stores, no system call.
struct alignas(64) CrashSlot {
  /// 0: free. -1: a delivery that is not in the journal.
  std::atomic<std::int64_t> journal_id{0};
  /// crash_slot_hash() of the handler's name.
  std::atomic<std::uint64_t> handler{0};
  /// Slots of one thread have one number: its nested attempts count as one.
  std::atomic<std::uint64_t> thread{0};
};

/// FNV-1a, 64 bits.
[[nodiscard]] constexpr std::uint64_t crash_slot_hash(std::string_view handler) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : handler) {
    hash ^= static_cast<std::uint8_t>(c);
    hash *= 0x100000001b3ULL;
  }
  return hash;
}

class Journal;

/// A transaction of a journal's database that is not Journal::commit's: what is written through it happens
/// if and when that transaction is committed. Used by one thread.
class JournalTransaction {
 public:
  JournalTransaction() = default;
  JournalTransaction(const JournalTransaction&) = delete;
  JournalTransaction& operator=(const JournalTransaction&) = delete;
  virtual ~JournalTransaction() = default;

  /// Makes sure that it writes to the database of `journal`, that its commit survives what `durability` says,
  /// and that it holds the write lock, so that nobody else commits before it has ended. Throws Error, and
  /// then nothing was written: InvalidArgument, NoJournal, DatabaseBusy, DatabaseUnusable.
  virtual void lock(Journal& journal, Durability durability) = 0;
  /// Appends all events, or none when it throws Error; see JournalCommit::repeats. Those that nobody owes
  /// leave no more than their idempotency key.
  [[nodiscard]] virtual std::vector<std::optional<EventId>> append(std::span<const JournalAppend> events) = 0;
  /// Stores a letter. Throws Error.
  virtual void store(const DeadLetter& letter) = 0;
};

/// A transaction that the journal has begun for the handler of one delivery, and in which that delivery is to
/// end. Its destructor rolls it back, unless it was committed.
class DeliveryTransaction : public JournalTransaction {
 public:
  /// Writes down the delivery's end, and commits, synced. Throws Error, and then nothing of the transaction
  /// was taken; or InDoubt, when it may have been.
  virtual void commit(const JournalBatch& end) = 0;
};

/// The port through which a bus keeps durable events until they are handled or dead. One bus owns a journal
/// at a time, from `acquire` to `release`; the other members may be called between these two only. `commit`
/// is called by one thread at a time, but from different threads; the other members may run at the same time.
class Journal {
 public:
  Journal() = default;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  virtual ~Journal() = default;

  /// Makes the caller the owner, waiting up to `owner_wait` for another to go. What is appended from now on
  /// is `service`'s. The kernel frees the ownership when the process dies; a forked child does not have it; a
  /// second owner in this process is refused like any other. Throws Error: JournalOwned (naming the owner's
  /// process), DatabaseUnusable, DatabaseBusy.
  [[nodiscard]] virtual JournalStart acquire(std::string_view service,
                                             std::chrono::milliseconds owner_wait) = 0;
  /// Ends the ownership. After `clean` nobody suspects that a delivery killed this process.
  virtual void release(bool clean) noexcept = 0;

  /// Commits one batch, in one transaction. When it returns, everything survives the death of the process,
  /// and if synced, a power cut. Throws Error, and then nothing of the batch was taken: DatabaseBusy,
  /// DatabaseUnusable, NotEncodable (an appended event is larger than the journal takes: commit the others
  /// without it); or InDoubt, when it may have been (an I/O error during the commit itself).
  virtual JournalCommit commit(const JournalBatch& batch) = 0;

  /// Begins a transaction of this database for the calling thread, waiting its turn among writers. May be
  /// called by any thread at any time, also without the ownership. Null: this journal has none. Throws Error:
  /// DatabaseBusy (also at once, on a thread that has one), DatabaseUnusable.
  [[nodiscard]] virtual std::unique_ptr<DeliveryTransaction> begin_transaction() { return nullptr; }
  /// Whether the transactions have ended in which these events were appended (JournalTransaction::append):
  /// each event is in the journal, or never will be. True if nobody holds the write lock at one moment during
  /// the call, which does not wait: the ids were given out before it, to transactions that held the lock.
  [[nodiscard]] virtual bool transactions_ended(std::span<const std::int64_t> /*ids*/) noexcept {
    return true;
  }

  /// What one handler still owes. Throws Error.
  [[nodiscard]] virtual std::vector<OwedDelivery> owed(const OwedQuery& query) = 0;
  /// The same for all handlers of all services, in numbers, of the first `at_most` events. Throws Error.
  [[nodiscard]] virtual std::vector<OwedTotal> owed_totals(std::size_t at_most) = 0;
  /// Writes down for readers which handlers nobody serves; whoever is not named is served. Throws Error.
  virtual void report_unserved(std::span<const OwedTotal> handlers) = 0;
  /// Forgets idempotency keys that were used outside of this time, a bounded number at once. True: there are
  /// more. That they count no more is for JournalAppend::key_period to say. Throws Error.
  [[nodiscard]] virtual bool forget_keys(const KeyPeriod& remembered) = 0;

  /// Zeroed at acquire; valid until release. Never empty.
  [[nodiscard]] virtual std::span<CrashSlot> crash_slots() noexcept = 0;
};

}  // namespace tidings
