#include "check_dead_letters/probe.hpp"

#include "text/near_names.hpp"

#include <tidings/deadletter/reader.hpp>
#include <tidings/error.hpp>
#include <tidings/logging/redactor.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <utility>

namespace tidings::check_dead_letters {
namespace {

using deadletter::Filter;
using deadletter::Reader;

constexpr std::size_t kGroups = 20;
constexpr std::size_t kNewest = 10;
constexpr std::size_t kUnserved = 20;

Filter unresolved(const Selection& selection) {
  return {.event_type = selection.event_type,
          .handler = selection.handler,
          .service = selection.service,
          .resolved = false};
}

Filter unresolved_in_window(const Probe& probe) {
  Filter filter = unresolved(probe.selection);
  filter.since = probe.now - probe.selection.window;
  return filter;
}

LetterFacts describe(const deadletter::StoredLetter& stored) {
  const DeadLetter& letter = stored.letter;
  return {
      .id = stored.id,
      .event_type = letter.event_type,
      .handler = letter.handler,
      .service = letter.service,
      .error_type = letter.error_type,
      .event_id = letter.metadata.event_id.to_string(),
      .correlation_id = logging::default_redactor()->redact_text(letter.metadata.correlation_id.to_string()),
      .failed_at = letter.failed_at};
}

void add_groups(DatabaseFacts& facts, Reader& reader, const Filter& filter) {
  facts.groups = reader.groups(filter, kGroups + 1);
  facts.more_groups = facts.groups.size() > kGroups;
  if (facts.more_groups) facts.groups.resize(kGroups);
  const auto redactor = logging::default_redactor();
  for (auto& group : facts.groups) group.sample_error = redactor->redact_text(group.sample_error);
}

void add_journal(DatabaseFacts& facts, Reader& reader) {
  facts.journal = reader.journal_backlog();
  facts.unserved = reader.unserved_handlers(kUnserved + 1);
  facts.more_unserved = facts.unserved.size() > kUnserved;
  if (facts.more_unserved) facts.unserved.resize(kUnserved);
}

/// A misspelled name selects no letters, so the check would always be OK.
void add_unknown_names(DatabaseFacts& facts, Reader& reader, const Selection& selection) {
  const auto known = reader.unresolved_names();
  const auto add = [&](const char* what, const std::optional<std::string>& name,
                       const std::vector<std::string>& names) {
    if (!name || std::find(names.begin(), names.end(), *name) != names.end()) return;
    facts.unknown_names.push_back({what, *name, tools::near_names(*name, names)});
  };
  add("type", selection.event_type, known.event_types);
  add("handler", selection.handler, known.handlers);
  add("service", selection.service, known.services);
}

DatabaseFacts gather(const std::string& path, const Probe& probe) {
  Reader reader = Reader::open(path, {.timeout = probe.timeout});
  const Filter in_window = unresolved_in_window(probe);
  DatabaseFacts facts;
  facts.spill_bytes = reader.spill_bytes();
  facts.spill_path = reader.spill_path().string();
  for (const auto& spill : reader.spill_paths()) facts.spill_paths.push_back(spill.string());
  facts.sizes = reader.file_sizes();
  add_journal(facts, reader);
  facts.unresolved_in_window = reader.count(in_window);
  facts.unresolved = reader.count(unresolved(probe.selection));
  const auto oldest = reader.list(unresolved(probe.selection), 1, {}, deadletter::ListOrder::OldestFirst,
                                  deadletter::LetterParts::Summary);
  if (!oldest.letters.empty()) facts.oldest = describe(oldest.letters.front());
  if (probe.verbosity >= 1) add_groups(facts, reader, in_window);
  if (probe.verbosity >= 3) {
    add_unknown_names(facts, reader, probe.selection);
    const auto newest = reader.list(in_window, kNewest, {}, deadletter::ListOrder::NewestFirst,
                                    deadletter::LetterParts::Summary);
    for (const auto& letter : newest.letters) facts.newest.push_back(describe(letter));
  }
  return facts;
}

}  // namespace

Answer ask(const std::string& path, const Probe& probe) {
  try {
    return {.path = path, .failure = {}, .facts = gather(path, probe)};
  } catch (const Error& error) {
    return failed_answer(path, tidings::to_string(error.code()), error.what());
  } catch (const std::exception& error) {
    return failed_answer(path, "internal", std::string("unexpected: ") + error.what());
  }
}

}  // namespace tidings::check_dead_letters
