#include "dead_letters/letters_file.hpp"

#include "dead_letters/letter_view.hpp"

#include <tidings/cloudevents.hpp>
#include <tidings/detail/parse_json.hpp>
#include <tidings/error.hpp>

#include <nlohmann/json.hpp>

#include <utility>

namespace tidings::dead_letters {
namespace {

constexpr const char* kFacts = "deadletter";
/// The log record in which a bus writes a letter that neither database nor spill file takes.
constexpr const char* kUnsaved = "dead_letter_unsaved";

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(ErrorCode::NotDecodable, "not an exported letter: " + problem);
}

/// The payload's text only where the envelope does not give the same bytes back.
bool is_restored_exactly(const EncodedData& data) {
  if (data.encoding == DataEncoding::Encrypted || data.encoding == DataEncoding::Masked) return false;
  if (data.encoding != DataEncoding::Json) return true;
  return encode_data(decode_data(data.bytes, data.encoding)).bytes == data.bytes;
}

void add_resolution(Json& facts, const deadletter::StoredLetter& stored) {
  if (stored.reprocessed_at) facts["reprocessed_at"] = stored.reprocessed_at->time_since_epoch().count();
  if (stored.resolution) facts["resolution"] = deadletter::to_string(*stored.resolution);
  if (!stored.resolution_note.empty()) facts["resolution_note"] = stored.resolution_note;
  if (stored.edited_from) facts["edited_from"] = stored.edited_from->to_string();
}

/// The facts that are not in the envelope.
Json facts_of(const deadletter::StoredLetter& stored) {
  const DeadLetter& letter = stored.letter;
  Json facts = tidings::detail::parse_json(to_json_line(letter));
  const bool keeps_data = !is_restored_exactly(letter.data);
  for (const char* name :
       {"event_type", "schema_version", "event_id", "correlation_id", "causation_id", "traceparent",
        "tracestate", "published_at", "source", "foreign_id", "foreign_id_base64"}) {
    facts.erase(name);
  }
  // The envelope has the fields, unless one of them has the name of these facts.
  if (letter.metadata.fields.find(kFacts) == nullptr) facts.erase("attributes");
  if (!keeps_data) {
    facts.erase("event_data");
    facts.erase("event_data_base64");
  }
  add_resolution(facts, stored);
  return facts;
}

/// Removes the field with the facts from the others and returns it.
Json take_facts(ContextFields& fields) {
  const ContextValue* found = fields.find(kFacts);
  if (found == nullptr) refuse("it has no attribute \"deadletter\"; import takes what export wrote");
  auto facts = found->text() == nullptr ? std::nullopt : tidings::detail::find_json(*found->text());
  if (!facts || !facts->is_object()) refuse("its attribute \"deadletter\" is not a JSON object");
  fields = fields.without(kFacts);
  return *std::move(facts);
}

/// A letter's line for parse_json_line, which checks every fact. The values of the envelope are filled in
/// afterwards.
DeadLetter letter_of(Json facts, const CloudEvent& event) {
  facts["event_type"] = event.type;
  facts["schema_version"] = event.schema_version;
  facts["event_id"] = event.metadata.event_id.to_string();
  for (const char* name : {"correlation_id", "causation_id", "traceparent"}) facts[name] = nullptr;
  facts["tracestate"] = "";
  facts["source"] = "";
  facts["published_at"] = 0;
  const bool has_data = facts.contains("event_data") || facts.contains("event_data_base64");
  const bool has_attributes = facts.contains("attributes");
  if (!has_data) facts["event_data"] = "";
  if (!has_attributes) facts["attributes"] = Json::array();
  DeadLetter letter = parse_json_line(facts.dump(-1, ' ', true));
  const auto depth = letter.metadata.causation_depth;
  ContextFields fields = has_attributes ? letter.metadata.fields : event.metadata.fields;
  letter.metadata = event.metadata;
  letter.metadata.fields = std::move(fields);
  letter.metadata.causation_depth = depth;
  if (has_data || letter.data.encoding == DataEncoding::None) return letter;
  letter.data.bytes = event.has_binary ? event.binary : encode_data(event.data).bytes;
  return letter;
}

void require_names(const DeadLetter& letter) {
  if (!is_valid_name(letter.event_type) || !is_valid_name(letter.service) ||
      (!letter.handler.empty() && !is_valid_name(letter.handler))) {
    refuse(
        "its type, service and handler must be 1 to 200 visible ASCII characters without quotes and "
        "backslash");
  }
  if (letter.error_fingerprint.size() != 16 ||
      letter.error_fingerprint.find_first_not_of("0123456789abcdef") != std::string::npos) {
    refuse("its error_fingerprint must be 16 characters of 0-9 and a-f");
  }
}

void require_consistent(const DeadLetter& letter, const CloudEvent& event) {
  require_names(letter);
  if (letter.metadata.event_id.is_nil()) refuse("its id is not tidings' own, and it has no tidingsid");
  if (letter.metadata.correlation_id.empty()) refuse("it has no correlationid");
  if (letter.data.encoding == DataEncoding::Cbor && !event.has_binary) refuse("its data_base64 is missing");
  if (letter.data.encoding == DataEncoding::Json && event.data.is_discarded() && letter.data.bytes.empty()) {
    refuse("its data is missing");
  }
}

void read_resolution(const Json& facts, deadletter::StoredLetter& stored) {
  if (facts.contains("reprocessed_at") != facts.contains("resolution")) {
    refuse("reprocessed_at and resolution belong together");
  }
  if (facts.contains("resolution")) {
    stored.reprocessed_at =
        Timestamp(std::chrono::microseconds(facts.at("reprocessed_at").get<std::int64_t>()));
    stored.resolution = deadletter::parse_resolution(facts.at("resolution").get<std::string>());
    if (!stored.resolution) refuse("its resolution has a value that tidings does not know");
  }
  stored.resolution_note = facts.value("resolution_note", "");
  if (!facts.contains("edited_from")) return;
  stored.edited_from = EventId::parse(facts.at("edited_from").get<std::string>());
  if (!stored.edited_from) refuse("its edited_from is not an event id");
}

}  // namespace

std::string to_export_line(const deadletter::StoredLetter& stored) try {
  Json envelope = envelope_of(stored.letter);
  envelope[kFacts] = facts_of(stored).dump(-1, ' ', true);
  return envelope.dump(-1, ' ', true);
} catch (const Json::exception& error) {
  throw Error(ErrorCode::NotEncodable, std::string("it cannot be written as JSON: ") + error.what());
}

deadletter::StoredLetter from_export_line(std::string_view line) try {
  CloudEvent event = parse_cloudevent(line);
  const Json facts = take_facts(event.metadata.fields);
  deadletter::StoredLetter stored;
  stored.letter = letter_of(facts, event);
  require_consistent(stored.letter, event);
  read_resolution(facts, stored);
  return stored;
} catch (const Json::exception&) {
  refuse("a fact has another type than export writes");
}

LineKind kind_of_line(std::string_view line) {
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos || line[begin] != '{') return LineKind::Text;
  // An exported letter is not parsed twice.
  if (line.find("\"specversion\"") != std::string_view::npos && line.find(kUnsaved) == std::string_view::npos)
    return LineKind::Exported;
  const auto record = tidings::detail::find_json(line);
  if (!record || !record->is_object() || record->contains("specversion")) return LineKind::Exported;
  const auto event = record->find("event");
  if (event == record->end() || !event->is_string()) return LineKind::Exported;
  const bool has_letter = *event == kUnsaved && record->contains("letter");
  return has_letter ? LineKind::Unsaved : LineKind::LogRecord;
}

deadletter::StoredLetter from_unsaved_line(std::string_view line) try {
  deadletter::StoredLetter stored;
  stored.letter = parse_json_line(tidings::detail::parse_json(line).at("letter").dump(-1, ' ', true));
  require_names(stored.letter);
  return stored;
} catch (const Json::exception&) {
  throw Error(ErrorCode::NotDecodable, "not a letter from standard error: its JSON is damaged");
}

}  // namespace tidings::dead_letters
