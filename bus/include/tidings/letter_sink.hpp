#pragma once

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/payload_cipher.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings {

class Journal;
class Minutes;
class Redrives;

/// Where one letter is now.
struct LetterOutcome {
  enum class Place : std::uint8_t {
    Stored,         ///< Committed and synced; `id` is its number.
    AlreadyStored,  ///< There was a letter of this (event_id, service, handler); `id` is its number.
    Spilled,        ///< The database could not take it; it is synced in the file that `problem` names.
    Unsaved,        ///< Neither could take it; `problem` says why. The bus then writes it to stderr.
    Repeat,         ///< Only of Journal::commit: it belongs to an event that is a repeat, and is not kept.
  };
  Place place = Place::Unsaved;
  std::int64_t id = 0;
  std::string problem;
};

/// What a sink does while another process holds its database.
enum class WhenBusy : std::uint8_t {
  Throw,  ///< Throws Error(DatabaseBusy) after the sink's busy timeout; the bus keeps the letters and tries
          ///< again.
  Spill,  ///< Spills: there will be no other try (the bus is being destroyed).
};

/// The result of importing Spilled letters.
struct SpillImport {
  /// Letters that are in the database now and no longer in a spill file.
  std::size_t imported = 0;
  /// Lines that are not letters (cut off by a crash, damaged, too large for the database) and were moved to
  /// the file that `set_aside_in` names.
  std::size_t set_aside = 0;
  std::string set_aside_in;
  /// Why letters still wait; empty if none does, or if the call only ran out of time.
  std::string problem;
  /// There is more to import: call again.
  bool more = false;
};

/// The letters of one service that nobody has resolved.
struct UnresolvedLetters {
  std::uint64_t letters = 0;
  /// When the oldest of them failed. Not set: there is none.
  std::optional<Timestamp> oldest_failed_at = std::nullopt;
};

/// The result of `LetterSink::look_after_files`.
struct SinkFiles {
  /// The name of the file system that the database is on, if it may be shared with other machines, so that
  /// SQLite's locks do not work; else empty.
  std::string network_file_system = {};
  std::uint64_t database_bytes = 0;
  std::uint64_t wal_bytes = 0;
  /// The -wal file is larger than writing explains and cannot be emptied, because some program has been
  /// reading an old state of the database for long.
  bool wal_is_held = false;
  /// How much smaller the -wal file is now.
  std::uint64_t wal_freed = 0;
};

/// The port through which the bus stores dead letters. The bus calls `store` from one thread at a time, but
/// from different threads; other members may run at the same time, and tools may read and write the same data
/// from other processes.
class LetterSink {
 public:
  LetterSink() = default;
  LetterSink(const LetterSink&) = delete;
  LetterSink& operator=(const LetterSink&) = delete;
  virtual ~LetterSink() = default;

  /// Stores all letters, in one transaction where possible, and returns one outcome for each, in order. When
  /// it returns, each letter is durably where its outcome says. Blocks while it works. Throws only
  /// Error(DatabaseBusy), with WhenBusy::Throw, and then none was stored. A letter that already exists is not
  /// changed.
  [[nodiscard]] virtual std::vector<LetterOutcome> store(std::span<const DeadLetter> letters,
                                                         WhenBusy when_busy) = 0;

  /// The ordering keys under which this handler has unresolved letters. A subscription that parks must hold
  /// back their deliveries. Throws Error.
  [[nodiscard]] virtual std::vector<std::string> dead_keys(std::string_view service,
                                                           std::string_view event_type,
                                                           std::string_view handler) = 0;

  /// The unresolved letters of a service, of this and of earlier processes. For metrics, which are read
  /// several times a minute: cheap, however many letters there are. Thread-safe. Returns nullopt if the sink
  /// does not know. Throws Error, std::bad_alloc.
  [[nodiscard]] virtual std::optional<UnresolvedLetters> unresolved_letters(std::string_view /*service*/) {
    return std::nullopt;
  }

  /// Where letters are kept, for people to read, such as a path; empty: nowhere that has a name.
  [[nodiscard]] virtual std::string location() const { return {}; }

  /// What the record `bus_started` says of the sink's own options: an object of fields by name. A name that
  /// the bus has for something else is the bus's. Throws std::bad_alloc.
  [[nodiscard]] virtual Json configuration() const { return Json::object(); }

  /// Imports spilled letters, each exactly once, a bounded number per call, and returns what was done since
  /// the last call. Very cheap while there are none. Thread-safe. Throws only std::bad_alloc.
  [[nodiscard]] virtual SpillImport import_spilled() { return {}; }

  /// Releases disk space that is no longer needed, and reports the state of the files. Called several times a
  /// minute; very cheap unless there is space to release. Thread-safe. Throws Error, std::bad_alloc.
  [[nodiscard]] virtual SinkFiles look_after_files() { return {}; }

  /// The journal that is kept with the letters, so that a delivery moves from one to the other in one
  /// transaction; lives as long as the sink. Returns null if there is none; events then cannot be durable.
  [[nodiscard]] virtual Journal* journal() noexcept { return nullptr; }

  /// Where a bus keeps what it counts, minute by minute (<tidings/minutes.hpp>); lives as long as the sink.
  /// Asked for when the bus is made. Returns null if the sink keeps none; the bus then counts nothing.
  [[nodiscard]] virtual Minutes* minutes() noexcept { return nullptr; }

  /// What the bus encrypts payloads with before the sink or its journal gets them; asked for once.
  [[nodiscard]] virtual PayloadEncryption encryption() const { return {}; }

  /// The port through which a bus finds letters to deliver again; lives as long as the sink. Returns null if
  /// the sink keeps letters but does not redrive them.
  [[nodiscard]] virtual Redrives* redrives() noexcept { return nullptr; }
};

}  // namespace tidings
