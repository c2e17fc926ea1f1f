#include <tidings/deadletter/reader.hpp>
#include <tidings/detail/longest_wait.hpp>

#include "file/file_system.hpp"
#include "file/placement.hpp"
#include "file/sqlite_error.hpp"
#include "journal/journal_backlog.hpp"
#include "letters/letter_row.hpp"
#include "letters/query.hpp"
#include "reading/examination.hpp"
#include "reading/groups.hpp"
#include "reading/rates.hpp"
#include "reading/statistics.hpp"
#include "schema/database_file.hpp"
#include "schema/schema.hpp"
#include "spill/spill_importer.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/opened_file.hpp"

#include <SQLiteCpp/Exception.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <type_traits>
#include <utility>

namespace tidings::deadletter {

/// All that must stay the same for an immutable connection to be right, of a file that no process has open in
/// WAL mode.
struct FileState {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  timespec changed{};
  bool in_use = false;

  static FileState of(const std::filesystem::path& path) noexcept {
    FileState state;
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0) {
      state = {facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtim, false};
    }
    state.in_use = file_exists(wal_path(path));
    return state;
  }

  friend bool operator==(const FileState& left, const FileState& right) noexcept {
    return left.device == right.device && left.inode == right.inode && left.size == right.size &&
           left.changed.tv_sec == right.changed.tv_sec && left.changed.tv_nsec == right.changed.tv_nsec &&
           left.in_use == right.in_use;
  }
};

namespace {

using std::chrono::steady_clock;

constexpr const char* kCannotRead = "cannot read the dead-letter database";
constexpr std::size_t kLargestPage = 10'000;

/// One moment's view of the database, for as long as it lives. Statements must be destroyed before it.
class ReadTransaction {
 public:
  explicit ReadTransaction(Connection& connection) : connection_(connection) { connection_.execute("BEGIN"); }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;
  ~ReadTransaction() { connection_.rollback(); }

 private:
  Connection& connection_;
};

void require_limit(std::size_t limit) {
  if (limit >= 1 && limit <= kLargestPage) return;
  throw Error(ErrorCode::InvalidArgument,
              "a limit of " + std::to_string(limit) + " is not between 1 and 10,000");
}

std::optional<StoredLetter> first_letter(SQLite::Statement& row, Connection& connection) {
  if (!row.executeStep()) return std::nullopt;
  return read_letter(row, connection.database());
}

void require_tidings(const DatabaseIdentity& identity, const std::filesystem::path& path) {
  using enum DatabaseIdentity::Kind;
  const auto refuse = [&](const std::string& why, ErrorCode code = ErrorCode::DatabaseUnusable) {
    throw unusable(kCannotOpen, path, why, code);
  };
  const std::string version = "its schema version is " + std::to_string(identity.schema_version);
  if (identity.kind == Missing)
    refuse("there is no such file; check the path, or start the service that writes it");
  if (identity.kind == Empty)
    refuse("it is empty; start the service that writes it", ErrorCode::ForeignDatabase);
  if (identity.kind == Foreign) {
    refuse("it is another application's database and holds no dead letters; check the path",
           ErrorCode::ForeignDatabase);
  }
  if (identity.schema_version > kSchemaVersion)
    refuse(version + "; use the tools of the newer tidings", ErrorCode::NewerSchema);
  if (identity.schema_version < kOldestReadableVersion)
    refuse(version + "; start the service, which migrates it");
}

}  // namespace

class Reader::Implementation {
 public:
  Implementation(const std::filesystem::path& path, Options options)
      : options_{.timeout = tidings::detail::bounded(options.timeout)},
        path_(resolve_path(path, "dead-letter database")) {
    if (options.timeout <= std::chrono::milliseconds::zero()) {
      throw Error(ErrorCode::InvalidArgument, "Reader::Options::timeout must be above zero");
    }
    require_tidings(inspect(path_, kCannotOpen, {}, steady_clock::now() + options_.timeout), path_);
    spills_ = ask([](Connection& connection) { return known_spills(connection); }, kCannotOpen);
    for (const auto& spill : spills_) {
      if (spill_path_.empty() || (size_of(spill_path_) == 0 && size_of(spill) > 0)) spill_path_ = spill;
    }
  }

  /// What `question` answers about one moment of the database. Throws Error.
  template <class Question>
  std::invoke_result_t<Question, Connection&> ask(Question question, const char* what_failed = kCannotRead) {
    const auto deadline = steady_clock::now() + options_.timeout;
    for (;;) {
      try {
        Connection& connection = connection_until(deadline);
        const ReadTransaction transaction(connection);
        auto answer = question(connection);
        if (!overtaken()) return answer;
      } catch (const SQLite::Exception& error) {
        file_.require_in_place(what_failed);
        if (!overtaken()) fail(what_failed, error);
      } catch (const Error&) {
        if (!file_.is_in_place() || !overtaken()) throw;
      }
      if (steady_clock::now() >= deadline) {
        throw unusable(what_failed, path_, "services open and close it all the time; try again",
                       ErrorCode::DatabaseBusy);
      }
    }
  }

  [[nodiscard]] std::uint64_t spill_bytes() {
    std::uint64_t bytes = 0;
    for (const auto& spill : spills_) bytes += waiting_in(spill);
    return bytes;
  }

  [[nodiscard]] const std::filesystem::path& spill_path() const noexcept { return spill_path_; }
  [[nodiscard]] const std::vector<std::filesystem::path>& spill_paths() const noexcept { return spills_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  [[nodiscard]] FileSizes file_sizes() const { return {size_of(path_), size_of(wal_path(path_))}; }

  void add_files(Examination& examination) {
    examination.files.database_bytes = size_of(path_);
    examination.files.wal_bytes = size_of(wal_path(path_));
    examination.files.network_file_system = placement_of(path_).network;
    for (const auto& spill : spills_) {
      const auto bytes = waiting_in(spill);
      if (bytes > 0) examination.files.spills.push_back({spill, bytes});
    }
  }

 private:
  /// A connection to the file that is at the path now.
  Connection& connection_until(Connection::Deadline deadline) {
    file_.require_in_place(kCannotRead);
    const bool current = connection_ && !suspect_ && (state_.in_use || state_ == FileState::of(path_));
    if (!current) connect(deadline);
    connection_->wait_until(deadline);
    return *connection_;
  }

  /// The last connection is closed after the next one was made: as long as one has the file open, no other
  /// file gets its inode.
  void connect(Connection::Deadline deadline) {
    state_ = FileState::of(path_);
    auto next = std::make_unique<Connection>(path_, state_.in_use ? Access::ReadOnly : Access::Immutable, "",
                                             deadline);
    next->interrupt_at_deadline();
    static_cast<void>(next->has_table("tidings_meta"));
    file_.admit(*next, path_, kCannotRead);
    connection_ = std::move(next);
    suspect_ = false;
  }

  /// Without a -wal file nobody has the database open, and a connection that takes no lock reads it without
  /// leaving a trace or needing to write beside it. When a service opened it meanwhile, the answer does not
  /// count.
  [[nodiscard]] bool overtaken() const noexcept {
    return !state_.in_use && !(state_ == FileState::of(path_));
  }

  [[noreturn]] void fail(const char* what_failed, const SQLite::Exception& error) {
    suspect_ = true;
    if (!file_exists(path_)) throw unusable(what_failed, path_, "the file is gone; check the path");
    throw unusable(what_failed, path_, error);
  }

  static std::uint64_t size_of(const std::filesystem::path& file) {
    struct stat facts {};
    if (::stat(file.c_str(), &facts) == 0) return static_cast<std::uint64_t>(facts.st_size);
    if (errno == ENOENT || errno == ENOTDIR) return 0;
    throw unusable("cannot see the file", file, errno_text(errno) + "; run as the service's user or group");
  }

  /// A header is no letter, and what is imported waits no more, though a service died before it emptied the
  /// file.
  std::uint64_t waiting_in(const std::filesystem::path& spill) {
    const std::uint64_t size = size_of(spill);
    const auto header = size == 0 ? std::nullopt : SpillHeader::peek(spill);
    if (!header) return size;
    const std::uint64_t imported =
        ask([&](Connection& connection) { return imported_bytes(connection.database(), header->token); });
    return size - (imported > size ? SpillHeader::kSize : std::max(imported, SpillHeader::kSize));
  }

  const Options options_;
  const std::filesystem::path path_;
  std::vector<std::filesystem::path> spills_;
  std::filesystem::path spill_path_;
  FileState state_;
  OpenedFile file_;
  std::unique_ptr<Connection> connection_;
  bool suspect_ = false;  // the last question failed: the next one connects again
};

Reader::Reader(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Reader Reader::open(const std::filesystem::path& path, Options options) {
  return Reader(std::make_unique<Implementation>(path, options));
}

Reader Reader::open(const std::filesystem::path& path) { return open(path, Options{}); }

std::int64_t Reader::count(const Filter& filter) {
  return implementation_->ask([&](Connection& connection) {
    if (const auto kept = kept_count(connection.database(), filter)) return *kept;
    auto row = Query(filter).prepare(connection.database(), "count(*)", "");
    return row.executeStep() ? row.getColumn(0).getInt64() : 0;
  });
}

Page Reader::list(const Filter& filter, std::size_t limit, std::optional<Page::Cursor> after, ListOrder order,
                  LetterParts parts) {
  require_limit(limit);
  return implementation_->ask([&](Connection& connection) {
    auto row = Query(filter, after, order)
                   .prepare(connection.database(), letter_columns(connection.database(), parts),
                            std::string(order_by(order)) + "LIMIT " + std::to_string(limit + 1));
    Page page;
    while (row.executeStep()) {
      if (page.letters.size() == limit) {
        page.next = {page.letters.back().letter.failed_at, page.letters.back().id};
        break;
      }
      page.letters.push_back(read_letter(row, connection.database()));
    }
    return page;
  });
}

std::optional<StoredLetter> Reader::find(std::int64_t id) {
  return implementation_->ask([&](Connection& connection) {
    SQLite::Statement row(connection.database(), "SELECT " + letter_columns(connection.database()) +
                                                     " FROM dead_letters WHERE id = ?");
    row.bind(1, id);
    return first_letter(row, connection);
  });
}

std::optional<StoredLetter> Reader::oldest(const Filter& filter) {
  return implementation_->ask([&](Connection& connection) {
    auto row = Query(filter).prepare(connection.database(), letter_columns(connection.database()),
                                     "ORDER BY failed_at, id LIMIT 1");
    return first_letter(row, connection);
  });
}

std::vector<StoredLetter> Reader::find_by_event(std::string_view prefix, std::size_t limit,
                                                LetterParts parts) {
  require_limit(limit);
  return implementation_->ask([&](Connection& connection) {
    SQLite::Statement row(connection.database(),
                          "SELECT " + letter_columns(connection.database(), parts) +
                              " FROM dead_letters INDEXED BY dead_letters_once"
                              " WHERE event_id >= ? AND event_id < ? ORDER BY event_id, id LIMIT ?");
    // `~` is after every hexadecimal digit and hyphen.
    bind_all(row, std::string(prefix), std::string(prefix) + "~", limit);
    std::vector<StoredLetter> letters;
    while (row.executeStep()) letters.push_back(read_letter(row, connection.database()));
    return letters;
  });
}

std::vector<Group> Reader::groups(const Filter& filter, std::size_t limit, GroupOrder order) {
  require_limit(limit);
  return implementation_->ask(
      [&](Connection& connection) { return find_groups(connection.database(), filter, limit, order); });
}

std::vector<FieldGroup> Reader::groups_by_field(const Filter& filter, std::string_view name,
                                                std::size_t limit, GroupOrder order) {
  require_limit(limit);
  return implementation_->ask([&](Connection& connection) {
    return find_field_groups(connection.database(), filter, name, limit, order);
  });
}

UnresolvedNames Reader::unresolved_names() {
  return implementation_->ask([&](Connection& connection) {
    const auto names = [&](const std::string& column) {
      SQLite::Statement row(connection.database(),
                            "SELECT DISTINCT " + column + " FROM tidings_causes ORDER BY 1");
      return texts_of(row);
    };
    return UnresolvedNames{names("event_type"), names("handler"), names("service")};
  });
}

Statistics Reader::statistics(const Filter& filter) {
  return implementation_->ask(
      [&](Connection& connection) { return count_statistics(connection.database(), filter); });
}

std::optional<DeliveryRates> Reader::rates(const RateFilter& filter) {
  return implementation_->ask([&](Connection& connection) -> std::optional<DeliveryRates> {
    if (!connection.has_table("tidings_minutes")) return std::nullopt;
    return find_rates(connection.database(), filter);
  });
}

std::optional<RedriveState> Reader::redrive(std::int64_t id) {
  return implementation_->ask(
      [&](Connection& connection) { return find_redrive(connection.database(), id); });
}

std::optional<HeldBackLetter> Reader::find_held_back(Filter filter) {
  return implementation_->ask(
      [&](Connection& connection) { return Query::find_held_back(connection.database(), filter); });
}

std::vector<IdleService> Reader::idle_services(Timestamp time) {
  return implementation_->ask(
      [&](Connection& connection) { return find_idle_services(connection.database(), time); });
}

Examination Reader::examine(bool thorough) {
  auto examination =
      implementation_->ask([&](Connection& connection) { return examine_database(connection, thorough); });
  implementation_->add_files(examination);
  return examination;
}

std::vector<std::string> Reader::known_backups() {
  return implementation_->ask(
      [&](Connection& connection) { return find_backups(connection.database(), implementation_->path()); });
}

JournalBacklog Reader::journal_backlog() {
  return implementation_->ask([&](Connection& connection) { return read_backlog(connection.database()); });
}

std::vector<KeyUse> Reader::key_uses() {
  return implementation_->ask([&](Connection& connection) { return find_key_uses(connection.database()); });
}

std::vector<std::string> Reader::requests_caused_by(const EventId& cause) {
  return implementation_->ask([&](Connection& connection) {
    SQLite::Statement row(connection.database(),
                          "SELECT DISTINCT correlation_id FROM dead_letters WHERE causation_id = ? LIMIT 10");
    row.bind(1, cause.to_string());
    std::vector<std::string> requests;
    while (row.executeStep()) requests.push_back(row.getColumn(0).getString());
    return requests;
  });
}

std::vector<OwedToHandler> Reader::owed_deliveries(std::string_view id, std::size_t limit) {
  require_limit(limit);
  return implementation_->ask(
      [&](Connection& connection) { return read_owed(connection.database(), id, limit); });
}

std::vector<UnservedHandler> Reader::unserved_handlers(std::size_t limit) {
  require_limit(limit);
  return implementation_->ask(
      [&](Connection& connection) { return read_unserved(connection.database(), limit); });
}

FileSizes Reader::file_sizes() const { return implementation_->file_sizes(); }

std::uint64_t Reader::spill_bytes() { return implementation_->spill_bytes(); }
const std::filesystem::path& Reader::spill_path() const noexcept { return implementation_->spill_path(); }
const std::vector<std::filesystem::path>& Reader::spill_paths() const noexcept {
  return implementation_->spill_paths();
}

}  // namespace tidings::deadletter
