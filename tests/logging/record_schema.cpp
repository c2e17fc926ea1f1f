#include "logging/record_schema.hpp"

#include <gtest/gtest.h>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <cstdlib>
#include <fstream>
#include <map>

namespace tidings::test {

namespace {

constexpr int kLookedAt = 5;  // records of one name in one test

using valijson::adapters::NlohmannJsonAdapter;

Json document() {
  std::ifstream file(TIDINGS_RECORD_SCHEMA);
  return Json::parse(file);
}

const RecordSchema& record_schema() {
  static const RecordSchema schema;
  return schema;
}

std::string event_of(const std::string& line) {
  constexpr std::string_view kBefore = "\"event\":\"";
  const std::size_t begin = line.find(kBefore) + kBefore.size();
  return line.substr(begin, line.find('"', begin) - begin);
}

}  // namespace

struct RecordSchema::Parsed {
  Json json = document();
  valijson::Schema schema;

  Parsed() {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(NlohmannJsonAdapter(json), schema);
  }
};

RecordSchema::RecordSchema() : parsed_(std::make_unique<const Parsed>()) {}

RecordSchema::~RecordSchema() = default;

std::string RecordSchema::problems_of(const Json& record) const {
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  valijson::ValidationResults results;
  if (validator.validate(parsed_->schema, NlohmannJsonAdapter(record), &results)) return {};
  std::string problems;
  for (valijson::ValidationResults::Error error; results.popError(error);) {
    for (const std::string& part : error.context) problems += part;
    problems += ": " + error.description + "\n";
  }
  return problems + "in " + record.dump();
}

std::set<std::string> RecordSchema::names() const {
  std::set<std::string> names;
  for (const auto& [name, rules] : parsed_->json.at("definitions").at("events").items()) names.insert(name);
  return names;
}

void expect_documented_records(const logging::Capture& capture) {
  std::map<std::string, int> seen;
  for (const std::string& line : capture.lines()) {
    if (++seen[event_of(line)] > kLookedAt) continue;
    const std::string problems = record_schema().problems_of(Json::parse(line));
    EXPECT_EQ(problems, "") << "not as docs/schemas/log-record.schema.json says";
  }
  const char* notes = std::getenv("TIDINGS_SEEN_RECORDS");
  if (notes == nullptr) return;
  std::ofstream file(notes, std::ios::app);
  for (const auto& [name, times] : seen) file << name << '\n';
}

}  // namespace tidings::test
