#include "text/columns.hpp"
#include "tools/dead_letters_fixture.hpp"

#include <algorithm>

namespace tidings::dead_letters {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ReadingVerbsTest : public DeadLettersTest {};

std::size_t widest_line(const std::string& text) {
  std::istringstream lines(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, tools::display_width(line));
  return widest;
}

TEST_F(ReadingVerbsTest, ListShowsTheNewestFirstAndWhatToDoNext) {
  const auto answer = call({"list"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.out, StartsWith("LETTER  FAILED  EVENT"));
  EXPECT_LT(answer.out.find("charge_card"), answer.out.find("send_receipt"));
  EXPECT_THAT(answer.out, HasSubstr("SmtpTimeout: card declined"));
  EXPECT_THAT(answer.err, HasSubstr("dead-letters show 3"));
}

TEST_F(ReadingVerbsTest, ListPagesWithoutLosingOrRepeating) {
  std::vector<std::int64_t> ids;
  std::vector<std::string> arguments = {"list", "--json", "--limit", "2"};
  for (int page = 0; page < 2; ++page) {
    const auto json = call(arguments).json();
    for (const auto& each : json.at("letters")) ids.push_back(each.at("id").get<std::int64_t>());
    if (json.at("next").is_string()) {
      arguments.insert(arguments.end(), {"--after", json.at("next").get<std::string>()});
    }
  }
  EXPECT_THAT(ids, testing::ElementsAre(3, 2, 1));
}

TEST_F(ReadingVerbsTest, ListFiltersByEverything) {
  const auto count = [&](std::vector<std::string> filters) {
    filters.insert(filters.begin(), {"list", "--json"});
    return call(filters).json().at("letters").size();
  };
  const auto event = reader().find(2)->letter.metadata.event_id.to_string();
  EXPECT_EQ(count({"--handler", "send_receipt"}), 2U);
  EXPECT_EQ(count({"--type", "orders.order_placed", "--since", "90m"}), 2U);
  EXPECT_EQ(count({"--until", "90m"}), 1U);
  EXPECT_EQ(count({"--service", "other"}), 0U);
  EXPECT_EQ(count({"--reason", "permanent"}), 0U);
  EXPECT_EQ(count({"--correlation-id", "request-8"}), 1U);
  EXPECT_EQ(count({"--event-id", event}), 1U);
  EXPECT_EQ(count({"--where", "/customer/email=eve@example.com"}), 1U);
  EXPECT_EQ(count({"--where", "/order_id=42", "--handler", "charge_card"}), 0U);
  EXPECT_EQ(count({"--fingerprint", reader().find(1)->letter.error_fingerprint}), 2U);
  EXPECT_EQ(count({"--resolved"}), 0U);
}

TEST_F(ReadingVerbsTest, TablesFitTheTerminal) {
  auto wide = letter_that_failed(std::chrono::seconds(5), std::string(60, 'h'), std::string(300, 'e'));
  wide.event_type = std::string(80, 't');
  store_letters(*deadletter::Store::open(database_), {wide});
  EXPECT_EQ(call({"discard", "--handler", wide.handler}).status, 0);
  EXPECT_EQ(call({"undo", "--handler", wide.handler}).status, 0);
  for (const std::size_t width : {60U, 80U, 200U}) {
    out_terminal_ = {true, width, false};
    for (const auto& arguments : std::vector<std::vector<std::string>>{{"list"},
                                                                       {"groups"},
                                                                       {"stats"},
                                                                       {"doctor"},
                                                                       {"retry", "--all", "-n"},
                                                                       {"show", "4"},
                                                                       {"trace", "request-7"}}) {
      const auto answer = call(arguments);
      EXPECT_LE(widest_line(answer.out), width) << arguments[0] << answer.out;
    }
  }
  out_terminal_ = {};
  EXPECT_THAT(call({"list"}).out, HasSubstr(std::string(300, 'e')));
}

TEST_F(ReadingVerbsTest, NamesAreNeverCut) {
  auto wide = letter_that_failed(std::chrono::seconds(5), "tell_everybody_who_reviewed_the_pull_request");
  wide.event_type = "github.pull_request_review_comment.created";
  store_letters(*deadletter::Store::open(database_), {wide});
  out_terminal_ = {true, 80, false};
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"list"}, {"groups"}, {"stats"}, {"trace", "request-7"}, {"discard", "4", "-n"}}) {
    const auto answer = call(arguments);
    EXPECT_THAT(answer.out, AllOf(HasSubstr(wide.event_type), HasSubstr(wide.handler))) << arguments[0];
    EXPECT_LE(widest_line(answer.out), 80U) << answer.out;
  }
}

TEST_F(ReadingVerbsTest, ColumnsThatDoNotFitStandBelowTheOthers) {
  execute(
      "UPDATE dead_letters SET event_type = 'orders.order_placed_by_a_customer', "
      "error_type = '', error_message = 'no route to the host mail.example.com' WHERE id < 3");
  execute("DELETE FROM dead_letters WHERE id > 1");
  out_terminal_ = {true, 80, false};
  EXPECT_EQ(call({"list"}).out,
            "LETTER  FAILED  EVENT                              HANDLER\n"
            "        ERROR\n"
            "     1  2h ago  orders.order_placed_by_a_customer  send_receipt\n"
            "        no route to the host mail.example.com\n");
  out_terminal_.width = 60;
  EXPECT_THAT(call({"list"}).out, HasSubstr("\n        HANDLER       ERROR\n"));
  EXPECT_THAT(call({"list"}).out,
              HasSubstr("_customer\n        send_receipt  no route to the host mail.example.com\n"));
}

TEST_F(ReadingVerbsTest, ANameWiderThanTheTerminalTakesSeveralLines) {
  execute("UPDATE dead_letters SET event_type = '" + std::string(70, 'a') + std::string(70, 'b') +
          "' WHERE id = 3");
  out_terminal_ = {true, 80, false};
  const std::string indent(8, ' ');
  EXPECT_THAT(call({"list"}).out, HasSubstr("\n" + indent + std::string(70, 'a') + "bb\n" + indent +
                                            std::string(68, 'b') + "\n"));
}

TEST_F(ReadingVerbsTest, UntrustedTextNeverReachesTheTerminalRaw) {
  auto hostile =
      letter_that_failed(std::chrono::seconds(5), "h", "\x1b[2J\x1b]0;owned\x07 \xe2\x80\xaegnp.exe");
  hostile.data = encode_data({{"\x1b[31mkey",
                               "\xc2\x9b"
                               "31m"}});
  hostile.attempts.back().error_message = hostile.error_message;
  store_letters(*deadletter::Store::open(database_), {hostile});
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"list"},
                                                                     {"groups"},
                                                                     {"show", "4"},
                                                                     {"trace", "request-7"},
                                                                     {"list", "--json"},
                                                                     {"show", "4", "--json"},
                                                                     {"export"}}) {
    const auto answer = call(arguments);
    EXPECT_EQ(answer.status, 0);
    for (const char* raw : {"\x1b", "\x07", "\xc2\x9b", "\xe2\x80\xae"}) {
      EXPECT_THAT(answer.out, Not(HasSubstr(raw))) << arguments[0];
    }
  }
  EXPECT_THAT(call({"list"}).out, HasSubstr("\\x1b[2J"));
}

TEST_F(ReadingVerbsTest, ShowMasksSecretsUnlessTold) {
  EXPECT_THAT(call({"show", "3"}).out, AllOf(HasSubstr("\"order_id\": 7"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(call({"show", "3", "--json"}).out, Not(HasSubstr("hunter2")));
  EXPECT_THAT(call({"show", "3", "--reveal"}).out, HasSubstr("\"password\": \"hunter2\""));
  EXPECT_THAT(call({"show", "3", "--reveal", "--json"}).out, HasSubstr("hunter2"));
}

TEST_F(ReadingVerbsTest, ShowTellsEveryAttemptAndTheNextStep) {
  const auto answer = call({"show", "1"});
  EXPECT_THAT(answer.out,
              AllOf(HasSubstr("state       unresolved"), HasSubstr("send_receipt of service orders"),
                    HasSubstr("Attempts\n  1 "), HasSubstr("correlation request-7"), HasSubstr("Payload")));
  EXPECT_THAT(answer.err,
              AllOf(HasSubstr("retry 1 --wait"), HasSubstr("edit 1"), HasSubstr("trace request-7")));
}

TEST_F(ReadingVerbsTest, ShowHasTheContextAndWhatWasBoundToEachAttempt) {
  execute(
      "UPDATE dead_letters SET attributes = '{\"tenant\":\"acme\",\"user_id\":42,\"password\":\"hunter2\"}',"
      " attempts = json_set(attempts, '$[0].fields', json('{\"order_id\":7,\"api_key\":\"hunter2\"}')) WHERE "
      "id = 3");
  const std::string text = call({"show", "3"}).out;
  EXPECT_THAT(text, AllOf(HasSubstr("\nContext fields\n"), HasSubstr("\n  tenant    acme\n"),
                          HasSubstr("\n  user_id   42\n"), HasSubstr("api_key=[redacted] order_id=7"),
                          Not(HasSubstr("hunter2"))));
  const auto letter = call({"show", "3", "--json"}).json().at("letter");
  EXPECT_EQ(letter.at("fields"),
            OrderedJson::parse(R"({"password":"[redacted]","tenant":"acme","user_id":42})"));
  EXPECT_EQ(letter.at("attempts").at(0).at("fields").at("order_id"), 7);
  EXPECT_EQ(letter.dump().find("hunter2"), std::string::npos) << letter;
}

TEST_F(ReadingVerbsTest, ShowSetsContextFieldsApartFromItsOwnLines) {
  execute(
      "UPDATE dead_letters SET attributes = json_object('handler', 'mine', 'error', 'none', "
      "'preferred_delivery_window', 'noon') WHERE id = 3");
  const std::string text = call({"show", "3"}).out;
  EXPECT_THAT(text, AllOf(HasSubstr("\nhandler     charge_card"), HasSubstr("\nContext fields\n"),
                          HasSubstr("\n  handler   mine\n"), HasSubstr("\n  error     none\n"),
                          HasSubstr("\n  preferred_delivery_window  noon\n")));
  EXPECT_LT(text.find("Context fields"), text.find("  handler   mine"));
}

TEST_F(ReadingVerbsTest, LettersAreFoundByTheBeginningOfTheirEventId) {
  const auto id = reader().find(2)->letter.metadata.event_id.to_string();
  EXPECT_EQ(call({"show", id, "--json"}).json().at("letter").at("id"), 2);
  const auto shared = call({"show", id.substr(0, 4)});
  EXPECT_EQ(shared.status, 64);
  EXPECT_THAT(shared.err, AllOf(HasSubstr("fits several letters: "), HasSubstr("give the number of one")));
  EXPECT_EQ(call({"show", "99"}).status, 66);
  EXPECT_EQ(call({"show", "ffffffff-0000"}).status, 66);
  EXPECT_EQ(call({"show", "no"}).status, 64);
}

TEST_F(ReadingVerbsTest, WhatBeginsWithZeroIsNoNumber) {
  execute("UPDATE dead_letters SET event_id = '00000002-0000-7000-8000-000000000001' WHERE id = 3");
  EXPECT_EQ(call({"show", "00000002", "--json"}).json().at("letter").at("id"), 3);
  EXPECT_EQ(call({"show", "2", "--json"}).json().at("letter").at("id"), 2);
  EXPECT_EQ(call({"show", "0001"}).status, 66);
}

TEST_F(ReadingVerbsTest, GroupsShowOneLineForACause) {
  const auto answer = call({"groups"});
  EXPECT_EQ(std::count(answer.out.begin(), answer.out.end(), '\n'), 3);
  EXPECT_THAT(answer.out, HasSubstr("      2  " + reader().find(1)->letter.error_fingerprint));
  EXPECT_THAT(answer.err, HasSubstr("retry --fingerprint " + reader().find(1)->letter.error_fingerprint +
                                    " --canary 10 --wait"));
  const auto by_time = call({"groups", "--sort", "last-seen", "--json"}).json();
  EXPECT_EQ(by_time.at("groups")[0].at("handler"), "charge_card");
  EXPECT_EQ(call({"groups", "--limit", "1", "--json"}).json().at("more"), true);
}

TEST_F(ReadingVerbsTest, GroupsShowOneLineForACauseOfSeveralTypesAndItsNewestLetter) {
  execute("UPDATE dead_letters SET event_type = 'orders.order_cancelled' WHERE id = 2");
  const auto answer = call({"groups"});
  EXPECT_THAT(answer.out, HasSubstr("  2 types"));
  EXPECT_EQ(std::count(answer.out.begin(), answer.out.end(), '\n'), 3);
  EXPECT_THAT(answer.err, HasSubstr("dead-letters show 2\n"));
}

TEST_F(ReadingVerbsTest, TablesLeaveRoomForWhatTheErrorSays) {
  execute("UPDATE dead_letters SET error_type = 'nlohmann::v3::detail::type_error<a::b>' WHERE id = 3");
  EXPECT_THAT(call({"groups"}).out, HasSubstr("  type_error<a::b>: card declined"));
  execute("UPDATE dead_letters SET error_type = 'tidings::Permanent' WHERE id = 3");
  EXPECT_THAT(call({"list", "--limit", "1"}).out, HasSubstr("  card declined"));
  EXPECT_THAT(call({"show", "3"}).out, HasSubstr("tidings::Permanent: card declined"));
}

TEST_F(ReadingVerbsTest, ShowSaysTheSameErrorOnce) {
  execute(
      "UPDATE dead_letters SET retry_count = 2, attempts = json_array("
      " json_object('at', 1, 'duration_us', 100, 'error_type', 'E', 'error_message', 'no ink'),"
      " json_object('at', 2, 'duration_us', 100, 'error_type', 'E', 'error_message', 'no ink'),"
      " json_object('at', 3, 'duration_us', 100, 'error_type', 'E', 'error_message', 'no paper')) WHERE id = "
      "1");
  EXPECT_THAT(call({"show", "1"}).out,
              HasSubstr("took 0.1 ms\n            E: no ink\n"
                        "  2         1970-01-01 00:00:00.000 UTC, took 0.1 ms: the same error\n"
                        "  3         1970-01-01 00:00:00.000 UTC, took 0.1 ms\n            E: no paper\n"));
}

/// A letter of an event that another system sent.
DeadLetter letter_of_another_system(const std::string& correlation_id) {
  auto letter = letter_that_failed(std::chrono::minutes(9), "sync_" + correlation_id);
  letter.metadata.correlation_id = CorrelationId::parse(correlation_id).value();
  letter.metadata.source = "/partner";
  letter.metadata.foreign_id = "C234 '\xC3\xA9'";
  return letter;
}

TEST_F(ReadingVerbsTest, AForeignIdFindsItsLetterAndItsRequest) {
  store_letters(*deadletter::Store::open(database_), {letter_of_another_system("r-9")});
  const auto listed = call({"list", "--foreign-id", "C234 '\xC3\xA9'", "--json"}).json().at("letters");
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].at("foreign_id"), "C234 '\xC3\xA9'");
  EXPECT_EQ(listed[0].at("source"), "/partner");
  EXPECT_THAT(call({"show", std::to_string(listed[0].at("id").get<int>())}).out,
              AllOf(HasSubstr("foreign id"), HasSubstr("C234 '\xC3\xA9'")));
  EXPECT_EQ(call({"trace", "C234 '\xC3\xA9'", "--json"}).json().at("correlation_id"), "r-9");
  EXPECT_TRUE(call({"show", "1", "--json"}).json().at("letter").at("foreign_id").is_null());
}

TEST_F(ReadingVerbsTest, AForeignIdOfSeveralRequestsIsNotTracedButListed) {
  store_letters(*deadletter::Store::open(database_),
                {letter_of_another_system("r-9"), letter_of_another_system("r-10")});
  const auto answer = call({"trace", "C234 '\xC3\xA9'"});
  EXPECT_EQ(answer.status, 64);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("in 2 requests"), HasSubstr("list --all --foreign-id ")));
  EXPECT_EQ(call({"list", "--all", "--foreign-id", "C234 '\xC3\xA9'", "--json"}).json().at("letters").size(),
            2U);
}

TEST_F(ReadingVerbsTest, TheIdOfAnEventFindsItsRequest) {
  const std::string event_id = call({"show", "3", "--json"}).json().at("letter").at("event_id");
  EXPECT_EQ(call({"trace", event_id, "--json"}).json().at("correlation_id"), "request-8");
  const auto unknown = call({"trace", "01a2215c-1f73-7d41-b509-c67876004a42"});
  EXPECT_EQ(unknown.status, 66);
  EXPECT_THAT(unknown.err, HasSubstr("correlation id of its records"));
}

TEST_F(ReadingVerbsTest, TraceProposesALetterThatIsUnresolved) {
  execute("UPDATE dead_letters SET correlation_id = 'request-8'");
  EXPECT_THAT(call({"trace", "request-8"}).err, HasSubstr("show 1\n"));
  EXPECT_EQ(call({"discard", "1"}).status, 0);
  EXPECT_THAT(call({"trace", "request-8"}).err, HasSubstr("show 2\n"));
}

TEST_F(ReadingVerbsTest, AForeignIdThatNoEventCanHaveIsRefused) {
  for (const std::string& id :
       {std::string(), std::string("a\nb"), std::string("\xFF"), std::string(1025, 'x')})
    for (const char* verb : {"list", "groups", "stats", "export"})
      EXPECT_EQ(call({verb, "--foreign-id", id}).status, 64) << verb;
  EXPECT_EQ(call({"trace", "a\nb"}).status, 64);
  EXPECT_EQ(call({"trace", "C235 nobody"}).status, 66);
}

TEST_F(ReadingVerbsTest, TraceOfALongChainFitsTheTerminal) {
  std::vector<DeadLetter> chain;
  for (int depth = 0; depth < 40; ++depth) {
    chain.push_back(letter_that_failed(std::chrono::minutes(50 - depth), "step_" + std::to_string(depth)));
    chain.back().metadata.correlation_id = CorrelationId::parse("r-9").value();
    if (depth > 0) chain.back().metadata.causation_id = chain[chain.size() - 2].metadata.event_id;
  }
  store_letters(*deadletter::Store::open(database_), chain);
  out_terminal_ = {true, 80, false};
  const auto answer = call({"trace", "r-9"});
  EXPECT_LE(widest_line(answer.out), 80U);
  EXPECT_THAT(answer.out, AllOf(HasSubstr("`- orders.order_placed"), HasSubstr("* letter 43, step_39:")));
}

TEST_F(ReadingVerbsTest, TraceOfACircleEnds) {
  auto snake = letter_that_failed(std::chrono::minutes(9));
  snake.metadata.correlation_id = CorrelationId::parse("r-9").value();
  snake.metadata.causation_id = snake.metadata.event_id;
  store_letters(*deadletter::Store::open(database_), {snake});
  EXPECT_THAT(call({"trace", "r-9"}).out, HasSubstr("* letter 4"));
}

TEST_F(ReadingVerbsTest, StatsCountEveryKind) {
  EXPECT_THAT(call({"stats"}).out, AllOf(StartsWith("3 letters, 3 unresolved\n"), HasSubstr("charge_card"),
                                         HasSubstr("exhausted"), HasSubstr("####")));
  EXPECT_THAT(call({"stats", "--handler", "nobody"}).out, StartsWith("0 letters"));
}

TEST_F(ReadingVerbsTest, StatsShowWhatServicesCounted) {
  EXPECT_THAT(call({"stats"}).out, Not(HasSubstr("PUBLISHED")));
  count_deliveries();
  const auto all = call({"stats"});
  EXPECT_THAT(
      all.out,
      HasSubstr("PUBLISHED  HANDLED  FAILED  DEAD  SLOW     P50  P99  EVENT                HANDLER\n"
                "       10                      0                     orders.order_placed\n"
                "                 9       4     1     1  200 us  2 s  orders.order_placed  send_receipt\n"));
  EXPECT_THAT(all.out, HasSubstr("\nCounted from 20"));
  const auto lately = call({"stats", "--since", "1h", "--handler", "send_receipt"});
  EXPECT_THAT(lately.out, HasSubstr("3       0     0     1  2 s  2 s  orders.order_placed  send_receipt\n"));
  EXPECT_THAT(lately.out, Not(HasSubstr("200 us")));
  EXPECT_THAT(call({"stats", "--handler", "nobody"}).out, Not(HasSubstr("PUBLISHED")));
  // Counters know no causes.
  EXPECT_THAT(call({"stats", "--fingerprint", "00000000000000ff"}).out, Not(HasSubstr("PUBLISHED")));
}

TEST_F(ReadingVerbsTest, StatsShowWhatWasCountedThoughThereIsNoLetter) {
  count_deliveries();
  execute("DELETE FROM dead_letters");
  EXPECT_THAT(call({"stats"}).out, AllOf(StartsWith("0 letters"), HasSubstr("send_receipt")));
}

TEST_F(ReadingVerbsTest, StatsTellProgramsWhatWasCounted) {
  EXPECT_EQ(call({"stats", "--json"}).json().at("counted"),
            OrderedJson({{"from", nullptr}, {"to", nullptr}, {"rates", OrderedJson::array()}}));
  count_deliveries();
  const OrderedJson counted = call({"stats", "--json", "--since", "1h"}).json().at("counted");
  EXPECT_LT(counted.at("from"), counted.at("to"));
  EXPECT_EQ(counted.at("rates").at(1), OrderedJson({{"service", "orders"},
                                                    {"event_type", "orders.order_placed"},
                                                    {"handler", "send_receipt"},
                                                    {"published", 0},
                                                    {"handled", 3},
                                                    {"failed", 0},
                                                    {"dead", 0},
                                                    {"slow", 1},
                                                    {"p50_ms", 2000.0},
                                                    {"p99_ms", 2000.0}}));
  EXPECT_EQ(counted.at("rates").at(0).at("published"), 3);
  EXPECT_TRUE(counted.at("rates").at(0).at("p50_ms").is_null());
  EXPECT_TRUE(call({"stats", "--json", "--unresolved"}).json().at("counted").is_null());
}

TEST_F(ReadingVerbsTest, MarkedLettersThatNobodyTakesAreNoticed) {
  execute("UPDATE dead_letters SET redrive_requested_at = (unixepoch() - 600) * 1000000 WHERE id = 1");
  EXPECT_THAT(call({"list"}).out, HasSubstr("waiting 10m"));
  EXPECT_THAT(call({"list"}).err, AllOf(HasSubstr("1 letter of service orders waits since "),
                                        HasSubstr(" to be delivered again: is it running? See ")));
  for (const char* page : {"charge_card", "nobody"}) {
    EXPECT_THAT(call({"list", "--handler", page}).err, HasSubstr("1 letter of service orders waits"));
  }
  EXPECT_THAT(call({"list", "--quiet"}).err, Not(HasSubstr("waits")));
  EXPECT_THAT(call({"show", "1"}).out, HasSubstr("not taken yet: is the service running?"));
  EXPECT_THAT(
      call({"doctor"}).out,
      HasSubstr("problem  1 letter for send_receipt (orders.order_placed) of service orders marked since"));
}

TEST_F(ReadingVerbsTest, ListSaysThatATimeIsInTheFuture) {
  EXPECT_THAT(call({"list", "--since", "2099-01-01"}).err, HasSubstr("--since is in the future."));
}

TEST_F(ReadingVerbsTest, ListSaysNothingOfLettersThatWereJustMarked) {
  execute("UPDATE dead_letters SET redrive_requested_at = (unixepoch() - 5) * 1000000");
  EXPECT_THAT(call({"list"}).err, Not(HasSubstr("to be delivered again")));
}

TEST_F(ReadingVerbsTest, ListNamesTheServiceThatWaitsLongest) {
  execute(
      "UPDATE dead_letters SET redrive_requested_at = id * 1000000;"
      "UPDATE dead_letters SET service = 'billing' WHERE id = 3");
  EXPECT_THAT(call({"list"}).err,
              AllOf(HasSubstr("2 letters of service orders wait since 1970-01-01 00:00:01"),
                    HasSubstr("So do letters of 1 other service.")));
}

TEST_F(ReadingVerbsTest, DoctorNoticesAServiceThatTakesNothingThoughAnotherIsAtWork) {
  std::string boot;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  execute(
      "UPDATE dead_letters SET redrive_requested_at = 1;"
      "UPDATE dead_letters SET service = 'billing', claimed_until = 9e15, claimed_by = '" +
      boot + "/1/a' WHERE id = 3");
  EXPECT_THAT(call({"doctor"}).out,
              HasSubstr("problem  2 letters for send_receipt (orders.order_placed) of service orders"));
  execute("UPDATE dead_letters SET service = 'orders'");
  EXPECT_THAT(call({"doctor"}).out, HasSubstr("ok       2 letters for send_receipt"));
}

TEST_F(ReadingVerbsTest, DoctorKeepsWhatIsToBeTypedWhole) {
  out_terminal_ = {true, 60, false};
  EXPECT_THAT(call({"doctor", "--db", database_}).out,
              HasSubstr("advice   see what fails:\n         dead-letters --db " + database_ + " groups\n"));
}

TEST_F(ReadingVerbsTest, DoctorSaysWhatIsWrongAndWhoChangedWhat) {
  EXPECT_EQ(call({"discard", "1", "--reason", "test"}).status, 0);
  execute(
      "UPDATE dead_letters SET redrive_requested_at = 1, claimed_by = 'gone/1/a', claimed_until = 1 WHERE id "
      "= 2");
  std::ofstream(database_ + ".spill.jsonl") << "{}\n";
  const auto answer = call({"doctor"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.out,
              AllOf(HasSubstr("ok       the file is sound (quick check)"),
                    HasSubstr("1 claim of a process that is gone"), HasSubstr("of letters wait in"),
                    HasSubstr("discard"), HasSubstr("{\"ids\":[1],\"resolved\":false}")));
}

TEST_F(ReadingVerbsTest, DoctorTakesASpillFileThatHoldsOnlyItsNameForEmpty) {
  std::ofstream(database_ + ".spill.jsonl")
      << "{\"tidings_spill\":1,\"token\":\"01a1ff1a-28cd-7748-b15d-6f8902545e12\"}\n";
  EXPECT_THAT(call({"doctor"}).out, HasSubstr("ok       no letters wait in spill files"));
}

TEST_F(ReadingVerbsTest, DoctorTellsOfAWalFileThatSomebodyHolds) {
  const auto service = deadletter::Store::open(database_);
  std::filesystem::resize_file(database_ + "-wal", 243UL * 1024 * 1024);  // sparse; behind what is committed
  const auto answer = call({"doctor"});
  EXPECT_THAT(answer.out, HasSubstr("problem  the -wal file has grown to 243.0 MiB"));
  EXPECT_EQ(call({"doctor", "--json"}).json()["wal_bytes"], 243UL * 1024 * 1024);
  EXPECT_EQ(call({"doctor", "--json"}).json()["network_file_system"], "");
}

TEST_F(ReadingVerbsTest, NothingToShowSaysSo) {
  database_ = make_database("empty.db");
  EXPECT_THAT(call({"list"}).err,
              HasSubstr("No unresolved letters. With --all, resolved ones are shown too."));
  EXPECT_THAT(call({"groups", "--handler", "x"}).err, HasSubstr("No unresolved letters match."));
  EXPECT_EQ(call({"list", "--quiet"}).err, "");
  EXPECT_EQ(call({"doctor"}).status, 0);
}

TEST_F(ReadingVerbsTest, ColoursOnlyWhereTheTerminalHasThem) {
  EXPECT_THAT(call({"list"}).out, Not(HasSubstr("\x1b")));
  out_terminal_ = {true, 80, true};
  EXPECT_THAT(call({"list"}).out, StartsWith("\x1b[1mLETTER"));
}

TEST(Columns, CutsAndWrapsByWhatTheTerminalShows) {
  EXPECT_EQ(tools::cut_to_width("abcdef", 6), "abcdef");
  EXPECT_EQ(tools::cut_to_width("abcdefg", 6), "abc...");
  EXPECT_EQ(tools::cut_to_width("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 4), "\xc3\xa9...");
  EXPECT_EQ(tools::cut_to_width("abcdefg", 2), "..");
  EXPECT_THAT(tools::wrap("one two three", 8), testing::ElementsAre("one two", "three"));
  EXPECT_THAT(tools::wrap("abcdefghij", 4), testing::ElementsAre("abcd", "efgh", "ij"));
  EXPECT_THAT(tools::wrap("", 4), testing::ElementsAre(""));
}

TEST_F(ReadingVerbsTest, HelpOfAVerbThatIsNoneIsAMistake) {
  EXPECT_EQ(call({"nosuchverb", "--help"}).status, 64);
  EXPECT_EQ(call({"list", "--help"}).status, 0);
  EXPECT_EQ(call({"--help"}).status, 0);
}

}  // namespace
}  // namespace tidings::dead_letters
