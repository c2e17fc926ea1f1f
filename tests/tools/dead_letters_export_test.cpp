#include "contracts/sample_letter.hpp"
#include "dead_letters/letters_file.hpp"
#include "tools/dead_letters_fixture.hpp"

#include <tidings/bus.hpp>
#include <tidings/cloudevents.hpp>

#include <algorithm>

namespace tidings::dead_letters {
namespace {

using deadletter::StoredLetter;
using testing::HasSubstr;

StoredLetter stored(DeadLetter letter) {
  StoredLetter result;
  result.letter = std::move(letter);
  return result;
}

void expect_round_trip(const StoredLetter& original) {
  const std::string line = to_export_line(original);
  const auto restored = from_export_line(line);
  contract::expect_equal_letter(restored.letter, original.letter);
  EXPECT_EQ(restored.letter.metadata.causation_depth, original.letter.metadata.causation_depth);
  EXPECT_EQ(restored.letter.data.problem, original.letter.data.problem);
  EXPECT_EQ(restored.reprocessed_at, original.reprocessed_at);
  EXPECT_EQ(restored.resolution, original.resolution);
  EXPECT_EQ(restored.resolution_note, original.resolution_note);
  EXPECT_EQ(restored.edited_from, original.edited_from);
  EXPECT_EQ(to_export_line(restored), line);
  EXPECT_TRUE(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; }));
}

TEST(LettersFile, GivesBackEveryFieldExactly) {
  expect_round_trip(stored(contract::letter(1)));
  auto full = stored(contract::full_letter(2));
  full.reprocessed_at = Timestamp(std::chrono::microseconds(1'800'000'009'000'001));
  full.resolution = deadletter::Resolution::Discarded;
  full.resolution_note = "line\none \"two\"";
  full.edited_from = contract::event_id(7);
  expect_round_trip(full);
}

TEST(LettersFile, GivesBackTextsThatAreNotUtf8) {
  auto full = stored(contract::full_letter(1));
  full.letter.ordering_key = std::string("k\xff\x00\x80", 4);
  full.letter.error_message = "\xfe";
  expect_round_trip(full);
  EXPECT_EQ(from_export_line(to_export_line(full)).letter.ordering_key, full.letter.ordering_key);
}

TEST(LettersFile, GivesBackEveryKindOfPayloadExactly) {
  auto letter = contract::letter(1);
  for (const char* text : {R"({ "b" : 1.0e2, "a" : [1, 1] })", R"({"a":1,"a":2})", "null", "\"\"", "[]"}) {
    letter.data = {text, DataEncoding::Json, {}};
    expect_round_trip(stored(letter));
  }
  letter.data = encode_data({{"name", "\xff"}});
  ASSERT_EQ(letter.data.encoding, DataEncoding::Cbor);
  expect_round_trip(stored(letter));
  letter.data = {"", DataEncoding::None, "to_json threw"};
  expect_round_trip(stored(letter));
}

TEST(LettersFile, GivesBackContextFieldsWithTheirTypes) {
  auto letter = contract::letter(1);
  letter.metadata.fields = {{"zone", "a"}, {"user_id", 42}, {"vip", true}, {"deadletter", "mine"}};
  expect_round_trip(stored(letter));
}

TEST(LettersFile, EveryLineIsACloudEvent) {
  const auto event = parse_cloudevent(to_export_line(stored(contract::letter(5))));
  EXPECT_EQ(event.type, "orders.order_placed");
  EXPECT_EQ(event.data.at("order_id"), 5);
}

TEST(LettersFile, RefusesWhatExportDoesNotWrite) {
  const Json good = Json::parse(to_export_line(stored(contract::letter(1))));
  const auto refused = [&](const std::function<void(Json&, Json&)>& spoil) {
    Json line = good;
    Json facts = Json::parse(line.at("deadletter").get<std::string>());
    spoil(line, facts);
    if (line.contains("deadletter")) line["deadletter"] = facts.is_null() ? "no json" : facts.dump();
    EXPECT_THROW(static_cast<void>(from_export_line(line.dump())), Error) << line;
  };
  refused([](Json& line, Json&) { line.erase("deadletter"); });
  refused([](Json&, Json& facts) { facts = nullptr; });
  refused([](Json&, Json& facts) { facts["handler"] = "a b"; });
  refused([](Json&, Json& facts) { facts["error_fingerprint"] = "x"; });
  refused([](Json&, Json& facts) { facts["resolution"] = "reprocessed"; });
  refused([](Json&, Json& facts) { facts["reprocessed_at"] = 1, facts["resolution"] = "lost"; });
  refused([](Json&, Json& facts) { facts["attempts"] = "many"; });
  refused([](Json&, Json& facts) { facts["edited_from"] = 7; });
  refused([](Json&, Json& facts) { facts["letter_format"] = 2; });
  refused([](Json& line, Json&) { line.erase("correlationid"); });
  refused([](Json& line, Json&) { line.erase("data"); });
  refused([](Json& line, Json&) { line["id"] = "1"; });
}

class ExchangeTest : public DeadLettersTest {};

TEST_F(ExchangeTest, ImportTakesWhatExportWroteAndExportWritesItAgain) {
  EXPECT_EQ(call({"discard", "1", "--reason", "why"}).status, 0);
  EXPECT_EQ(call({"edit", "2", "--set", "/order_id=1"}).status, 0);
  const auto exported = call({"export"});
  EXPECT_EQ(exported.status, 0);
  EXPECT_EQ(std::count(exported.out.begin(), exported.out.end(), '\n'), 4);
  database_ = make_database("other.db");
  input_ = exported.out;
  const auto imported = call({"import", "-"});
  EXPECT_EQ(imported.status, 0) << imported.err;
  EXPECT_THAT(imported.out, HasSubstr("4 letters imported; 0 there already; 0 lines refused."));
  EXPECT_EQ(call({"export"}).out, exported.out);
}

TEST_F(ExchangeTest, ImportRefusesDuplicatesAndBadLinesOneByOne) {
  const auto exported = call({"export", "--handler", "charge_card"});
  auto fresh = letter_that_failed(std::chrono::seconds(1), "another");
  input_ = exported.out + "\n{\"broken\n" + to_export_line(stored(fresh)) + "\nno json\n";
  const auto look = call({"import", "-", "--dry-run"});
  EXPECT_EQ(look.status, 65);
  EXPECT_THAT(look.out, HasSubstr("1 letter would be imported; 1 there already; 2 lines refused."));
  EXPECT_EQ(unresolved(), 3);
  const auto answer = call({"import", "-"});
  EXPECT_EQ(answer.status, 65);
  EXPECT_THAT(answer.out, HasSubstr("1 letter imported; 1 there already; 2 lines refused."));
  EXPECT_THAT(answer.err, HasSubstr("line 1: its delivery has a letter already, 3; not imported"));
  EXPECT_THAT(answer.err, HasSubstr("line 3: "));
  EXPECT_EQ(unresolved(), 4);
}

TEST_F(ExchangeTest, ADryRunOfImportSeesWhatIsInTheFileTwice) {
  const auto exported = call({"export"});
  database_ = make_database("other.db");
  input_ = exported.out + exported.out;
  for (const char* done : {" would be imported", " imported"}) {
    std::vector<std::string> arguments = {"import", "-"};
    if (done != std::string(" imported")) arguments.emplace_back("-n");
    const auto answer = call(arguments);
    EXPECT_EQ(answer.status, 65);
    EXPECT_THAT(answer.out,
                HasSubstr("3 letters" + std::string(done) + "; 3 there already; 0 lines refused."));
  }
}

TEST_F(ExchangeTest, ImportSaysWhenNoLineIsALetter) {
  input_ = "no json\n{}\n";
  EXPECT_THAT(call({"import", "-"}).err, HasSubstr("none of its lines is a letter; give a file that"));
  input_ += call({"export"}).out;
  EXPECT_THAT(call({"import", "-"}).err, testing::Not(HasSubstr("none of its lines")));
}

/// As a bus writes down what nobody takes.
std::string unsaved_line(const DeadLetter& letter) {
  return R"({"advice":"keep this line","event":"dead_letter_unsaved","level":"critical","problem":"full","letter":)" +
         to_json_line(letter) + "}\n";
}

TEST_F(ExchangeTest, ImportTakesLettersThatWentToStandardErrorOutOfALog) {
  auto full = contract::full_letter(2);
  full.ordering_key = "a key";
  auto binary = contract::letter(3);
  binary.data = encode_data({{"name", "\xff"}});
  auto opted_out = contract::letter(4);
  opted_out.data = {"", DataEncoding::None, "not kept: its type opts out"};
  const std::vector<DeadLetter> letters = {full, binary, opted_out};
  input_ = "2026-11-21 03:00:00 WARN disk is full\n{\"event\":\"handler_failed\",\"level\":\"warning\"}\n";
  for (const auto& letter : letters) {
    input_ +=
        unsaved_line(letter) + R"({"event":"dead_letter_unsaved","level":"critical","handler":"h"})" + "\n";
  }
  database_ = make_database("other.db");
  const auto answer = call({"import", "-"});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_THAT(answer.out,
              HasSubstr("3 letters imported; 0 there already; 0 lines refused; 5 other lines of a log"));
  for (std::size_t i = 0; i < letters.size(); ++i) {
    contract::expect_equal_letter(reader().find(static_cast<std::int64_t>(i) + 1)->letter, letters[i]);
  }
  EXPECT_THAT(call({"import", "-"}).out, HasSubstr("0 letters imported; 3 there already"));
}

/// Takes no letter.
class FullSink final : public LetterSink {
 public:
  std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy) override {
    return {letters.size(), {LetterOutcome::Place::Unsaved, 0, "disk and spill file are full"}};
  }
  std::vector<std::string> dead_keys(std::string_view, std::string_view, std::string_view) override {
    return {};
  }
};

TEST_F(ExchangeTest, ImportTakesWhatABusWroteToStandardError) {
  testing::internal::CaptureStderr();
  {
    Bus bus({.service = "orders", .store = std::make_shared<FullSink>()});
    bus.subscribe("orders.order_placed", "charge_card", [](const Json&) { throw Permanent("declined"); })
        .keep();
    for (int number = 1; number <= 5; ++number) bus.publish("orders.order_placed", {{"order_id", number}});
  }
  input_ = testing::internal::GetCapturedStderr();
  database_ = make_database("other.db");
  const auto answer = call({"import", "-"});
  EXPECT_EQ(answer.status, 0) << answer.err << input_;
  EXPECT_EQ(reader().count({.handler = "charge_card", .resolved = false}), 5);
  EXPECT_EQ(Json::parse(reader().find(5)->letter.data.bytes).at("order_id"), 5);
}

TEST_F(ExchangeTest, ImportRefusesADamagedLetterFromStandardError) {
  const std::string line = unsaved_line(contract::letter(1));
  input_ = line.substr(0, line.size() / 2) + "\n" + unsaved_line(contract::letter(2));
  const auto answer = call({"import", "-", "--json"});
  EXPECT_EQ(answer.status, 65);
  EXPECT_EQ(answer.json().at("letters"), 1);
  EXPECT_EQ(answer.json().at("refused"), 1);
}

TEST_F(ExchangeTest, ALogWithoutLettersIsNoFileToImport) {
  input_ = "{\"event\":\"bus_started\",\"level\":\"info\"}\nstarted\n";
  const auto answer = call({"import", "-"});
  EXPECT_EQ(answer.status, 65);
  EXPECT_THAT(answer.err, HasSubstr("none of its lines is a letter"));
}

TEST_F(ExchangeTest, ExportOfNothingSaysSo) {
  EXPECT_THAT(call({"export"}).err, HasSubstr("3 letters exported. To take them in elsewhere: "));
  EXPECT_EQ(call({"export", "--handler", "nobody"}).err, "0 letters exported.\n");
}

TEST_F(ExchangeTest, ExportWritesToANewFileOnly) {
  EXPECT_EQ(call({"export", "-o", path("letters")}).status, 0);
  EXPECT_EQ(call({"export", "-o", path("letters")}).status, 73);
  EXPECT_EQ(std::filesystem::status(path("letters")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(call({"export", "--db", path("none.db"), "-o", path("nothing")}).status, 66);
  EXPECT_FALSE(std::filesystem::exists(path("nothing")));
  EXPECT_EQ(call({"export", "-o", path("no/folder")}).status, 73);
  EXPECT_EQ(call({"import", path("none")}).status, 66);
  EXPECT_EQ(call({"import", path(".")}).status, 66);
}

/// Whatever writes a file: none of them is pointed at what a service keeps beside its database.
TEST_F(ExchangeTest, NoVerbMakesAFileOfTheDatabase) {
  for (const char* suffix : {"-journal", ".owner", ".spill.jsonl", ".spill.jsonl.rejected.jsonl"}) {
    const std::string target = database_ + suffix;
    std::filesystem::remove(target);
    for (const auto& command : std::vector<std::vector<std::string>>{{"export", "-o", target},
                                                                     {"backup", target},
                                                                     {"backup", "--dry-run", target},
                                                                     {"recover", database_, "-o", target}}) {
      const auto answer = call(command);
      EXPECT_EQ(answer.status, 73) << command.front() << target;
      EXPECT_THAT(answer.err, HasSubstr("a file of the database itself; give another path"));
      EXPECT_FALSE(std::filesystem::exists(target));
    }
  }
  const std::string backup = path("backup.db");
  EXPECT_EQ(call({"backup", backup}).status, 0);
  const auto restored = call({"restore", "--db", database_ + ".owner", backup});
  EXPECT_THAT(restored.err, HasSubstr("that is a file of the database " + database_));
  EXPECT_FALSE(std::filesystem::exists(database_ + ".owner"));
}

}  // namespace
}  // namespace tidings::dead_letters
