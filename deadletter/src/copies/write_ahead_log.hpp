#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tidings::deadletter {

/// What a -wal file says of the database's pages, in the order in which it has to be taken over.
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
/// checksum or salt is wrong. Without pages when there are none, or the bytes are no such file. Nothing in
/// them is trusted. The pages point into `bytes`.
[[nodiscard]] WriteAheadLog read_write_ahead_log(std::span<const std::byte> bytes);

}  // namespace tidings::deadletter
