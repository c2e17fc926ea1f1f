#pragma once

#include <tidings/event.hpp>
#include <tidings/logging/capture.hpp>

#include <memory>
#include <set>
#include <string>

namespace tidings::test {

/// docs/schemas/log-record.schema.json, read by a validator that knows nothing of tidings. Thread-safe.
class RecordSchema {
 public:
  RecordSchema();
  RecordSchema(const RecordSchema&) = delete;
  RecordSchema& operator=(const RecordSchema&) = delete;
  ~RecordSchema();

  /// What is wrong with a record; empty if it is as documented.
  [[nodiscard]] std::string problems_of(const Json& record) const;
  /// The names of records that it says something about.
  [[nodiscard]] std::set<std::string> names() const;

 private:
  struct Parsed;
  std::unique_ptr<const Parsed> parsed_;
};

/// Fails the test unless all records are as documented; of a name that occurs often the first few are looked
/// at. Notes their names in the file that the environment variable TIDINGS_SEEN_RECORDS names.
void expect_documented_records(const logging::Capture& capture);

}  // namespace tidings::test
