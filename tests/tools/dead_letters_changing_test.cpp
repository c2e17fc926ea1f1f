#include "dead_letters/long_change.hpp"
#include "tools/dead_letters_fixture.hpp"

#include <cstdlib>

namespace tidings::dead_letters {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ChangingVerbsTest : public DeadLettersTest {
 protected:
  /// As a service that takes all that is marked: the first `failing` fail again.
  void deliver(int failing) const {
    execute("UPDATE tidings_redrives SET state = 'finished', failed = " + std::to_string(failing) +
            ", succeeded = letters - " + std::to_string(failing) + ", finished_at = 1");
  }
  [[nodiscard]] std::int64_t audits() const {
    return static_cast<std::int64_t>(reader().examine(false).recent_changes.size());
  }
};

TEST_F(ChangingVerbsTest, RefuseWithoutBeingToldWhichLetters) {
  for (const char* verb : {"retry", "discard", "undo", "erase"}) {
    const auto answer = call({verb});
    EXPECT_EQ(answer.status, 64) << verb;
    EXPECT_THAT(answer.err, HasSubstr("which")) << verb;
  }
  EXPECT_EQ(call({"erase", "--all", "--yes"}).status, 64);
  EXPECT_EQ(call({"discard", "1", "--handler", "x"}).status, 64);
  EXPECT_EQ(unresolved(), 3);
  EXPECT_EQ(audits(), 0);
}

TEST_F(ChangingVerbsTest, ADryRunChangesNothingAndSaysWhatWould) {
  const auto id = reader().find(2)->letter.metadata.event_id.to_string();
  const std::vector<std::vector<std::string>> runs = {{"retry", "--all"},
                                                      {"discard", "--handler", "send_receipt"},
                                                      {"undo", "--all"},
                                                      {"purge"},
                                                      {"purge", "--unresolved"},
                                                      {"erase", "1"},
                                                      {"edit", "1", "--set", "/a=1"},
                                                      {"backup", path("copy.db")}};
  for (auto arguments : runs) {
    arguments.push_back("--dry-run");
    EXPECT_EQ(call(arguments).status, 0) << arguments[0];
  }
  EXPECT_THAT(call({"discard", "--handler", "send_receipt", "-n"}).out,
              HasSubstr("2 letters would be discarded; nothing was changed."));
  EXPECT_THAT(call({"edit", "1", "--set", "/order_id=9", "-n"}).out, HasSubstr("replace /order_id"));
  EXPECT_FALSE(std::filesystem::exists(path("copy.db")));
  EXPECT_EQ(unresolved(), 3);
  EXPECT_EQ(audits(), 0);
}

TEST_F(ChangingVerbsTest, ADryRunSaysWhatIsInNoStateToBeChanged) {
  EXPECT_EQ(call({"discard", "1"}).status, 0);
  for (const char* verb : {"retry", "discard"}) {
    const auto answer = call({verb, "1", "2", "-n"});
    EXPECT_EQ(answer.status, 65) << verb;
    EXPECT_THAT(answer.err, HasSubstr("letter 1 is discarded; it was left as it is")) << verb;
    EXPECT_THAT(answer.out, HasSubstr("1 letter would be")) << verb;
  }
  EXPECT_EQ(call({"undo", "2", "-n"}).status, 65);
}

TEST_F(ChangingVerbsTest, ADryRunOfEraseCountsAllThatHoldsThePerson) {
  EXPECT_EQ(call({"edit", "3", "--set", "/customer/email=corrected@example.com"}).status, 0);
  EXPECT_EQ(call({"backup", path("copy.db")}).status, 0);
  std::ofstream(database_ + ".spill.jsonl") << to_json_line(reader().find(3)->letter) << "\n";
  const std::vector<std::string> of_eve = {"erase", "--where", "/customer/email=eve@example.com"};
  auto arguments = of_eve;
  arguments.emplace_back("-n");
  const auto plan = call(arguments);
  EXPECT_THAT(plan.out,
              HasSubstr("2 letters would be erased, edited versions included, and 1 in spill files"));
  EXPECT_THAT(plan.err, HasSubstr("a backup may still hold it, and is out of reach: " + path("copy.db")));
  arguments = of_eve;
  arguments.emplace_back("--yes");
  EXPECT_THAT(call(arguments).out, HasSubstr("2 letters erased, and 1 in spill files."));
}

TEST_F(ChangingVerbsTest, EveryChangeIsAudited) {
  input_ = call({"export", "--handler", "charge_card"}).out;
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"discard", "1", "2"},
                                             {"undo", "2"},
                                             {"retry", "2"},
                                             {"edit", "3", "--set", "/order_id=9"},
                                             {"purge", "--older-than", "0s"},
                                             {"erase", "--correlation-id", "request-8", "-y"},
                                             {"import", "-"},
                                             {"backup", path("copy.db")}}) {
    EXPECT_EQ(call(arguments).status, 0) << arguments[0];
  }
  SqliteConnection connection(database_);
  EXPECT_EQ(connection.text("SELECT group_concat(verb || ' ' || letters, ', ') FROM tidings_audit"),
            "discard 2, undo 1, retry 1, edit 1, purge 2, erase 1, import 1, backup 0");
  EXPECT_EQ(
      connection.text("SELECT count(*) FROM tidings_audit WHERE user <> '' AND host <> '' AND at > 0 AND"
                      " json_valid(filter) AND filter NOT LIKE '%request-8%'"),
      "8");
}

TEST_F(ChangingVerbsTest, RetryMarksByNumberAndByFilter) {
  const auto answer = call({"retry", "1"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.out, HasSubstr("1 letter marked to be delivered again, as request 1."));
  EXPECT_THAT(
      call({"retry", "--handler", "send_receipt", "--canary", "1", "--rate", "5/s", "--stop-after", "2"}).out,
      HasSubstr("1 letter marked"));
  EXPECT_EQ(reader().count({.marked = true}), 2);
  EXPECT_EQ(reader().redrive(2)->rate, 5);
  EXPECT_EQ(call({"retry", "1"}).status, 65);
  EXPECT_THAT(call({"retry", "1"}).err, HasSubstr("letter 1 is waiting; it was left as it is"));
}

TEST_F(ChangingVerbsTest, RetryWaitsForTheService) {
  execute(
      "CREATE TRIGGER served AFTER UPDATE OF letters ON tidings_redrives BEGIN UPDATE tidings_redrives SET"
      " state = 'finished', succeeded = new.letters WHERE id = new.id; END");
  const auto answer = call({"retry", "--all", "--wait"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.out, HasSubstr("3 succeeded, 0 failed again."));
}

TEST_F(ChangingVerbsTest, RetrySaysWhatFailedAgain) {
  execute(
      "CREATE TRIGGER served AFTER UPDATE OF letters ON tidings_redrives BEGIN UPDATE tidings_redrives SET"
      " state = 'stopped', failed = 1, canary = 1 WHERE id = new.id; UPDATE dead_letters SET"
      " redrive_requested_at = NULL, redrive_id = nullif(new.id, (id <> 3) * new.id); END");
  const auto answer = call({"retry", "--all", "--canary", "1", "--wait"});
  EXPECT_EQ(answer.status, 69);
  EXPECT_THAT(answer.out,
              AllOf(HasSubstr("0 succeeded, 1 failed again."),
                    HasSubstr("its canary failed. 2 letters were not delivered, and are not marked"),
                    HasSubstr("charge_card"), Not(HasSubstr("send_receipt"))));
}

TEST_F(ChangingVerbsTest, RetryGivesUpWaitingInTime) {
  const auto answer = call({"retry", "1", "--timeout", "0s"});
  EXPECT_EQ(answer.status, 75);
  EXPECT_THAT(answer.out, HasSubstr("1 letter still waits to be delivered."));
}

TEST_F(ChangingVerbsTest, RetryLeavesOutLettersWithoutPayloadAndSaysWhy) {
  execute(
      "UPDATE dead_letters SET event_data = NULL, data_encoding = 'none', data_note = 'the type opts out'"
      " WHERE id IN (1, 3)");
  const auto plan = call({"retry", "--all", "--dry-run"});
  EXPECT_THAT(plan.out, HasSubstr("1 letter would be delivered again"));
  EXPECT_THAT(plan.err,
              AllOf(HasSubstr("2 letters cannot be delivered again"), HasSubstr("they stay as they are"),
                    HasSubstr("Letter 3: the type opts out"), HasSubstr("edit 3 --file FILE")));
  const auto answer = call({"retry", "--all", "--json"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.json().at("letters"), 1);
  EXPECT_EQ(answer.json().at("without_payload"), 2);
  EXPECT_EQ(reader().count({.marked = true}), 1);
  EXPECT_THAT(call({"show", "3"}).err, AllOf(HasSubstr("no payload"), Not(HasSubstr("retry 3"))));
}

TEST_F(ChangingVerbsTest, RetryOfALetterWithoutPayloadFails) {
  execute(
      "UPDATE dead_letters SET event_data = NULL, data_encoding = 'none', data_note = 'lost' WHERE id = 1");
  const auto answer = call({"retry", "1"});
  EXPECT_EQ(answer.status, 65);
  EXPECT_THAT(answer.err,
              HasSubstr("1 letter cannot be delivered again, as the payload was not kept; it stays"
                        " as it is. Letter 1: lost"));
  EXPECT_THAT(answer.out, HasSubstr("nothing was marked"));
}

TEST_F(ChangingVerbsTest, DiscardKeepsTheReasonAndUndoTakesItBack) {
  const auto answer = call({"discard", "--handler", "send_receipt", "--reason", "duplicate orders"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.err, HasSubstr("dead-letters undo --handler send_receipt"));
  EXPECT_EQ(unresolved(), 1);
  EXPECT_THAT(call({"show", "1"}).out, HasSubstr("discarded just now: duplicate orders"));
  EXPECT_EQ(call({"undo", "1", "3"}).status, 65);
  EXPECT_EQ(unresolved(), 2);
}

TEST_F(ChangingVerbsTest, EditMakesANewLetter) {
  const auto answer =
      call({"edit", "1", "--set", "/order_id=43", "--set", "/note=as text", "--set", "/flag=true"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.out, HasSubstr("Letter 4 takes the place of letter 1"));
  EXPECT_EQ(reader().find(4)->letter.data.bytes, R"({"flag":true,"note":"as text","order_id":43})");
  EXPECT_EQ(call({"edit", "1", "--set", "/order_id=44"}).status, 65);
  EXPECT_THAT(call({"edit", "4", "--set", "/order_id=43"}).out,
              HasSubstr("would stay the same; nothing was changed"));
}

TEST_F(ChangingVerbsTest, EditTakesAFileOrTheStandardInput) {
  std::ofstream(path("payload.json")) << R"({"order_id": 1})";
  EXPECT_EQ(call({"edit", "1", "--file", path("payload.json")}).status, 0);
  input_ = R"({"order_id": 2})";
  EXPECT_EQ(call({"edit", "2", "--file", "-"}).status, 0);
  EXPECT_EQ(reader().find(5)->letter.data.bytes, R"({"order_id":2})");
  input_ = "{broken";
  const auto broken = call({"edit", "3", "--file", "-"});
  EXPECT_EQ(broken.status, 65);
  EXPECT_THAT(broken.err, HasSubstr("is not a JSON document"));
  EXPECT_EQ(call({"edit", "3", "--file", path("none")}).status, 66);
  EXPECT_EQ(call({"edit", "3"}).status, 64);
  EXPECT_EQ(call({"edit", "3", "--set", "/customer/email/x/y=1"}).status, 64);
  EXPECT_EQ(unresolved(), 3);
}

TEST_F(ChangingVerbsTest, LeaveALetterThatIsBeingDelivered) {
  std::string boot;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  execute(
      "UPDATE dead_letters SET redrive_requested_at = 1, redrive_started_at = 1, claimed_until = 9e15, "
      "claimed_by = '" +
      boot + "/1/a' WHERE id = 1");
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"discard", "1"}, {"edit", "1", "--set", "/a=1"}, {"erase", "1", "--yes"}}) {
    const auto answer = call(arguments);
    EXPECT_EQ(answer.status, 75) << arguments[0];
    EXPECT_THAT(answer.err, HasSubstr("being delivered right now; try again")) << arguments[0];
  }
  EXPECT_THAT(call({"show", "1"}).out, HasSubstr("its handler is at work on it now"));
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"discard", "--all", "-n"}, {"purge", "--unresolved", "-n"}, {"erase", "1", "-n"}}) {
    const auto plan = call(arguments);
    EXPECT_THAT(plan.err, HasSubstr("1 letter is being delivered right now, and would be left as it is"));
    EXPECT_THAT(plan.out, HasSubstr(arguments[0] == "discard" ? "2 letters"
                                    : arguments[0] == "purge" ? "1 letter"
                                                              : "0 letters"));
  }
  EXPECT_EQ(unresolved(), 3);
}

TEST_F(ChangingVerbsTest, PurgeDeletesUnresolvedLettersOnlyWithTheirNumber) {
  EXPECT_EQ(call({"purge", "--older-than", "0s"}).status, 0);
  const auto refused = call({"purge", "--unresolved", "--handler", "send_receipt"});
  EXPECT_EQ(refused.status, 64);
  EXPECT_THAT(refused.err, HasSubstr("--confirm=2"));
  EXPECT_EQ(call({"purge", "--unresolved", "--handler", "send_receipt", "--confirm=3"}).status, 64);
  EXPECT_EQ(unresolved(), 3);
  EXPECT_EQ(call({"purge", "--unresolved", "--handler", "send_receipt", "--confirm=2"}).status, 0);
  EXPECT_EQ(unresolved(), 1);
}

TEST_F(ChangingVerbsTest, ADryRunOfPurgeNamesTheCausesAndTheNewestLetter) {
  EXPECT_EQ(call({"discard", "2", "3"}).status, 0);
  const auto plan = call({"purge", "--older-than", "0s", "-n"});
  EXPECT_EQ(plan.status, 0);
  EXPECT_THAT(plan.out, HasSubstr("1 letter would be deleted; nothing was changed."));
  EXPECT_THAT(plan.out, HasSubstr("send_receipt"));
  EXPECT_THAT(plan.out, Not(HasSubstr("charge_card")));
  EXPECT_THAT(plan.err, HasSubstr("letter 3 is the newest of the database, and would stay"));
  const auto json = call({"purge", "--older-than", "0s", "-n", "--json"}).json();
  EXPECT_EQ(json.at("letters"), 1);
  EXPECT_EQ(json.at("groups").size(), 1U);
  EXPECT_EQ(json.at("groups")[0].at("letters"), 1);
  EXPECT_THAT(call({"purge", "--older-than", "0s", "--handler", "send_receipt", "-n"}).err,
              Not(HasSubstr("newest")));
  EXPECT_THAT(call({"purge", "--older-than", "0s"}).out, HasSubstr("1 letter deleted."));
}

TEST_F(ChangingVerbsTest, PurgeLeavesWhatWasResolvedLately) {
  EXPECT_EQ(call({"discard", "1"}).status, 0);
  EXPECT_THAT(call({"purge"}).out, HasSubstr("No letters were resolved that long ago; nothing was changed."));
  EXPECT_THAT(call({"purge", "--older-than", "0s"}).out, HasSubstr("1 letter deleted."));
}

TEST_F(ChangingVerbsTest, PurgeTakesTheEarlierOfTwoBounds) {
  for (const char* until : {"90m", "0s"}) {
    EXPECT_EQ(call({"purge", "--unresolved", "--until", until, "--older-than", "30m", "-n", "--json"})
                  .json()
                  .at("letters"),
              until == std::string("90m") ? 1 : 2);
  }
}

TEST_F(ChangingVerbsTest, EraseTakesTheReasonOfADiscardAlong) {
  EXPECT_EQ(call({"discard", "3", "--reason", "eve@example.com asked"}).status, 0);
  EXPECT_THAT(
      call({"erase", "3", "-n"}).out,
      HasSubstr("1 letter would be erased, edited versions included, 0 in spill files, and 1 reason of "
                "discards in the audit; nothing was changed."));
  EXPECT_THAT(call({"erase", "3", "--yes"}).out,
              HasSubstr("1 letter erased, 0 in spill files, and 1 reason of discards in the audit."));
  EXPECT_THAT(call({"erase", "2", "--yes"}).out, HasSubstr("1 letter erased, and 0 in spill files."));
}

TEST_F(ChangingVerbsTest, EraseAsksFirstAndNamesBackups) {
  EXPECT_EQ(call({"backup", path("copy.db")}).status, 0);
  const auto refused = call({"erase", "--where", "/customer/email=eve@example.com"});
  EXPECT_EQ(refused.status, 64);
  EXPECT_THAT(refused.err, HasSubstr("say --yes"));
  const auto answer = call({"erase", "--where", "/customer/email=eve@example.com", "--yes"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.out, HasSubstr("1 letter erased"));
  EXPECT_THAT(answer.err, HasSubstr("a backup may still hold it, and is out of reach: " + path("copy.db")));
  EXPECT_EQ(unresolved(), 2);
}

TEST_F(ChangingVerbsTest, AChangeThatFailsOnItsWaySaysHowFarItGot) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Command command({}, {in, out, err}, wall_now());
  ProgressLine line(command);
  const auto fail = [](const deadletter::Watch& watch) -> deadletter::Progress {
    watch.progress({.changed = 1'500});
    throw Error(ErrorCode::DatabaseBusy, "locked");
  };
  EXPECT_THROW(static_cast<void>(run_watched(command, line, "discarded", 0, fail)), Error);
  EXPECT_THAT(err.str(),
              HasSubstr("1,500 letters were discarded, the rest is as it was; the same command goes on"));
}

TEST_F(ChangingVerbsTest, BackupRefusesToOverwrite) {
  std::ofstream(path("there")) << "x";
  EXPECT_EQ(call({"backup", path("there")}).status, 73);
  EXPECT_EQ(call({"backup", path("missing/folder")}).status, 73);
}

TEST_F(ChangingVerbsTest, MistakesSayWhatToWriteInstead) {
  const std::vector<std::pair<std::vector<std::string>, const char*>> mistakes = {
      {{}, "no verb"},
      {{"lst"}, "\"lst\" is no verb; write what to do: list groups show"},
      {{"--db", "x.db"}, "no verb; write"},
      {{"list", "--colour"}, "see dead-letters list --help"},
      {{"list", "--since", "yesterday"}, "write how long ago"},
      {{"list", "--limit", "0"}, "whole number from 1"},
      {{"list", "--limit", "10001"}, "is above 10000"},
      {{"list", "--sort", "size"}, "write newest or oldest"},
      {{"groups", "--sort", "newest"}, "write count or last-seen"},
      {{"list", "--fingerprint", "xyz"}, "16 characters"},
      {{"list", "--reason", "bad"}, "write exhausted"},
      {{"list", "--handler", "a b"}, "cannot be a name"},
      {{"list", "--where", "/a"}, "has no value"},
      {{"list", "--where", "a=b"}, "is not a JSON pointer"},
      {{"list", "--all", "--resolved"}, "exclude each other"},
      {{"list", "--since", "1h", "--until", "2d"}, "no letter can match"},
      {{"retry", "1", "--all"}, "give letters or filters, not both"},
      {{"list", "--after", "7"}, "copy it from the page before"},
      {{"retry", "1", "--rate", "fast"}, "letters a second"},
      {{"retry", "1", "--canary", "-1"}, "whole number from 1"},
      {{"retry", "1", "--stop-after", "4294967296"}, "is above 4294967295"},
      {{"purge", "--older-than", "old"}, "is not a time; write how long ago (2h, 30m, 1d)"},
      {{"show"}, "show --help"},
      {{"list", "--db", ""}, "file name is empty"}};
  for (const auto& [arguments, advice] : mistakes) {
    const auto answer = call(arguments);
    EXPECT_EQ(answer.status, 64) << advice;
    EXPECT_THAT(answer.err, HasSubstr(advice));
    EXPECT_EQ(answer.out, "");
  }
}

TEST_F(ChangingVerbsTest, DatabasesThatCannotBeUsedHaveTheirExitStatus) {
  EXPECT_EQ(call({"list", "--db", path("none.db")}).status, 66);
  EXPECT_EQ(call({"list", "--db", path(".")}).status, 66);
  std::ofstream(path("text.db")) << std::string(5'000, 'x');
  EXPECT_EQ(call({"list", "--db", path("text.db")}).status, 65);
  execute("UPDATE tidings_meta SET value = '99' WHERE key = 'schema_version'");
  const auto newer = call({"retry", "--all", "--json"});
  EXPECT_EQ(newer.status, 78);
  EXPECT_EQ(newer.json().at("error").at("exit_status"), 78);
}

}  // namespace
}  // namespace tidings::dead_letters
