#include "tools/database_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <thread>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

class CheckDeadLetters : public DatabaseTest {};

/// Half a minute more, so that the age reads the same however slow the machine is.
constexpr seconds kOld = minutes(42) + seconds(5);

TEST_F(CheckDeadLetters, EmptyDatabaseIsOk) {
  const ToolRun run = run_tool({"--db", make_database("a.db")});
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_EQ(run.out, "DEADLETTERS OK: 0 unresolved in the last 1h | unresolved=0;0;;0 oldest=0s;;\n");
  EXPECT_EQ(run.err, "");
}

TEST_F(CheckDeadLetters, LettersInTheWindowAreAWarning) {
  const std::string database =
      make_database("a.db", {letter_that_failed(kOld), letter_that_failed(minutes(5))});
  const ToolRun run = run_tool({"--db", database, "-c", "10"});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.out,
              MatchesRegex(
                  "DEADLETTERS WARNING: 2 unresolved in the last 1h \\(oldest 42m\\)"
                  "; next: dead-letters --db [^ ]+ groups \\| unresolved=2;0;10;0 oldest=25[2-7][0-9]s;;\n"));
}

TEST_F(CheckDeadLetters, MoreThanTheCriticalRangeIsCritical) {
  const std::string database =
      make_database("a.db", {letter_that_failed(kOld), letter_that_failed(minutes(5))});
  EXPECT_EQ(run_tool({"--db", database, "-c", "1"}).exit_status, 2);
}

TEST_F(CheckDeadLetters, OldestLetterIsNamedAlsoOutsideTheWindow) {
  const std::string database = make_database("a.db", {letter_that_failed(hours(50))});
  const ToolRun run = run_tool({"--db", database});
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_THAT(run.out, StartsWith("DEADLETTERS OK: 0 unresolved in the last 1h (oldest 2d2h), 1 in all |"));
  EXPECT_EQ(run_tool({"--db", database, "--oldest-warning", "2d"}).exit_status, 1);
  EXPECT_EQ(run_tool({"--db", database, "--oldest-critical", "2d"}).exit_status, 2);
  EXPECT_EQ(run_tool({"--db", database, "--since", "3d"}).exit_status, 1);
}

TEST_F(CheckDeadLetters, FiltersChooseLetters) {
  const std::string database =
      make_database("a.db", {letter_that_failed(kOld), letter_that_failed(kOld, "reserve_stock")});
  EXPECT_THAT(run_tool({"--db", database, "--handler", "reserve_stock"}).out, HasSubstr(": 1 unresolved in"));
  EXPECT_THAT(run_tool({"--db", database, "--type", "orders.order_placed"}).out,
              HasSubstr(": 2 unresolved in"));
  EXPECT_EQ(run_tool({"--db", database, "--type", "orders.cancelled"}).exit_status, 0);
  EXPECT_EQ(run_tool({"--db", database, "--service", "billing"}).exit_status, 0);
}

TEST_F(CheckDeadLetters, ResolvedLettersDoNotCount) {
  const std::string database = make_database("a.db", {letter_that_failed(kOld)});
  SqliteConnection(database).execute(
      "UPDATE dead_letters SET reprocessed_at = failed_at, resolution = 'discarded'");
  EXPECT_EQ(run_tool({"--db", database, "-vvv"}).out,
            "DEADLETTERS OK: 0 unresolved in the last 1h | unresolved=0;0;;0 oldest=0s;;\n[OK] " + database +
                ": 0 unresolved in the last 1h\n");
}

TEST_F(CheckDeadLetters, VerboseNamesCausesSampleErrorsAndLetters) {
  const std::string database = make_database(
      "a.db", {letter_that_failed(kOld, "send_receipt", "login failed | password=hunter2\nbye")});
  const std::string text = run_tool({"--db", database, "-vvv"}).out;
  EXPECT_THAT(
      text,
      HasSubstr("\n  oldest: letter 1, orders.order_placed/send_receipt of service orders, SmtpTimeout"));
  EXPECT_THAT(
      text,
      HasSubstr("\n  1 x orders.order_placed/send_receipt of service orders: SmtpTimeout, newest 42m ago"));
  EXPECT_THAT(text, HasSubstr("\n      login failed \\x7c password="));
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, HasSubstr("\n  newest: letter 1, "));
  EXPECT_THAT(text, HasSubstr("correlation id request-7\n"));
  EXPECT_THAT(text, Not(HasSubstr("order_id")));
}

TEST_F(CheckDeadLetters, DetailsHaveAnEnd) {
  std::vector<DeadLetter> letters;
  for (char cause = 'a'; cause <= 'u'; ++cause)
    letters.push_back(letter_that_failed(kOld, std::string("handler_") + cause));
  const std::string text = run_tool({"--db", make_database("a.db", letters), "-vvv"}).out;
  const auto count = [&text](const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("\n  1 x "), 20U);
  EXPECT_EQ(count("\n  and more causes\n"), 1U);
  EXPECT_EQ(count("\n  newest: letter "), 10U);
}

TEST_F(CheckDeadLetters, WaitingSpillFileIsAWarning) {
  const std::string database = make_database("a.db");
  const std::string line = to_json_line(letter_that_failed(kOld)) + "\n";
  write_file(database + ".spill.jsonl", line);
  const ToolRun run = run_tool({"--db", database});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.out,
              StartsWith("DEADLETTERS WARNING: 0 unresolved in the last 1h; " + std::to_string(line.size()) +
                         " bytes of letters wait in " + database + ".spill.jsonl"));
}

TEST_F(CheckDeadLetters, HandlersThatNobodyServesAreAWarning) {
  const std::string database = make_database("a.db");
  SqliteConnection(database).execute(
      "INSERT INTO tidings_unserved_handlers VALUES ('orders', 'orders.order_placed', 'ship', 5, 0)");
  const ToolRun run = run_tool({"--db", database});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.out, HasSubstr("; nobody serves orders.order_placed/ship of service orders (5 owed)"));
}

TEST_F(CheckDeadLetters, JsonIsOneObject) {
  const std::string database = make_database("a.db", {letter_that_failed(kOld)});
  const ToolRun run = run_tool({"--db", database, "--json"});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_EQ(run.out.find('\n'), run.out.size() - 1);
  const auto json = nlohmann::json::parse(run.out);
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["state"], "WARNING");
  EXPECT_EQ(json["databases"][0]["oldest"]["id"], 1);
}

TEST_F(CheckDeadLetters, CronIsSilentWhenAllIsWellAndOnlyThen) {
  const std::string database = make_database("a.db");
  const ToolRun quiet = run_tool({"--db", database, "--cron", "-vv"});
  EXPECT_EQ(quiet.exit_status, 0);
  EXPECT_EQ(quiet.out + quiet.err, "");
  EXPECT_EQ(run_tool({"--db", database, "--cron", "--json"}).out, "");
  const ToolRun loud = run_tool({"--db", make_database("b.db", {letter_that_failed(kOld)}), "--cron"});
  EXPECT_EQ(loud.exit_status, 1);
  EXPECT_THAT(loud.out, StartsWith("DEADLETTERS WARNING: "));
}

TEST_F(CheckDeadLetters, PrometheusFileIsWrittenBesideTheUsualOutput) {
  const std::string database = make_database("a.db", {letter_that_failed(kOld)});
  const ToolRun run = run_tool({"--db", database, "--prometheus", path("m.prom")});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.out, StartsWith("DEADLETTERS WARNING: "));
  EXPECT_THAT(read_file(path("m.prom")),
              HasSubstr("tidings_dead_letters_unresolved{database=\"" + database + "\"} 1\n"));
}

TEST_F(CheckDeadLetters, PrometheusFileThatCannotBeWrittenIsUnknownAndHidesNoAlert) {
  const std::vector<std::string> quiet{"--db", make_database("a.db"), "--cron", "--prometheus",
                                       path("no/m.prom")};
  const ToolRun run = run_tool(quiet);
  EXPECT_EQ(run.exit_status, 3);
  EXPECT_THAT(run.out, HasSubstr("could not write the metrics to " + path("no/m.prom") +
                                 ": No such file or directory"));
  const std::string alerting = make_database("b.db", {letter_that_failed(kOld)});
  EXPECT_EQ(run_tool({"--db", alerting, "--prometheus", alerting}).exit_status, 1);
  EXPECT_THAT(run_tool({"--db", alerting}).out, HasSubstr(": 1 unresolved"));
}

TEST_F(CheckDeadLetters, DatabasesComeFromTheEnvironment) {
  const std::string both = make_database("a.db") + ":" + make_database("b.db", {letter_that_failed(kOld)});
  const ToolRun run = run_tool({}, {.tidings_db = both});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.out,
              StartsWith("DEADLETTERS WARNING: [OK] " + path("a.db") +
                         ": 0 unresolved in the last 1h; [WARNING] " + path("b.db") + ": 1 unresolved"));
}

TEST_F(CheckDeadLetters, FailingDatabaseIsNamedAndHidesNoAlert) {
  const std::string good = make_database("good.db");
  const std::string alerting = make_database("alerting.db", {letter_that_failed(kOld)});
  const ToolRun both = run_tool({"--db", path("gone.db"), "--db", alerting});
  EXPECT_EQ(both.exit_status, 1);
  EXPECT_THAT(both.out, HasSubstr("[UNKNOWN] "));
  EXPECT_THAT(both.out, HasSubstr(path("gone.db")));
  EXPECT_THAT(both.out, HasSubstr("[WARNING] " + alerting));
  EXPECT_EQ(run_tool({"--db", good, "--db", path("gone.db")}).exit_status, 3);
  EXPECT_EQ(run_tool({"--db", path("gone.db"), "--db", alerting, "-c", "0"}).exit_status, 2);
}

TEST_F(CheckDeadLetters, ReadsWhileAnotherProcessHoldsTheWriteLock) {
  const std::string database = make_database("a.db", {letter_that_failed(kOld)});
  SqliteConnection writer(database);
  writer.execute("BEGIN IMMEDIATE");
  writer.execute("DELETE FROM dead_letters");
  EXPECT_THAT(run_tool({"--db", database}).out, StartsWith("DEADLETTERS WARNING: 1 unresolved"));
  writer.execute("COMMIT");
  EXPECT_THAT(run_tool({"--db", database}).out, StartsWith("DEADLETTERS OK: 0 unresolved"));
}

TEST_F(CheckDeadLetters, ReadsWhileAServiceStoresLettersAndLosesItNone) {
  const auto store = deadletter::Store::open(path("a.db"), {.spill_reserve = 0});
  std::atomic<bool> stop = false;
  std::atomic<int> stored = 0;
  std::thread service([&] {
    while (!stop) {
      store_letters(*store, {letter_that_failed(minutes(5))});
      ++stored;
    }
  });
  for (int i = 0; i < 10; ++i) {
    const ToolRun run = run_tool({"--db", path("a.db"), "-vvv", "--timeout", "1m"});
    EXPECT_LE(run.exit_status, 1) << run.out;
  }
  stop = true;
  service.join();
  EXPECT_THAT(run_tool({"--db", path("a.db")}).out,
              HasSubstr(": " + std::to_string(stored) + " unresolved in"));
}

TEST_F(CheckDeadLetters, ChecksWhileEightProcessesStoreLettersAndOneReadsAndNoneIsLost) {
  const std::string database = make_database("a.db");
  std::vector<pid_t> writers;
  for (int writer = 0; writer < 8; ++writer) {
    const pid_t child = ::fork();
    if (child != 0) {
      writers.push_back(child);
      continue;
    }
    const std::string handler = "writer_" + std::to_string(writer);
    const auto store = deadletter::Store::open(database, {.busy_timeout = minutes(1), .spill_reserve = 0});
    for (int i = 0; i < 10; ++i) store_letters(*store, {letter_that_failed(minutes(5), handler)});
    ::_exit(HasFailure() ? 1 : 0);
  }
  for (int i = 0; i < 4; ++i) {
    EXPECT_LE(run_tool({"--db", database, "--timeout", "1m"}).exit_status, 1);
    EXPECT_EQ(run_tool({"--db", database, "list"}, {.program = TIDINGS_DEAD_LETTERS}).exit_status, 0);
  }
  for (const pid_t writer : writers) {
    int status = -1;
    EXPECT_EQ(::waitpid(writer, &status, 0), writer);
    EXPECT_EQ(status, 0);
  }
  EXPECT_THAT(run_tool({"--db", database}).out, HasSubstr(": 80 unresolved in"));
}

TEST_F(CheckDeadLetters, ChecksWithoutWritingToTheDatabase) {
  const std::string database = make_database("a.db", {letter_that_failed(kOld)});
  const std::string before = read_file(database);
  const auto written = std::filesystem::last_write_time(database);
  EXPECT_EQ(run_tool({"--db", database, "-vvv"}).exit_status, 1);
  EXPECT_EQ(read_file(database), before);
  EXPECT_EQ(std::filesystem::last_write_time(database), written);
}

TEST_F(CheckDeadLetters, HelpAndVersionGoToStandardOutput) {
  EXPECT_THAT(run_tool({"--help"}).out, HasSubstr("--oldest-critical RANGE"));
  EXPECT_EQ(run_tool({"--help"}).exit_status, 0);
  EXPECT_EQ(run_tool({"-h", "--plugin-mode"}).exit_status, 3);
  EXPECT_THAT(run_tool({"-V"}).out, StartsWith("check-dead-letters (tidings) "));
  EXPECT_EQ(run_tool({"-V", "--plugin-mode"}).exit_status, 3);
}

TEST_F(CheckDeadLetters, CommandLineMistakesAreUnknownOnStandardOutput) {
  const ToolRun run = run_tool({"--db", "a.db", "--since", "soon"});
  EXPECT_EQ(run.exit_status, 3);
  EXPECT_THAT(run.out, StartsWith("DEADLETTERS UNKNOWN: --since: \"soon\" is not a time"));
  EXPECT_THAT(run.err, IsEmpty());
  const ToolRun json = run_tool({"--json", "--bogus"});
  EXPECT_EQ(json.exit_status, 3);
  EXPECT_EQ(nlohmann::json::parse(json.out)["state"], "UNKNOWN");
  EXPECT_EQ(run_tool({}).exit_status, 3);
}

TEST_F(CheckDeadLetters, OutputThatCannotBeWrittenIsUnknown) {
  const std::string database = make_database("a.db");
  for (const Output output : {Output::FullDevice, Output::Closed, Output::PipeNobodyReads}) {
    const ToolRun run = run_tool({"--db", database}, {.output = output});
    EXPECT_EQ(run.exit_status, 3);
    EXPECT_THAT(run.err, StartsWith("check-dead-letters: could not write to standard output: "));
    EXPECT_EQ(run_tool({"--help"}, {.output = output}).exit_status, 3);
    EXPECT_EQ(run_tool({"--db", database, "--cron"}, {.output = output}).exit_status, 0);  // nothing to write
  }
}

}  // namespace
}  // namespace tidings::check_dead_letters
