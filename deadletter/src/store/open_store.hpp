#pragma once

#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>

#include "file/boot_clock.hpp"
#include "file/opening_process.hpp"
#include "file/placement.hpp"
#include "journal/owner_number.hpp"
#include "minutes/minute_buffer.hpp"
#include "schema/migration.hpp"
#include "schema/schema.hpp"
#include "spill/spill_file.hpp"
#include "sqlite/opened_file.hpp"
#include "sqlite/write_turn.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// What Store::open fixes and tests replace.
struct StoreInternals {
  /// The SQLite VFS; empty: the default one.
  std::string vfs = {};
  int schema_version = kSchemaVersion;
  std::vector<Migration> migrations = deadletter::migrations();
  FileCalls spill_calls = FileCalls::of_the_system();
  /// The largest row that SQLite takes, in bytes; 0: as SQLite was built (1,000,000,000).
  int row_limit = 0;
  /// Which boot of the machine this is, and its clock: what claims of letters are named after and measured
  /// by.
  std::string boot_id = deadletter::boot_id();
  std::function<std::int64_t()> boot_time = boot_time_now;
  /// A -wal file above this size is given back to the disk when it can be.
  std::uint64_t large_wal = kLargeWal;
  /// What the place of the database is like.
  std::function<Placement(const std::filesystem::path&)> placement = placement_of;
  /// Taken in turns by all connections through which the store writes.
  std::shared_ptr<WriteTurn> turn = std::make_shared<WriteTurn>();
  /// The file that all connections of the store have open; made for each store.
  std::shared_ptr<OpenedFile> file = std::make_shared<OpenedFile>();
  /// The store's number as the journal's owner; made for each store.
  std::shared_ptr<OwnerNumber> owner = std::make_shared<OwnerNumber>();
  /// What its buses have counted; made for each store. Null: not one that buses have.
  std::shared_ptr<MinuteBuffer> minutes = nullptr;
};

/// What a store was opened with; its parts share it.
struct StoreSettings {
  std::filesystem::path path;  // absolute
  StoreOptions options;
  StoreInternals internals;
  OpeningProcess process = {};
};

/// Store::open, with everything that tests replace.
[[nodiscard]] std::shared_ptr<Store> open_store(const std::filesystem::path& path,
                                                const StoreOptions& options, StoreInternals internals);

}  // namespace tidings::deadletter
