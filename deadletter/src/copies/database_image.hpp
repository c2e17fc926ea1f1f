#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace tidings::deadletter {

struct Blob {
  std::string bytes;
  friend bool operator==(const Blob&, const Blob&) = default;
};
/// One value of a row as SQLite stores it.
using StoredValue = std::variant<std::monostate, std::int64_t, double, std::string, Blob>;

/// The content of one cell of a b-tree page.
struct Record {
  /// Nullopt in an index, and in tables WITHOUT ROWID, which are stored as one.
  std::optional<std::int64_t> rowid;
  std::vector<StoredValue> values;
};

/// The pages of a database file, read without SQLite, for the rows that no query reaches: its interior pages,
/// its schema or its header are damaged. Everything in it may be wrong; only the bounds of `bytes` are
/// trusted. https://www.sqlite.org/fileformat2.html
class DatabaseImage {
 public:
  /// `bytes` must outlive the image.
  DatabaseImage(std::span<const std::byte> bytes, std::uint32_t page_size) noexcept;

  /// The value in the header; if that is impossible, it is derived from pages that look like parts of a
  /// b-tree.
  [[nodiscard]] static std::uint32_t page_size_of(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] static bool is_page_size(std::uint32_t size) noexcept;

  [[nodiscard]] std::uint32_t pages() const noexcept { return pages_; }
  /// Texts are UTF-8, as far as the header says.
  [[nodiscard]] bool is_utf8() const noexcept;
  /// Pages in the database's list of free pages, by number: their content was deleted.
  [[nodiscard]] std::vector<bool> free_pages() const;

  using Take = std::function<void(Record)>;
  /// Passes on every record of the page that can be read. Returns how many of its cells cannot be read; 0 for
  /// a page that is not of a b-tree, or one without rows. An overflow page is read once: pages that several
  /// rows claim belong to the first of them.
  std::size_t read_page(std::uint32_t number, const Take& take);
  /// The pages below this one in its b-tree, none below a leaf. Nullopt if it is not a page of a b-tree, or
  /// names pages that do not exist.
  [[nodiscard]] std::optional<std::vector<std::uint32_t>> children(std::uint32_t number) const;
  /// Whether it is not a page of a b-tree: an overflow page that read_page has read, SQLite's map of pages or
  /// its page for locks.
  [[nodiscard]] bool is_beside_btrees(std::uint32_t number) const noexcept;

 private:
  struct Cell;
  [[nodiscard]] std::span<const std::byte> page(std::uint32_t number) const noexcept;
  [[nodiscard]] std::optional<std::string> payload_of(const Cell& cell);
  [[nodiscard]] std::optional<Record> read_cell(std::span<const std::byte> content, std::size_t at,
                                                unsigned type);

  std::span<const std::byte> bytes_;
  std::uint32_t page_size_;
  std::uint32_t usable_;
  std::uint32_t pages_;
  std::vector<bool> read_overflow_;
};

}  // namespace tidings::deadletter
