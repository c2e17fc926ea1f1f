#include "store/spill_keeper.hpp"

#include "file/companions.hpp"
#include "file/file_system.hpp"
#include "file/sqlite_error.hpp"
#include "schema/schema.hpp"
#include "spill/spill_importer.hpp"

#include <exception>
#include <new>
#include <system_error>
#include <utility>

namespace tidings::deadletter {

using tidings::detail::MutexLock;

namespace {

/// The folder's links are resolved, the file's own name is not: a spill file is never a link.
std::filesystem::path resolve_spill_path(const std::filesystem::path& database,
                                         const std::filesystem::path& wanted) {
  std::filesystem::path usual = database.native() + ".spill.jsonl";
  if (wanted.empty()) return usual;
  const auto whole = resolve_path(wanted, "spill file");
  const DatabaseFiles own{database};
  if (whole != usual && !why_no_output(whole, {&own, 1}).empty()) {
    throw unusable("the spill file cannot be", wanted,
                   "that is a file of a database; give another spill_path", ErrorCode::InvalidArgument);
  }
  if (!wanted.has_filename()) {
    throw unusable("the spill file cannot be", wanted, "that is a folder; give a file name",
                   ErrorCode::InvalidArgument);
  }
  const auto folder = wanted.has_parent_path() ? wanted.parent_path() : std::filesystem::path(".");
  return resolve_path(folder, "folder of the spill file") / wanted.filename();
}

SpillFile spill_file(const StoreSettings& settings, const std::filesystem::path& path,
                     std::uint64_t reserve) {
  return {path,
          {settings.options.file_mode, reserve, settings.options.busy_timeout, settings.internals.spill_calls,
           settings.path}};
}

}  // namespace

SpillKeeper::SpillKeeper(const StoreSettings& settings)
    : settings_(settings),
      path_(resolve_spill_path(settings.path, settings.options.spill_path)),
      file_(spill_file(settings, path_, settings.options.spill_reserve)) {}

void SpillKeeper::open(StoreSession& session) {
  {
    const MutexLock lock(mutex_);
    file_.open();
  }
  paths_ = session.use([](Session& opened) { return known_spills(opened.connection()); });
}

void SpillKeeper::import_for(std::chrono::milliseconds time, StoreSession& session) {
  const Deadline deadline = std::chrono::steady_clock::now() + time;
  {
    const MutexLock lock(mutex_);
    report_.problem.clear();
  }
  for (const auto& path : paths_) {
    if (SpillImporter::has_work(path)) import_until(deadline, path, session);
  }
}

void SpillKeeper::import_until(Deadline deadline, const std::filesystem::path& path, StoreSession& session) {
  SpillFile other = spill_file(settings_, path, 0);
  bool more = true;
  while (more && std::chrono::steady_clock::now() < deadline)
    more = import_step(path == path_ ? nullptr : &other, session);
}

bool SpillKeeper::import_step(SpillFile* other, StoreSession& session) {
  std::string problem;
  try {
    return session.use([&](Session& opened) {
      const MutexLock lock(mutex_);
      SpillImporter(other == nullptr ? file_ : *other).step(opened.connection(), opened.letters(), report_);
      return report_.more;
    });
  } catch (const Error& error) {
    // The lock is held for a moment only, and the next call tries again.
    if (error.code() != ErrorCode::DatabaseBusy) problem = error.what();
  } catch (const std::system_error& error) {
    problem = unusable("cannot import the spill file", other == nullptr ? path_ : other->path(),
                       error.code().message())
                  .what();
  }
  const MutexLock lock(mutex_);
  if (!problem.empty()) report_.problem = problem;
  report_.more = false;
  return false;
}

SpillImport SpillKeeper::take_report() {
  const MutexLock lock(mutex_);
  return std::exchange(report_, {});
}

void SpillKeeper::spill(std::span<const DeadLetter* const> letters, std::vector<LetterOutcome>& outcomes) {
  std::vector<std::size_t> places;
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    if (outcomes[i].place != LetterOutcome::Place::Unsaved) continue;
    try {
      lines.push_back(to_json_line(*letters[i]));
      places.push_back(i);
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      outcomes[i].problem += std::string("; it cannot be written as JSON either: ") + printable(error.what());
    }
  }
  const MutexLock lock(mutex_);
  const auto problems = file_.append(lines);
  for (std::size_t i = 0; i < places.size(); ++i) settle(outcomes[places[i]], problems[i]);
}

void SpillKeeper::settle(LetterOutcome& outcome, const std::string& spill_problem) const {
  if (spill_problem.empty()) {
    outcome.place = LetterOutcome::Place::Spilled;
    outcome.problem += "; the letter is in " + printable(path_.native());
  } else {
    outcome.problem += "; " + spill_problem;
  }
}

}  // namespace tidings::deadletter
