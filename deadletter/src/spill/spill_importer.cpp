#include "spill/spill_importer.hpp"

#include "file/sqlite_error.hpp"
#include "sqlite/stored_time.hpp"

#include <tidings/clock.hpp>
#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/parse_json.hpp>

#include <SQLiteCpp/Statement.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>

namespace tidings::deadletter {
namespace {

/// Read at once: some hundred letters, a few milliseconds of the database's write lock.
constexpr std::size_t kPieceSize = 256 * 1024;
/// No letter's line is as long: SQLite takes rows up to 1,000,000,000 bytes.
constexpr std::size_t kLongestLine = std::size_t{1} << 30U;
/// An append of another process takes milliseconds; an import of its own is as good as ours.
constexpr std::chrono::milliseconds kLockTimeout{50};

constexpr const char* kImported = "SELECT imported_bytes FROM tidings_spill_imports WHERE token = ?";
constexpr const char* kRemember =
    "INSERT INTO tidings_spill_imports (token, imported_bytes, letters, imported_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (token) DO UPDATE SET imported_bytes = excluded.imported_bytes,"
    " letters = letters + excluded.letters, imported_at = excluded.imported_at";

/// The lines of a piece, without their ends. The last may lack one: then a process died in it.
std::vector<std::string_view> lines_of(std::string_view bytes) {
  std::vector<std::string_view> lines;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    lines.push_back(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  return lines;
}

}  // namespace

/// Whole lines, and what becomes of them.
struct SpillImporter::Piece {
  std::string bytes;
  std::uint64_t end = 0;
  std::size_t imported = 0;
  std::vector<std::string_view> rejected;
};

bool SpillImporter::has_work(const std::filesystem::path& spill) noexcept {
  struct stat facts {};
  return ::stat(spill.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size > 0;
}

void SpillImporter::step(WritingConnection& connection, LetterInsert& letters, SpillImport& report) {
  const SpillFile::Lock held = file_.lock(kLockTimeout);
  report.more = false;
  if (file_.size() == 0) return;
  const std::string token = file_.token();
  const std::uint64_t size = file_.size();
  SQLite::Database& database = connection.database();
  Piece piece;
  connection.transact(Sync::Always, [&] {
    const std::uint64_t imported = imported_bytes(database, token);
    // Larger than the file: somebody has shortened it, and letters know by themselves if they are there.
    piece = read_piece(imported > size ? SpillHeader::kSize : std::max(imported, SpillHeader::kSize));
    import(letters, piece);
    run(database, kRemember, token, piece.end, piece.imported, wall_now());
    tidings::detail::kill_point("import.before_commit");
  });
  tidings::detail::kill_point("import.committed");
  report.imported += piece.imported;
  report.set_aside += piece.rejected.size();
  if (!piece.rejected.empty()) report.set_aside_in = file_.rejects_path().native();
  if (piece.end >= size) {
    file_.clear();
  } else {
    report.more = true;
  }
}

SpillImporter::Piece SpillImporter::read_piece(std::uint64_t begin) const {
  Piece piece;
  const std::uint64_t size = file_.size();
  for (std::size_t wanted = kPieceSize;; wanted *= 2) {
    file_.read(begin, wanted, piece.bytes);
    if (begin + piece.bytes.size() >= size) break;
    const std::size_t last = piece.bytes.rfind('\n');
    if (last != std::string::npos) {
      piece.bytes.resize(last + 1);
      break;
    }
    if (wanted >= kLongestLine) {
      throw unusable("cannot import the spill file", file_.path(),
                     "it has a line that no letter is as long as; stop the services, take that line out");
    }
  }
  piece.end = begin + piece.bytes.size();
  return piece;
}

/// What is no letter is synced elsewhere before the commit that counts it as done with.
void SpillImporter::import(LetterInsert& letters, Piece& piece) const {
  for (const std::string_view line : lines_of(piece.bytes)) {
    if (line.empty()) continue;
    try {
      const DeadLetter letter = parse_json_line(line);
      if (tidings::detail::nests_too_deeply(letter.data) ||
          letters.take(letter).place == LetterOutcome::Place::Unsaved) {
        piece.rejected.push_back(line);
      } else {
        ++piece.imported;
      }
    } catch (const Error&) {
      piece.rejected.push_back(line);
    }
  }
  file_.set_aside(piece.rejected);
}

std::uint64_t imported_bytes(SQLite::Database& database, const std::string& token) {
  SQLite::Statement statement(database, kImported);
  statement.bind(1, token);
  if (!statement.executeStep()) return 0;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, statement.getColumn(0).getInt64()));
}

}  // namespace tidings::deadletter
