#include "check_dead_letters/facts.hpp"

#include <tidings/error.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <system_error>

namespace tidings::check_dead_letters {
namespace {

std::int64_t microseconds(Timestamp time) { return time.time_since_epoch().count(); }
Timestamp timestamp(const Json& json) {
  return Timestamp(std::chrono::microseconds(json.get<std::int64_t>()));
}

Json letter_to_json(const LetterFacts& letter) {
  return {{"id", letter.id},
          {"event_type", letter.event_type},
          {"handler", letter.handler},
          {"service", letter.service},
          {"error_type", letter.error_type},
          {"event_id", letter.event_id},
          {"correlation_id", letter.correlation_id},
          {"failed_at", microseconds(letter.failed_at)}};
}

LetterFacts letter_from_json(const Json& json) {
  return {.id = json.at("id").get<std::int64_t>(),
          .event_type = json.at("event_type").get<std::string>(),
          .handler = json.at("handler").get<std::string>(),
          .service = json.at("service").get<std::string>(),
          .error_type = json.at("error_type").get<std::string>(),
          .event_id = json.at("event_id").get<std::string>(),
          .correlation_id = json.at("correlation_id").get<std::string>(),
          .failed_at = timestamp(json.at("failed_at"))};
}

Json group_to_json(const deadletter::Group& group) {
  return {{"fingerprint", group.fingerprint},
          {"event_type", group.event_type},
          {"event_types", group.event_types},
          {"handler", group.handler},
          {"service", group.service},
          {"error_type", group.error_type},
          {"sample_error", group.sample_error},
          {"newest_id", group.newest_id},
          {"count", group.count},
          {"first_failed_at", microseconds(group.first_failed_at)},
          {"last_failed_at", microseconds(group.last_failed_at)}};
}

deadletter::Group group_from_json(const Json& json) {
  return {.fingerprint = json.at("fingerprint").get<std::string>(),
          .event_type = json.at("event_type").get<std::string>(),
          .event_types = json.at("event_types").get<std::int64_t>(),
          .handler = json.at("handler").get<std::string>(),
          .service = json.at("service").get<std::string>(),
          .error_type = json.at("error_type").get<std::string>(),
          .sample_error = json.at("sample_error").get<std::string>(),
          .newest_id = json.at("newest_id").get<std::int64_t>(),
          .count = json.at("count").get<std::int64_t>(),
          .first_failed_at = timestamp(json.at("first_failed_at")),
          .last_failed_at = timestamp(json.at("last_failed_at"))};
}

Json journal_to_json(const deadletter::JournalBacklog& journal) {
  Json json = {{"events", journal.events}, {"exact", journal.exact}};
  if (journal.oldest_published_at) json["oldest_published_at"] = microseconds(*journal.oldest_published_at);
  return json;
}

deadletter::JournalBacklog journal_from_json(const Json& json) {
  deadletter::JournalBacklog journal;
  journal.events = json.at("events").get<std::int64_t>();
  journal.exact = json.at("exact").get<bool>();
  if (json.contains("oldest_published_at")) {
    journal.oldest_published_at = timestamp(json.at("oldest_published_at"));
  }
  return journal;
}

Json unserved_to_json(const deadletter::UnservedHandler& handler) {
  return {{"service", handler.service},
          {"event_type", handler.event_type},
          {"handler", handler.handler},
          {"owed", handler.owed},
          {"since", microseconds(handler.since)}};
}

deadletter::UnservedHandler unserved_from_json(const Json& json) {
  return {.service = json.at("service").get<std::string>(),
          .event_type = json.at("event_type").get<std::string>(),
          .handler = json.at("handler").get<std::string>(),
          .owed = json.at("owed").get<std::int64_t>(),
          .since = timestamp(json.at("since"))};
}

Json facts_to_json(const DatabaseFacts& facts) {
  Json json = {{"unresolved_in_window", facts.unresolved_in_window},
               {"groups", Json::array()},
               {"more_groups", facts.more_groups},
               {"newest", Json::array()},
               {"unknown_names", Json::array()},
               {"spill_bytes", facts.spill_bytes},
               {"spill_path", facts.spill_path},
               {"spill_paths", facts.spill_paths},
               {"database_bytes", facts.sizes.database},
               {"wal_bytes", facts.sizes.wal},
               {"journal", journal_to_json(facts.journal)},
               {"unserved", Json::array()},
               {"more_unserved", facts.more_unserved}};
  for (const auto& handler : facts.unserved) json["unserved"].push_back(unserved_to_json(handler));
  for (const auto& each : facts.unknown_names)
    json["unknown_names"].push_back({{"what", each.what}, {"name", each.name}, {"near", each.near}});
  json["unresolved"] = facts.unresolved;
  if (facts.oldest) json["oldest"] = letter_to_json(*facts.oldest);
  for (const auto& group : facts.groups) json["groups"].push_back(group_to_json(group));
  for (const auto& letter : facts.newest) json["newest"].push_back(letter_to_json(letter));
  return json;
}

DatabaseFacts facts_from_json(const Json& json) {
  DatabaseFacts facts;
  facts.unresolved_in_window = json.at("unresolved_in_window").get<std::int64_t>();
  facts.unresolved = json.at("unresolved").get<std::int64_t>();
  if (json.contains("oldest")) facts.oldest = letter_from_json(json.at("oldest"));
  for (const Json& group : json.at("groups")) facts.groups.push_back(group_from_json(group));
  facts.more_groups = json.at("more_groups").get<bool>();
  for (const Json& letter : json.at("newest")) facts.newest.push_back(letter_from_json(letter));
  for (const Json& each : json.at("unknown_names")) {
    facts.unknown_names.push_back({each.at("what").get<std::string>(), each.at("name").get<std::string>(),
                                   each.at("near").get<std::vector<std::string>>()});
  }
  facts.spill_bytes = json.at("spill_bytes").get<std::uint64_t>();
  facts.spill_path = json.at("spill_path").get<std::string>();
  facts.spill_paths = json.at("spill_paths").get<std::vector<std::string>>();
  facts.sizes = {json.at("database_bytes").get<std::uint64_t>(), json.at("wal_bytes").get<std::uint64_t>()};
  facts.journal = journal_from_json(json.at("journal"));
  for (const Json& handler : json.at("unserved")) facts.unserved.push_back(unserved_from_json(handler));
  facts.more_unserved = json.at("more_unserved").get<bool>();
  return facts;
}

}  // namespace

Answer failed_answer(const std::string& path, std::string_view code, const std::string& message) {
  std::error_code no_working_folder;
  const std::string absolute = std::filesystem::absolute(path, no_working_folder).string();
  const bool named = !no_working_folder && message.find(absolute) != std::string::npos;
  return {.path = path,
          .failure = Failure{std::string(code), named ? message : path + ": " + message},
          .facts = {}};
}

std::string encode_answer(const Answer& answer) {
  Json json = {{"path", answer.path}};
  if (answer.failure) {
    json["failure"] = {{"code", answer.failure->code}, {"message", answer.failure->message}};
  } else {
    json["facts"] = facts_to_json(answer.facts);
  }
  // CBOR, because paths and errors may hold bytes that JSON text cannot carry.
  const auto bytes = Json::to_cbor(json);
  return std::string(bytes.begin(), bytes.end());
}

Answer decode_answer(std::string_view text) try {
  const Json json = decode_data(text, DataEncoding::Cbor);
  Answer answer{.path = json.at("path").get<std::string>(), .failure = {}, .facts = {}};
  if (json.contains("failure")) {
    const Json& failure = json.at("failure");
    answer.failure = Failure{failure.at("code").get<std::string>(), failure.at("message").get<std::string>()};
  } else {
    answer.facts = facts_from_json(json.at("facts"));
  }
  return answer;
} catch (const Json::exception& error) {
  throw Error(ErrorCode::NotDecodable, std::string("a check's answer is damaged: ") + error.what());
}

}  // namespace tidings::check_dead_letters
