#include "dead_letters/raw_command_line.hpp"
#include "tools/dead_letters_fixture.hpp"
#include "tools/project_files.hpp"

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace tidings::dead_letters {
namespace {

using check_dead_letters::project_file;
using testing::HasSubstr;

/// Keys and their types, as docs/cli-json.md lists them in the table of a section.
using Schema = std::map<std::string, std::string>;

Schema section(const std::string& title) {
  std::istringstream document(project_file("docs/cli-json.md"));
  Schema schema;
  bool inside = false;
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("## ")) inside = line == "## " + title;
    if (!inside || !line.starts_with("| `")) continue;
    const auto key_end = line.find('`', 3);
    const auto type_begin = line.find("| ", key_end) + 2;
    schema[line.substr(3, key_end - 3)] = line.substr(type_begin, line.find(" |", type_begin) - type_begin);
  }
  return schema;
}

/// With `letter` and `group` replaced by their keys.
Schema documented(const std::string& title) {
  Schema whole;
  for (const auto& [key, type] : section(title)) {
    if (type != "letter" && type != "group") {
      whole[key] = type;
      continue;
    }
    whole[key] = "object";
    for (const auto& [inner, inner_type] : section("a " + type)) whole[key + "." + inner] = inner_type;
  }
  return whole;
}

std::string type_of(const OrderedJson& json) {
  if (json.is_null()) return "null";
  return json.type_name();
}

bool fits(const std::string& type, const std::string& wanted) {
  if (type == wanted || (type == "null" && wanted.ends_with(" or null"))) return true;
  if (wanted == "array of strings") return type == "array";
  if (wanted.starts_with("CloudEvent")) return type == "object";
  return wanted == type + " or null";
}

/// Compares what was printed with the document, in both directions.
class Comparison {
 public:
  explicit Comparison(Schema schema) : schema_(std::move(schema)) {}

  void compare(const OrderedJson& object, const std::string& prefix = "") {
    for (const auto& [name, value] : object.items()) {
      if (prefix.empty() && (name == "version" || name == "verb")) continue;
      compare_value(value, prefix + name);
    }
  }
  /// Documented keys that were never printed.
  [[nodiscard]] std::set<std::string> missing() const {
    std::set<std::string> keys;
    for (const auto& [key, type] : schema_) {
      if (!seen_.contains(key)) keys.insert(key);
    }
    return keys;
  }

 private:
  void compare_value(const OrderedJson& value, const std::string& key) {
    const auto found = schema_.find(key);
    // The elements of an array of objects are documented by their keys alone.
    const auto below = schema_.lower_bound(key + ".");
    if (value.is_object() && key.ends_with("[]") && below != schema_.end() &&
        below->first.starts_with(key + ".")) {
      seen_.insert(key);
      return compare(value, key + ".");
    }
    if (found == schema_.end()) {
      ADD_FAILURE() << key << " is not documented";
      return;
    }
    seen_.insert(key);
    EXPECT_TRUE(fits(type_of(value), found->second))
        << key << " is " << type_of(value) << ", not " << found->second;
    if (found->second == "array of strings" || found->second.starts_with("CloudEvent")) return;
    if (value.is_object()) compare(value, key + ".");
    if (!value.is_array()) return;
    for (const auto& element : value) compare_value(element, key + "[]");
  }

  Schema schema_;
  std::set<std::string> seen_;
};

class JsonDocumentTest : public DeadLettersTest {
 protected:
  void expect_as_documented(const std::string& title, std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const auto answer = call(arguments);
    ASSERT_FALSE(answer.out.empty()) << answer.err;
    const auto json = answer.json();
    EXPECT_EQ(json.at("version"), 1);
    EXPECT_EQ(json.at("verb"), arguments[0]);
    Comparison comparison(documented(title));
    comparison.compare(json);
    EXPECT_THAT(comparison.missing(), testing::IsEmpty()) << arguments[0];
  }
};

TEST_F(JsonDocumentTest, HoldsForVerbsThatRead) {
  expect_as_documented("list", {"list", "--limit", "1"});
  expect_as_documented("groups", {"groups"});
  expect_as_documented("groups --by", {"groups", "--by", "tenant"});
  expect_as_documented("show", {"show", "3"});
  execute(
      "INSERT INTO tidings_journal (id, event_id, event_type, schema_version, event_data, data_encoding,"
      " attributes, source, service, correlation_id, causation_depth, published_at, handlers) VALUES (7,"
      " '019a0000-0000-7000-8000-000000000001', 't', 1, '{}', 'json', '{}', '/p', 'orders', 'request-7', 1, "
      "1,"
      " json_array('pack'))");
  expect_as_documented("trace", {"trace", "request-7"});
  count_deliveries();
  expect_as_documented("stats", {"stats"});
}

TEST_F(JsonDocumentTest, HoldsForDryRuns) {
  expect_as_documented("a dry run", {"retry", "--all", "-n"});
  expect_as_documented("a dry run", {"discard", "--all", "-n"});
  EXPECT_EQ(call({"discard", "2"}).status, 0);
  expect_as_documented("a dry run", {"undo", "--all", "-n"});
  expect_as_documented("a dry run", {"purge", "--older-than", "0s", "-n"});
  expect_as_documented("a dry run", {"purge", "--unresolved", "-n"});
  expect_as_documented("a dry run of erase", {"erase", "1", "-n"});
  expect_as_documented("edit", {"edit", "1", "--set", "/order_id=5", "-n"});
  expect_as_documented("backup", {"backup", path("copy.db"), "-n"});
  EXPECT_EQ(call({"backup", path("copy.db")}).status, 0);
  expect_as_documented("restore", {"restore", path("copy.db"), "-n"});
}

TEST_F(JsonDocumentTest, HoldsForVerbsThatChange) {
  execute(
      "CREATE TRIGGER served AFTER UPDATE OF letters ON tidings_redrives BEGIN UPDATE tidings_redrives SET"
      " state = 'finished', failed = 1 WHERE id = new.id; UPDATE dead_letters SET redrive_requested_at ="
      " NULL WHERE redrive_id = new.id; END");
  expect_as_documented("retry", {"retry", "1", "--wait"});
  expect_as_documented("discard", {"discard", "1"});
  expect_as_documented("discard", {"undo", "1"});
  expect_as_documented("discard", {"purge"});
  expect_as_documented("edit", {"edit", "1", "--set", "/order_id=5"});
  expect_as_documented("export", {"export", "-o", path("letters.ndjson")});
  expect_as_documented("import", {"import", path("letters.ndjson")});
  expect_as_documented("backup", {"backup", path("copy.db")});
  expect_as_documented("erase", {"erase", "2", "--yes"});
  expect_as_documented("new-key", {"new-key", path("keys")});
  execute("UPDATE dead_letters SET data_encoding = 'encrypted' WHERE id = 1");
  expect_as_documented("rekey", {"rekey", "--key-file", path("keys")});
}

TEST_F(JsonDocumentTest, HoldsForARescue) {
  EXPECT_EQ(call({"backup", path("copy.db")}).status, 0);
  std::string content = check_dead_letters::read_file(database_);
  // Only an index knows of the letters then.
  const auto page = std::stoul(SqliteConnection(database_).text(
      "SELECT pageno FROM dbstat WHERE name = 'dead_letters' AND pagetype = 'leaf'"));
  std::ofstream(database_, std::ios::binary) << content.replace((page - 1) * 4096, 4096, 4096, '\0');
  expect_as_documented("recover", {"recover", "-o", path("recovered.db")});
  expect_as_documented("restore", {"restore", path("copy.db")});
}

TEST_F(JsonDocumentTest, HoldsForTheDoctor) {
  execute(
      "UPDATE dead_letters SET redrive_requested_at = 1 WHERE id = 1;"
      "INSERT INTO tidings_redrives VALUES (1, 1, 'ann@desk', NULL, NULL, NULL, 1, 0, 0, 'open', NULL);"
      "UPDATE dead_letters SET data_encoding = 'encrypted' WHERE id = 2;"
      "INSERT INTO tidings_unserved_handlers VALUES ('orders', 't', 'h', 1, 1);"
      "INSERT INTO tidings_audit VALUES (1, 1, 'ann', 'desk', 'discard', '{}', 1, NULL, NULL)");
  std::ofstream(database_ + ".spill.jsonl") << "{}\n";
  expect_as_documented("doctor", {"doctor"});
}

TEST_F(JsonDocumentTest, HoldsForErrors) {
  const auto error = call({"show", "99", "--json"}).json();
  Comparison comparison(documented("errors"));
  comparison.compare(error);
  EXPECT_THAT(comparison.missing(), testing::IsEmpty());
  EXPECT_FALSE(error.contains("verb"));
}

/// The long options in the list of a verb's help, and -n, -o, -q, -y beside them.
std::set<std::string> options_in_help(const std::string& verb) {
  std::vector<std::string> arguments = {"--help"};
  if (!verb.empty()) arguments.insert(arguments.begin(), verb);
  std::istringstream help(std::get<Information>(parse_raw(arguments)).text);
  std::set<std::string> options;
  for (std::string line; std::getline(help, line);) {
    if (!line.starts_with("  -")) continue;
    std::istringstream names(line.substr(0, line.find(' ', 2)));
    for (std::string name; std::getline(names, name, ',');) options.insert(name.substr(name.find('-')));
  }
  return options;
}

std::string manual_without_escapes() {
  std::string text = project_file("docs/man/dead-letters.1");
  std::erase(text, '\\');
  return text;
}

TEST(DeadLettersManual, HasEveryVerbAndOptionOfTheHelp) {
  const std::string manual = manual_without_escapes();
  for (const auto& verb : verb_names()) {
    EXPECT_THAT(manual, HasSubstr("\n.TP\n.B " + verb + "\n"));
    for (const auto& option : options_in_help(verb)) EXPECT_THAT(manual, HasSubstr(option)) << verb;
  }
  for (const auto& option : options_in_help("")) EXPECT_THAT(manual, HasSubstr(option));
}

TEST(DeadLettersManual, GuideNamesEveryVerb) {
  const std::string guide = project_file("docs/dead-letters.md");
  for (const auto& verb : verb_names()) EXPECT_THAT(guide, HasSubstr("`" + verb));
}

TEST(DeadLettersCompletion, OffersEveryVerbWithItsOptions) {
  const std::string script = project_file("completions/dead-letters.bash");
  const auto filters_begin = script.find("filters=\"") + 9;
  const std::string filters = script.substr(filters_begin, script.find('"', filters_begin) - filters_begin);
  for (const auto& verb : verb_names()) {
    EXPECT_THAT(script, HasSubstr(verb + " "));
    const auto at = script.find("        " + verb + ")");
    if (at == std::string::npos) {
      ADD_FAILURE() << verb;
      continue;
    }
    std::string offered = script.substr(at, script.find(";;", at) - at) + " ";
    if (offered.find("$filters") != std::string::npos) offered += filters;
    offered += " --help -h ";
    for (const auto& option : options_in_help(verb)) EXPECT_THAT(offered, HasSubstr(option)) << verb;
  }
}

TEST(DeadLettersCompletion, TakesNoFileNameForTheVerb) {
  const check_dead_letters::TemporaryFolder folder;
  std::ofstream(folder.path("script")) << project_file("completions/dead-letters.bash") << R"(
COMP_WORDS=(dead-letters --db list gr)
COMP_CWORD=3
_dead_letters dead-letters gr list
[ "${COMPREPLY[*]}" = groups ]
)";
  EXPECT_EQ(std::system(("bash " + folder.path("script")).c_str()), 0);
}

}  // namespace
}  // namespace tidings::dead_letters
