#include "deadletter/faults/faulty_vfs.hpp"

#include <csignal>
#include <cstddef>

namespace tidings::deadletter::faults {
namespace {

/// What SQLite holds for an open file: ours first, the real one in the memory behind it.
struct FaultyFile {
  sqlite3_file base;
  sqlite3_file* real;
};

sqlite3_file* real_of(sqlite3_file* file) { return reinterpret_cast<FaultyFile*>(file)->real; }
const sqlite3_io_methods& methods_of(sqlite3_file* file) { return *real_of(file)->pMethods; }
int next(Operation operation) { return FaultyVfs::instance().next(operation); }

UnsyncedWrites* unsynced() { return FaultyVfs::instance().unsynced(); }

int close(sqlite3_file* file) {
  if (unsynced() != nullptr) unsynced()->closed(real_of(file));
  return methods_of(file).xClose(real_of(file));
}

int read(sqlite3_file* file, void* bytes, int count, sqlite3_int64 offset) {
  const int failure = next(Operation::Read);
  return failure != SQLITE_OK ? failure : methods_of(file).xRead(real_of(file), bytes, count, offset);
}

int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  const int failure = next(Operation::Write);
  if (failure == SQLITE_OK) {
    if (unsynced() != nullptr) unsynced()->written(real_of(file), bytes, count, offset);
    return methods_of(file).xWrite(real_of(file), bytes, count, offset);
  }
  if (FaultyVfs::instance().torn()) methods_of(file).xWrite(real_of(file), bytes, count / 2, offset);
  return failure;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  const int failure = next(Operation::Truncate);
  if (failure == SQLITE_OK && unsynced() != nullptr) unsynced()->truncated(real_of(file), size);
  return failure != SQLITE_OK ? failure : methods_of(file).xTruncate(real_of(file), size);
}

int sync(sqlite3_file* file, int flags) {
  const int failure = next(Operation::Sync);
  // Not passed on: tests end processes, never the machine, and a sweep would spend its time waiting for the
  // disk.
  static_cast<void>(flags);
  if (failure == SQLITE_OK && unsynced() != nullptr) unsynced()->synced(real_of(file));
  return failure;
}

int size(sqlite3_file* file, sqlite3_int64* result) {
  return methods_of(file).xFileSize(real_of(file), result);
}

int lock(sqlite3_file* file, int level) {
  const int failure = next(Operation::Lock);
  return failure != SQLITE_OK ? failure : methods_of(file).xLock(real_of(file), level);
}

int unlock(sqlite3_file* file, int level) { return methods_of(file).xUnlock(real_of(file), level); }
int check_reserved(sqlite3_file* file, int* result) {
  return methods_of(file).xCheckReservedLock(real_of(file), result);
}
int control(sqlite3_file* file, int operation, void* argument) {
  return methods_of(file).xFileControl(real_of(file), operation, argument);
}
int sector_size(sqlite3_file* file) { return methods_of(file).xSectorSize(real_of(file)); }
int characteristics(sqlite3_file* file) { return methods_of(file).xDeviceCharacteristics(real_of(file)); }

int map_shared(sqlite3_file* file, int page, int page_size, int extend, void volatile** memory) {
  return methods_of(file).xShmMap(real_of(file), page, page_size, extend, memory);
}

int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
  const bool unlocks = (flags & SQLITE_SHM_UNLOCK) != 0;
  const int failure = unlocks ? SQLITE_OK : next(Operation::SharedLock);
  return failure != SQLITE_OK ? failure : methods_of(file).xShmLock(real_of(file), offset, count, flags);
}

void barrier(sqlite3_file* file) { methods_of(file).xShmBarrier(real_of(file)); }
int unmap_shared(sqlite3_file* file, int remove) { return methods_of(file).xShmUnmap(real_of(file), remove); }

constexpr sqlite3_io_methods kMethods = {2,
                                         &close,
                                         &read,
                                         &write,
                                         &truncate,
                                         &sync,
                                         &size,
                                         &lock,
                                         &unlock,
                                         &check_reserved,
                                         &control,
                                         &sector_size,
                                         &characteristics,
                                         &map_shared,
                                         &lock_shared,
                                         &barrier,
                                         &unmap_shared,
                                         nullptr,
                                         nullptr};

int open(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  const int failure = next(Operation::Open);
  if (failure != SQLITE_OK) return failure;
  auto* faulty = reinterpret_cast<FaultyFile*>(file);
  faulty->real = reinterpret_cast<sqlite3_file*>(reinterpret_cast<std::byte*>(file) + sizeof(FaultyFile));
  sqlite3_vfs& real = FaultyVfs::instance().real();
  const int result = real.xOpen(&real, name, faulty->real, flags, flags_out);
  if (faulty->real->pMethods != nullptr) file->pMethods = &kMethods;
  const bool lasting = (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0;
  if (result == SQLITE_OK && lasting && unsynced() != nullptr) unsynced()->opened(faulty->real);
  return result;
}

int remove(sqlite3_vfs*, const char* name, int sync_folder) {
  const int failure = next(Operation::Delete);
  sqlite3_vfs& real = FaultyVfs::instance().real();
  return failure != SQLITE_OK ? failure : real.xDelete(&real, name, sync_folder);
}

unsigned bit(Operation operation) { return 1U << static_cast<unsigned>(operation); }

}  // namespace

FaultyVfs& FaultyVfs::instance() {
  static FaultyVfs vfs;
  return vfs;
}

FaultyVfs::FaultyVfs() : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
  vfs_.zName = kName;
  vfs_.szOsFile = static_cast<int>(sizeof(FaultyFile)) + real_->szOsFile;
  vfs_.pNext = nullptr;
  vfs_.xOpen = &open;
  vfs_.xDelete = &remove;
  sqlite3_vfs_register(&vfs_, 0);
}

void FaultyVfs::set(const Fault& fault) noexcept {
  unsigned operations = 0;
  for (const Operation operation : fault.operations) operations |= bit(operation);
  calls_ = 0;
  nth_ = fault.nth;
  code_ = fault.sqlite_code;
  lasting_ = fault.lasting;
  torn_ = fault.torn;
  fatal_ = fault.fatal;
  operations_ = operations;
}

void FaultyVfs::lose_what_is_not_synced(std::uint64_t seed) {
  power_cut_seed_ = seed;
  unsynced_ = std::make_unique<UnsyncedWrites>();
}

void FaultyVfs::heal() noexcept { operations_ = 0; }

int FaultyVfs::next(Operation operation) noexcept {
  if ((operations_.load() & bit(operation)) == 0) return SQLITE_OK;
  const int call = ++calls_;
  if (call != nth_ && !(lasting_ && call > nth_)) return SQLITE_OK;
  if (fatal_) {
    if (unsynced_) unsynced_->cut(power_cut_seed_);
    ::raise(SIGKILL);
  }
  return code_;
}

}  // namespace tidings::deadletter::faults
