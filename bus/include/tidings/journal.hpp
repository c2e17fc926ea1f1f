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

/// The period, ends included, in which an idempotency key must have been used to count. Its ends are
/// wall-clock times, like the stamps of events, so a key may have been used in the future.
struct KeyPeriod {
  Timestamp from = Timestamp::min();
  Timestamp to = Timestamp::max();

  [[nodiscard]] bool has(Timestamp used_at) const noexcept { return from <= used_at && used_at <= to; }
};

/// An event to be journalled. What it points to must live until `Journal::commit` returns.
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
  /// An earlier event under the same key that was published outside this period does not make this one a
  /// repeat: the key belongs to this event from now on.
  KeyPeriod key_period = {};
};

/// The recorded state of one delivery of a journalled event.
struct JournalDelivery {
  std::int64_t journal_id = 0;
  std::string handler;
  /// The delivery is handled or a dead letter, while other handlers still owe the event.
  bool done = false;
  std::uint32_t attempts_made = 0;
  /// Oldest first; of more than 100, the first 50 and the last 50.
  std::vector<Attempt> attempts;
  std::optional<Timestamp> failed_at;
  std::optional<Timestamp> next_attempt_at;
  /// How often the process died while this delivery was the only one running.
  std::uint32_t crashes = 0;
};

/// The changes of one commit: all of them or none.
struct JournalBatch {
  std::vector<JournalAppend> appended;
  /// New states of these deliveries, which replace the recorded ones; a delivery that is done stays done.
  /// States for events that are not in the journal are ignored. An event whose deliveries are all done is
  /// deleted, even if it is not in `finished`.
  std::vector<JournalDelivery> changed;
  /// Letters of deliveries that gave up, whose ends are in `changed` or `finished`; or letters of events in
  /// `appended` whose deliveries are dead from the start. The latter are not stored if the event is a repeat.
  std::vector<const DeadLetter*> letters;
  /// Events that no handler owes any more: they and their deliveries are deleted.
  std::vector<std::int64_t> finished;
  /// Sync before returning. A batch with letters is always synced.
  bool synced = false;
};

struct JournalCommit {
  /// For each appended event: the id of the earlier event under its idempotency key, or nullopt if there is
  /// none. An event for which there is one is a repeat and was not appended. The nil id: it is a repeat, but
  /// the key's row is damaged.
  std::vector<std::optional<EventId>> repeats;
  /// One for each letter, as from LetterSink::store. A letter that cannot be a row (it is larger than the
  /// database accepts) does not hold up the batch: it was Spilled before the commit, or is Unsaved and must
  /// be saved by the bus.
  std::vector<LetterOutcome> letters;
};

/// Whether a letter of `batch` belongs to an event in `appended` that is a repeat according to `repeats`
/// (JournalCommit::repeats): such a letter is not stored.
[[nodiscard]] bool is_of_repeat(const DeadLetter& letter, const JournalBatch& batch,
                                std::span<const std::optional<EventId>> repeats) noexcept;

/// An owed delivery, as read from the journal.
struct OwedDelivery {
  std::int64_t journal_id = 0;
  std::string event_type;
  int schema_version = 1;
  EncodedData data;
  Metadata metadata;
  /// All handlers that owed the event when it was published.
  std::vector<std::string> handlers;
  /// Those of them that have handled it or given it up.
  std::vector<std::string> done;
  /// The recorded state of this delivery; its handler is that of the query.
  JournalDelivery delivery;
  /// Its letter already exists: a process wrote it to the spill file while the journal could not be reached,
  /// and died before it could record that. The delivery is done.
  bool has_letter = false;
  /// If not empty, some values of the delivery cannot be read (damaged, or changed by hand); the text says
  /// which, and what to do. The other values are as stored. A nil event_id is one that cannot be read.
  std::string problem;
};

/// Which owed deliveries to read, of events that the owner's service published, in the order of their journal
/// ids.
struct OwedQuery {
  /// Empty: every type (a handler of all events).
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
  /// Empty for events whose rows are damaged and do not say.
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

/// What `Journal::acquire` has found.
struct JournalStart {
  /// Larger than every id in the journal.
  std::int64_t next_id = 1;
  /// Events in the journal: exact up to 10,000, an upper bound above.
  std::uint64_t events = 0;
  /// The last owner ended without release(), and not by a reboot of the machine, as far as can be determined.
  bool crashed = false;
  std::vector<CrashSuspect> suspects;
};

/// Records which attempt a thread is running, in memory that outlives the process. Written only by that
/// thread; a few stores, no system call.
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

/// A transaction of a journal's database other than that of Journal::commit: writes through it take effect if
/// and when that transaction is committed. Used by one thread.
class JournalTransaction {
 public:
  JournalTransaction() = default;
  JournalTransaction(const JournalTransaction&) = delete;
  JournalTransaction& operator=(const JournalTransaction&) = delete;
  virtual ~JournalTransaction() = default;

  /// Makes sure that the transaction writes to the database of `journal`, that its commit survives what
  /// `durability` requires, and that it holds the write lock, so that no other writer commits before it has
  /// ended. Throws Error, and then nothing was written: InvalidArgument, NoJournal, DatabaseBusy,
  /// DatabaseUnusable.
  virtual void lock(Journal& journal, Durability durability) = 0;
  /// Appends all events, or none when it throws Error; see JournalCommit::repeats. An event that no handler
  /// owes leaves only its idempotency key.
  [[nodiscard]] virtual std::vector<std::optional<EventId>> append(std::span<const JournalAppend> events) = 0;
  /// Stores a letter. Throws Error.
  virtual void store(const DeadLetter& letter) = 0;
};

/// A transaction that the journal has begun for the handler of one delivery, and in which that delivery will
/// end. Its destructor rolls it back, unless it was committed.
class DeliveryTransaction : public JournalTransaction {
 public:
  /// Records the delivery's end and commits, synced. Throws Error, and then nothing of the transaction took
  /// effect; with InDoubt it may have.
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

  /// Makes the caller the owner, waiting up to `owner_wait` for another owner to release it. Events appended
  /// from now on belong to `service`. The kernel ends the ownership when the process dies; a forked child
  /// does not have it; a second owner in this process is refused like any other. Throws Error: JournalOwned
  /// (naming the owner's process), DatabaseUnusable, DatabaseBusy.
  [[nodiscard]] virtual JournalStart acquire(std::string_view service,
                                             std::chrono::milliseconds owner_wait) = 0;
  /// Ends the ownership. With `clean`, no delivery is suspected of having killed this process.
  virtual void release(bool clean) noexcept = 0;

  /// Commits one batch, in one transaction. When it returns, everything survives the death of the process,
  /// and if synced, a power cut. Throws Error, and then nothing of the batch took effect: DatabaseBusy,
  /// DatabaseUnusable, NotEncodable (an appended event is larger than the journal accepts: commit the others
  /// without it). With InDoubt (an I/O error during the commit itself) the batch may have taken effect.
  virtual JournalCommit commit(const JournalBatch& batch) = 0;

  /// Begins a transaction of this database for the calling thread, queueing with other writers. May be called
  /// by any thread at any time, also without the ownership. Returns null if the journal has no such
  /// transactions. Throws Error: DatabaseBusy (also at once, on a thread that has one), DatabaseUnusable.
  [[nodiscard]] virtual std::unique_ptr<DeliveryTransaction> begin_transaction() { return nullptr; }
  /// Whether the transactions that appended these events (JournalTransaction::append) have ended, so that
  /// each event is in the journal or never will be. Does not wait. True if the write lock is free at one
  /// moment during the call: the ids were given out before, to transactions that held the lock.
  [[nodiscard]] virtual bool transactions_ended(std::span<const std::int64_t> /*ids*/) noexcept {
    return true;
  }

  /// The deliveries that one handler still owes. Throws Error.
  [[nodiscard]] virtual std::vector<OwedDelivery> owed(const OwedQuery& query) = 0;
  /// Counts of what all handlers of all services still owe, over the first `at_most` events. Throws Error.
  [[nodiscard]] virtual std::vector<OwedTotal> owed_totals(std::size_t at_most) = 0;
  /// Records, for readers, which handlers have no subscriber; handlers that are not named are served. Throws
  /// Error.
  virtual void report_unserved(std::span<const OwedTotal> handlers) = 0;
  /// Deletes idempotency keys that were used outside of this period, a bounded number per call. Returns true
  /// if there are more. Whether a key still counts is decided by JournalAppend::key_period, not by this call.
  /// Throws Error.
  [[nodiscard]] virtual bool forget_keys(const KeyPeriod& remembered) = 0;

  /// Zeroed at acquire; valid until release. Never empty.
  [[nodiscard]] virtual std::span<CrashSlot> crash_slots() noexcept = 0;
};

}  // namespace tidings
