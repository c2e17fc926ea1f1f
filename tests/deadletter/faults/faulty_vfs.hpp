#pragma once

#include "deadletter/faults/unsynced_writes.hpp"

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace tidings::deadletter::faults {

/// What SQLite asks of the operating system and a test can make fail.
enum class Operation : std::uint8_t { Open, Read, Write, Truncate, Sync, Lock, SharedLock, Delete };

/// When and how. What is not among `operations` is passed through and not counted.
struct Fault {
  std::vector<Operation> operations;
  /// The first call to fail, from 1.
  int nth = 1;
  int sqlite_code = SQLITE_IOERR;
  /// Whether every later call fails too, until heal().
  bool lasting = false;
  /// A failing write leaves the first half of its bytes in the file.
  bool torn = false;
  /// The process is killed instead, before the call.
  bool fatal = false;
};

/// A VFS that passes everything but syncs on to SQLite's default one and fails on demand. Registered as
/// kName, once for the process. Set and heal only while no other thread uses it.
class FaultyVfs {
 public:
  static constexpr const char* kName = "tidings-faulty";

  [[nodiscard]] static FaultyVfs& instance();

  void set(const Fault& fault) noexcept;
  void heal() noexcept;
  /// From now on a fatal fault cuts the power: what was not synced may be lost, as the seed chooses. Call it
  /// before databases are opened, in a process that will end of it.
  void lose_what_is_not_synced(std::uint64_t seed);
  /// Calls of the fault's operations since it was set.
  [[nodiscard]] int calls() const noexcept { return calls_.load(); }

  /// The code that this call is to fail with, or SQLITE_OK. For the VFS's methods.
  [[nodiscard]] int next(Operation operation) noexcept;
  [[nodiscard]] bool torn() const noexcept { return torn_.load(); }
  /// Null unless the power may be cut.
  [[nodiscard]] UnsyncedWrites* unsynced() const noexcept { return unsynced_.get(); }
  [[nodiscard]] sqlite3_vfs& real() const noexcept { return *real_; }

 private:
  FaultyVfs();

  sqlite3_vfs* real_;
  sqlite3_vfs vfs_;
  std::atomic<unsigned> operations_{0};
  std::atomic<int> nth_{0};
  std::atomic<int> code_{SQLITE_OK};
  std::atomic<bool> lasting_{false};
  std::atomic<bool> torn_{false};
  std::atomic<bool> fatal_{false};
  std::atomic<int> calls_{0};
  std::unique_ptr<UnsyncedWrites> unsynced_;
  std::uint64_t power_cut_seed_ = 0;
};

/// A fault for as long as it lives.
class ScopedFault {
 public:
  explicit ScopedFault(const Fault& fault) { FaultyVfs::instance().set(fault); }
  ScopedFault(const ScopedFault&) = delete;
  ScopedFault& operator=(const ScopedFault&) = delete;
  ~ScopedFault() { FaultyVfs::instance().heal(); }
};

}  // namespace tidings::deadletter::faults
