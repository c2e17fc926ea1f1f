#pragma once

#include "letters/letter_insert.hpp"
#include "spill/spill_file.hpp"
#include "sqlite/writing_connection.hpp"

#include <tidings/letter_sink.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// Imports the letters of one spill file into the database, a piece at a time. The progress is recorded in
/// the transaction that imports them, under the file's token, so that a crash at any point neither loses nor
/// doubles a letter, even one that was resolved and deleted meanwhile. Not thread-safe.
class SpillImporter {
 public:
  explicit SpillImporter(SpillFile& file) noexcept : file_(file) {}

  /// Whether the file holds anything; one call to the system, without its lock.
  [[nodiscard]] static bool has_work(const std::filesystem::path& spill) noexcept;

  /// Imports one piece, and empties the file after the last. Adds its results to `report`; `report.more` says
  /// whether there is more. Throws Error (DatabaseBusy: another process has the file's lock),
  /// std::system_error, SQLite::Exception; then the piece waits as before.
  void step(WritingConnection& connection, LetterInsert& letters, SpillImport& report);

 private:
  struct Piece;

  [[nodiscard]] Piece read_piece(std::uint64_t begin) const;
  void import(LetterInsert& letters, Piece& piece) const;

  SpillFile& file_;
};

/// How many bytes of the spill file with this token are in the database; 0 if none. Throws SQLite::Exception.
[[nodiscard]] std::uint64_t imported_bytes(SQLite::Database& database, const std::string& token);

}  // namespace tidings::deadletter
