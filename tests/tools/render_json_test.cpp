#include "check_dead_letters/render_json.hpp"

#include "tools/project_files.hpp"
#include "tools/report_fixture.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::minutes;

Report full_report() {
  Answer answer = answer_of("orders.db", 7);
  answer.facts.groups = {group_of(4, "timeout")};
  answer.facts.newest = {letter_of(23, minutes(3))};
  answer.facts.unserved = {unserved_of("ship")};
  return report_of({answer, failed_answer_of("gone.db")}, {.critical = Range(10)}, 3);
}

constexpr const char* kHead =
    R"json({"version":1,"state":"WARNING","exit_status":1,"summary":"7 unresolved in the last 1h (oldest 42m)",)json"
    R"json("checked_at":"2026-01-01T00:00:00.000000Z",)json"
    R"json("selection":{"window_seconds":3600,"since":"2025-12-31T23:00:00.000000Z","event_type":null,"handler":null,)json"
    R"json("service":null},"thresholds":{"warning":"0","critical":"10","oldest_warning":null,"oldest_critical":null},)json"
    R"json("problems":[],"databases":[)json";
constexpr const char* kDatabase =
    R"({"path":"orders.db","label":"orders.db","state":"WARNING","reasons":["unresolved_warning"],"error":null,"unresolved_in_window":7,)"
    R"("unresolved":7,"oldest":{"id":17,"event_id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f",)"
    R"("event_type":"orders.order_placed","handler":"send_receipt","service":"orders","error_type":"SmtpTimeout",)"
    R"("correlation_id":"request-7","failed_at":"2025-12-31T23:18:00.000000Z","age_seconds":2520},)"
    R"("spill":{"path":"orders.db.spill.jsonl","bytes":0},"database_bytes":4096,"wal_bytes":8192,)"
    R"("journal":{"events":0,"exact":true,"oldest_published_at":null,"oldest_age_seconds":null},)"
    R"("unserved_handlers":[],"more_unserved_handlers":false)";
constexpr const char* kGroup =
    R"({"fingerprint":"00c0ffee00c0ffee","event_type":"orders.order_placed","event_types":1,"handler":"send_receipt","service":"orders",)"
    R"("error_type":"SmtpTimeout","count":4,"first_failed_at":"2025-12-31T23:18:00.000000Z",)"
    R"("last_failed_at":"2025-12-31T23:57:00.000000Z","newest_letter":19)";

std::string render(int verbosity) {
  Report report = full_report();
  report.databases.pop_back();
  JudgedAnswer& database = report.databases[0];
  database.answer.facts.unserved.clear();
  database.answer.facts.sizes = {4096, 8192};
  database.verdict = judge(database.answer, report.thresholds, kNow);
  report.verbosity = verbosity;
  return render_json(report);
}

TEST(RenderJson, IsOneObjectOnOneLine) { EXPECT_EQ(render(0), std::string(kHead) + kDatabase + "}]}\n"); }

TEST(RenderJson, VerboseAddsTheCauses) {
  EXPECT_EQ(render(1), std::string(kHead) + kDatabase + R"(,"groups":[)" + kGroup +
                           R"(}],"more_groups":false}]})" + "\n");
}

TEST(RenderJson, VeryVerboseAddsSampleErrors) {
  EXPECT_EQ(render(2), std::string(kHead) + kDatabase + R"(,"groups":[)" + kGroup +
                           R"(,"sample_error":"timeout"}],"more_groups":false}]})" + "\n");
}

TEST(RenderJson, MostVerboseAddsTheNewestLetters) {
  const auto json = nlohmann::json::parse(render(3));
  EXPECT_EQ(json["databases"][0]["newest"][0]["id"], 23);
  EXPECT_EQ(json["databases"][0]["newest"][0]["age_seconds"], 180);
}

TEST(RenderJson, FailingDatabaseHasAnErrorAndNoNumbers) {
  const auto json = nlohmann::json::parse(render_json(report_of({failed_answer_of("gone.db")})));
  EXPECT_EQ(
      json["databases"][0].dump(),
      R"({"error":{"code":"database_unusable","message":"gone.db does not exist; check the path"},"label":"gone.db","path":"gone.db",)"
      R"("reasons":["check_failed"],"state":"UNKNOWN"})");
}

TEST(RenderJson, HasTheJournalAndHandlersThatNobodyServes) {
  Answer answer = answer_of("orders.db", 0);
  answer.facts.journal = {12'345, false, kNow - minutes(2)};
  answer.facts.unserved = {unserved_of("ship")};
  const auto json = nlohmann::json::parse(render_json(report_of({answer})))["databases"][0];
  EXPECT_EQ(json["reasons"].dump(), R"(["handlers_unserved"])");
  EXPECT_EQ(
      json["journal"].dump(),
      R"({"events":12345,"exact":false,"oldest_age_seconds":120,"oldest_published_at":"2025-12-31T23:58:00.000000Z"})");
  EXPECT_EQ(json["unserved_handlers"].dump(),
            R"([{"event_type":"orders.order_placed","handler":"ship","owed":5,"service":"orders",)"
            R"("since":"2025-12-31T23:00:00.000000Z"}])");
}

TEST(RenderJson, WhatIsNotKnownIsNull) {
  const Answer answer = answer_of("orders.db", 0);
  const auto json = nlohmann::json::parse(render_json(report_of({answer})));
  EXPECT_TRUE(json["databases"][0]["oldest"].is_null());
}

TEST(RenderJson, HostileTextStaysInsideAsciiStrings) {
  Report report = full_report();
  report.databases[0].answer.facts.groups[0].sample_error = "\xff\n\x1b ü \"}";
  report.problems.push_back("\xfe");
  const std::string text = render_json(report);
  for (const char c : text.substr(0, text.size() - 1))
    EXPECT_TRUE(c >= ' ' && c <= '~') << static_cast<int>(c);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["databases"][0]["groups"][0]["sample_error"], "\xef\xbf\xbd\n\x1b ü \"}");
}

TEST(RenderJson, UsageErrorIsAnUnknownWithoutDatabases) {
  EXPECT_EQ(
      render_usage_error_json("--since: bad"),
      R"({"version":1,"state":"UNKNOWN","exit_status":3,"summary":"--since: bad","problems":["--since: bad"],)"
      R"("databases":[]})"
      "\n");
}

/// Every key at any depth.
void collect_keys(const nlohmann::json& json, std::set<std::string>& keys) {
  for (const auto& [key, value] : json.items()) {
    if (json.is_object()) keys.insert(key);
    if (value.is_structured()) collect_keys(value, keys);
  }
}

TEST(RenderJson, GuideDocumentsEveryKeyAndTheVersion) {
  const std::string guide = project_file("docs/json-output.md");
  std::set<std::string> keys;
  collect_keys(nlohmann::json::parse(render_json(full_report())), keys);
  EXPECT_GE(keys.size(), 30U);
  for (const std::string& key : keys) EXPECT_NE(guide.find("| `" + key + "` |"), std::string::npos) << key;
  EXPECT_NE(guide.find("Version " + std::to_string(kJsonVersion)), std::string::npos);
}

TEST(RenderJson, GuideDocumentsNoKeyThatDoesNotExist) {
  const std::string guide = project_file("docs/json-output.md");
  std::set<std::string> keys;
  collect_keys(nlohmann::json::parse(render_json(full_report())), keys);
  std::size_t rows = 0;
  for (std::size_t at = guide.find("\n| `"); at != std::string::npos; at = guide.find("\n| `", at + 1)) {
    const std::size_t start = at + 4;
    const std::string key = guide.substr(start, guide.find('`', start) - start);
    EXPECT_TRUE(keys.contains(key)) << key;
    ++rows;
  }
  EXPECT_GE(rows, keys.size());
}

}  // namespace
}  // namespace tidings::check_dead_letters
