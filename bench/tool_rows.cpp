#include "check.hpp"
#include "raw_letters.hpp"
#include "rows.hpp"
#include "sample_letters.hpp"
#include "scratch_folder.hpp"
#include "statistics.hpp"

#include <tidings/deadletter/store.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

extern char** environ;

// check-dead-letters as cron runs it, a whole process at a time.

namespace tidings::bench {

namespace {

const std::string kLargeRow = "check-dead-letters, a whole process";
const std::string kFlatRow = "the same, against a tenth of the letters";

/// The time of a process that must end with `status`, in milliseconds. Its output is thrown away.
double run_process(const std::vector<std::string>& arguments, int status) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  int ended = 0;
  const auto begin = std::chrono::steady_clock::now();
  const int failed = posix_spawnp(&child, argv[0], &quiet, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&quiet);
  if (failed != 0)
    throw std::system_error(failed, std::generic_category(), "cannot run " + arguments.front());
  waitpid(child, &ended, 0);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  require_equal(static_cast<std::uint64_t>(WEXITSTATUS(ended)), static_cast<std::uint64_t>(status),
                "exit status of " + arguments.front());
  return took.count();
}

void make_old(RawRow& row) {
  constexpr std::int64_t kWeek = std::int64_t{7} * 24 * 3600 * 1'000'000;
  for (const std::size_t column : {kPublishedAt, kFailedAt}) std::get<std::int64_t>(row[column]) -= kWeek;
}

/// As many letters as that, all unresolved: a thousand of the last hour, the others of last week.
std::filesystem::path filled(const ScratchFolder& folder, std::size_t letters) {
  constexpr std::size_t kAtOnce = 10'000;
  constexpr std::size_t kNew = 1'000;
  const auto path = folder.path() / (std::to_string(letters) + ".db");
  static_cast<void>(deadletter::Store::open(path));
  RawLetters raw(path, RawLetters::Synced::No);
  for (std::size_t done = 0; done < letters; done += kAtOnce) {
    std::vector<RawRow> rows = raw_rows(sample_letters(done, kAtOnce));
    for (std::size_t i = 0; i < rows.size() && done + i + kNew < letters; ++i) make_old(rows[i]);
    raw.store(rows);
  }
  return path;
}

double check(const std::filesystem::path& database) {
  return run_process({TIDINGS_BENCH_CHECK, "--db", database.native(), "--since", "1h"}, 1);
}

double count_in_shell(const std::filesystem::path& database) {
  return run_process({"sqlite3", "-readonly", database.native(),
                      "SELECT count(*) FROM dead_letters WHERE reprocessed_at IS NULL AND failed_at >="
                      " (strftime('%s', 'now') - 3600) * 1000000"},
                     0);
}

std::vector<Row> measure(const Settings& settings) {
  const ScratchFolder folder;
  const std::size_t letters = settings.quick ? 100'000 : 1'000'000;
  const auto large = filled(folder, letters);
  const auto small = filled(folder, letters / 10);
  const auto series = take_turns(
      settings.short_rounds(),
      {[&] { return check(large); }, [&] { return count_in_shell(large); }, [&] { return check(small); }});
  return {compare(kLargeRow, "ms", series[0],
                  "sqlite3 shell counting in " + std::string(settings.quick ? "100,000" : "1,000,000") +
                      " letters",
                  series[1], at_most(2)),
          compare(kFlatRow, "ms", series[0], "check-dead-letters on a tenth", series[2], at_most(1.2))};
}

}  // namespace

void add_tool_rows(std::vector<Measurement>& measurements) {
  measurements.push_back({{kLargeRow, kFlatRow}, measure});
}

}  // namespace tidings::bench
