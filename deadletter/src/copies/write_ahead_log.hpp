#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tidings::deadletter {

/// The pages of the database in a -wal file, in the order in which they must be applied.
struct WriteAheadLog {
  struct Page {
    std::uint32_t number = 0;
    std::span<const std::byte> content;
  };
  std::uint32_t page_size = 0;
  std::vector<Page> pages;
  /// How many pages the database has after the last transaction.
  std::uint32_t database_pages = 0;
};

/// The committed transactions of a -wal file as SQLite itself finds them: up to the first frame whose
/// checksum or salt is wrong. Without pages if there are none, or if the bytes are not a -wal file. Nothing
/// in them is trusted. The pages point into `bytes`.
[[nodiscard]] WriteAheadLog read_write_ahead_log(std::span<const std::byte> bytes);

}  // namespace tidings::deadletter
