#include "dead_letters/command.hpp"
#include "dead_letters/deliverable.hpp"
#include "dead_letters/table.hpp"
#include "text/columns.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"
#include "text/time.hpp"

#include <tidings/deadletter/output_file.hpp>
#include <tidings/payload_cipher.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace tidings::dead_letters {
namespace {

using deadletter::Examination;

constexpr std::chrono::seconds kUsualWait(10);

struct Finding {
  enum class Kind : std::uint8_t { Fine, Advice, Problem };
  Kind kind;
  std::string text;
  /// What to type.
  std::string command = {};
  [[nodiscard]] std::string whole() const { return command.empty() ? text : text + ": " + command; }
};

class Diagnosis {
 public:
  Diagnosis(Command& command, const Examination& found, std::int64_t running)
      : command_(command), found_(found), running_(running), keys_(command.reader().key_uses()) {
    judge_file();
    judge_letters();
    judge_redrives();
    judge_waiting();
    judge_unserved();
    judge_keys();
    judge_spills();
  }

  [[nodiscard]] const std::vector<Finding>& findings() const noexcept { return findings_; }
  [[nodiscard]] const std::vector<deadletter::KeyUse>& keys() const noexcept { return keys_; }
  /// Whether the keys at hand open what is encrypted with this one; nullopt: not known.
  [[nodiscard]] std::optional<bool> opens(const std::string& key_id) const {
    const auto found = opened_.find(key_id);
    return found == opened_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  void fine(std::string text) { findings_.push_back({Finding::Kind::Fine, std::move(text)}); }
  void advise(std::string text, std::string what_to_type = {}) {
    findings_.push_back({Finding::Kind::Advice, std::move(text), std::move(what_to_type)});
  }
  void problem_with_command(std::string text, std::string what_to_type) {
    findings_.push_back({Finding::Kind::Problem, std::move(text), std::move(what_to_type)});
  }
  void problem(std::string text) { findings_.push_back({Finding::Kind::Problem, std::move(text)}); }

  void judge_file() {
    if (found_.damage.empty()) {
      fine("the file is sound (" + std::string(command_.line().thorough ? "thorough" : "quick") +
           " check), schema version " + std::to_string(found_.schema_version) +
           (found_.adopted ? ", in an application's database" : ""));
    }
    for (const auto& damage : found_.damage) {
      problem("the file is damaged: " + tools::printable(damage, 300) +
              "; stop the service, then put a backup in its place: dead-letters --db " + file() +
              " restore BACKUP; or save what can be read: dead-letters recover " + file());
    }
    if (!found_.counts_agree) {
      problem(
          "the counts in tidings_causes are off, so that groups is wrong: docs/schema.md says how to mend "
          "them");
    }
    fine("size " + readable_size(found_.files.database_bytes) + ", " +
         readable_size(found_.files.free_bytes) + " of it free, -wal " +
         readable_size(found_.files.wal_bytes));
    if (deadletter::is_wal_large(found_.files.wal_bytes, found_.files.database_bytes)) {
      problem(
          "the -wal file has grown to " + readable_size(found_.files.wal_bytes) +
          ": some program reads an old state of the database for long, so that it cannot be emptied; find "
          "it and end it: fuser -v " +
          file() + " (a running service then gives the space back)");
    }
    if (!found_.files.network_file_system.empty()) {
      problem(
          "it is on a file system that other machines may share (" + found_.files.network_file_system +
          "), where SQLite's locks do not work: stop the services that use it, and move it to a local disk");
    }
    if (!found_.adopted && found_.files.database_bytes > 0 &&
        found_.files.free_bytes * 2 > found_.files.database_bytes) {
      advise("more than half of the file is free; to give it back, stop the service and run",
             "sqlite3 " + file() + " VACUUM");
    }
  }

  void judge_letters() {
    std::string text = counted(found_.letters, "letter") + ", " + grouped(found_.unresolved) + " unresolved";
    if (found_.oldest_unresolved) text += ", the oldest for " + command_.age(*found_.oldest_unresolved);
    fine(text + "; " + counted(found_.journal_events, "event") + " owed in the journal");
    if (found_.unresolved > 0) advise("see what fails", command_.self() + " groups");
  }

  void judge_redrives() {
    for (const auto& redrive : found_.open_redrives) {
      fine("request " + std::to_string(redrive.id) + " by " + tools::printable(redrive.requested_by) + ", " +
           command_.ago(redrive.requested_at) + ": " + grouped(redrive.succeeded) + " succeeded and " +
           grouped(redrive.failed) + " failed of " + grouped(redrive.letters));
    }
    if (found_.claims.live > 0) {
      fine(counted(found_.claims.live, "letter") + " taken by a service, a handler is at work on " +
           grouped(running_));
    }
    if (found_.claims.stale > 0) {
      advise(counted(found_.claims.stale, "claim") +
             " of a process that is gone: a running bus takes their letters"
             " back by itself; is the service running?");
    }
  }

  void judge_waiting() {
    for (const auto& waiting : found_.waiting) {
      const std::string text =
          counted(waiting.letters, "letter") + " for " + tools::printable(handler_name(waiting.handler)) +
          " (" + tools::printable(waiting.event_type) + ") of service " + tools::printable(waiting.service) +
          " marked since " + tools::readable_time(waiting.since);
      if (waiting.handler.empty()) {
        problem_with_command(text + ", which nothing delivers, as no handler was subscribed; to give them up",
                             command_.self() + " discard --letter-reason unhandled --type " +
                                 tools::printable(waiting.event_type) + " --service " +
                                 tools::printable(waiting.service) + " --reason '...'");
        continue;
      }
      const bool stuck =
          !waiting.service_is_at_work && tools::time_between(waiting.since, command_.now()) > kUsualWait;
      if (!stuck) {
        fine(text);
      } else if (const auto held_back = held_back_of(waiting)) {
        problem_with_command(text + ", of which letter " + std::to_string(held_back->id) +
                                 " waits for letter " + std::to_string(held_back->behind) +
                                 ", an earlier one of its ordering key; what goes first",
                             command_for_earlier(command_, *held_back));
      } else {
        problem(text + " and nobody takes them: start that service, with that handler subscribed");
      }
    }
  }

  [[nodiscard]] std::optional<deadletter::HeldBackLetter> held_back_of(const Examination::Waiting& waiting) {
    deadletter::Filter filter;
    filter.service = waiting.service;
    filter.event_type = waiting.event_type;
    filter.handler = waiting.handler;
    filter.resolved = false;
    filter.marked = true;
    return command_.reader().find_held_back(filter);
  }

  void judge_unserved() {
    for (const auto& each : found_.unserved) {
      problem(
          counted(each.owed, "event") + " owed to handler " + tools::printable(handler_name(each.handler)) +
          " (" + tools::printable(each.event_type) + ") of service " + tools::printable(each.service) +
          ", which nobody has subscribed since " + tools::readable_time(each.since) +
          ", or only without the key of its payloads; deploy it, subscribe that name, or give it the key");
    }
  }

  void judge_keys() {
    if (keys_.empty()) return fine("no payload is encrypted");
    std::shared_ptr<const PayloadCipher> cipher;
    try {
      cipher = command_.cipher();
    } catch (const Refusal& refusal) {
      problem(tools::printable(refusal.what(), 500));
    }
    for (const auto& each : keys_) judge_key(each, cipher.get());
  }

  void judge_key(const deadletter::KeyUse& use, const PayloadCipher* cipher) {
    const std::string text = "the payloads of " + counted(use.letters, "letter") + " and of " +
                             counted(use.journal_events, "event") + " of the journal are encrypted";
    if (use.key_id.empty() || !use.event_id) return problem(text + ", and damaged: no key opens them");
    const std::string with_key = text + " with the key " + tools::printable(use.key_id);
    if (use.sample.empty()) return advise(with_key + ", and too large to try a key on them");
    if (cipher == nullptr) {
      return advise(with_key +
                    "; to see whether a key file opens them, give --key-file FILE, or set "
                    "TIDINGS_KEY_FILE");
    }
    try {
      static_cast<void>(cipher->decrypt(use.sample, {use.event_type, *use.event_id}));
      opened_[use.key_id] = true;
      fine(with_key + ", which is in the key file");
    } catch (const Error& error) {
      opened_[use.key_id] = false;
      problem(with_key + ", and stay closed: " + tools::printable(error.what(), 500));
    }
  }

  void judge_spills() {
    for (const auto& spill : found_.files.spills) {
      problem(readable_size(spill.bytes) + " of letters wait in " + tools::printable(spill.path.native()) +
              ", as the database could not take them; when it can, a running service imports them by itself");
    }
    if (found_.files.spills.empty()) fine("no letters wait in spill files");
  }

  [[nodiscard]] std::string file() const {
    return tools::printable(tools::shell_word(command_.line().database));
  }

  Command& command_;
  const Examination& found_;
  /// Letters that a handler is at work on.
  const std::int64_t running_;
  std::vector<Finding> findings_;
  const std::vector<deadletter::KeyUse> keys_;
  std::map<std::string, bool> opened_;
};

const char* name_of(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::Fine:
      return "ok";
    case Finding::Kind::Advice:
      return "advice";
    case Finding::Kind::Problem:
      return "problem";
  }
  return "";
}

Style style_of(Finding::Kind kind) {
  if (kind == Finding::Kind::Problem) return Style::Bad;
  return kind == Finding::Kind::Advice ? Style::Bold : Style::Good;
}

/// What is to be typed stays whole, for the mouse to copy.
void print_finding(Command& command, const Finding& finding) {
  constexpr std::size_t kLabel = 9;
  const Terminal& terminal = command.streams().out_terminal;
  const std::size_t width = terminal.width - kLabel;
  const bool fits = finding.command.empty() || tools::display_width(finding.whole()) <= width;
  auto lines = tools::wrap(fits ? finding.whole() : finding.text + ":", width);
  if (!fits) lines.push_back(finding.command);
  std::string label = name_of(finding.kind);
  label.resize(kLabel, ' ');
  label = styled(terminal, style_of(finding.kind), label);
  for (const auto& line : lines) {
    command.print(label + line + "\n");
    label.assign(kLabel, ' ');
  }
}

OrderedJson redrives_to_json(const Examination& found) {
  OrderedJson list = OrderedJson::array();
  for (const auto& each : found.open_redrives) {
    list.push_back({{"redrive_id", each.id},
                    {"requested_at", to_rfc3339(each.requested_at)},
                    {"requested_by", each.requested_by},
                    {"letters", each.letters},
                    {"succeeded", each.succeeded},
                    {"failed", each.failed}});
  }
  return list;
}

OrderedJson waiting_to_json(const Examination& found) {
  OrderedJson list = OrderedJson::array();
  for (const auto& each : found.waiting) {
    list.push_back({{"service", each.service},
                    {"event_type", each.event_type},
                    {"handler", each.handler},
                    {"letters", each.letters},
                    {"since", to_rfc3339(each.since)}});
  }
  return list;
}

OrderedJson changes_to_json(const Examination& found) {
  OrderedJson list = OrderedJson::array();
  for (const auto& each : found.recent_changes) {
    list.push_back({{"at", to_rfc3339(each.at)},
                    {"user", each.user},
                    {"host", each.host},
                    {"verb", each.verb},
                    {"letters", each.letters},
                    {"filter", each.filter}});
  }
  return list;
}

OrderedJson spills_to_json(const Examination& found) {
  OrderedJson list = OrderedJson::array();
  for (const auto& each : found.files.spills)
    list.push_back({{"path", each.path.native()}, {"bytes", each.bytes}});
  return list;
}

OrderedJson unserved_to_json(const Examination& found) {
  OrderedJson list = OrderedJson::array();
  for (const auto& each : found.unserved) {
    list.push_back({{"service", each.service},
                    {"event_type", each.event_type},
                    {"handler", each.handler},
                    {"owed", each.owed},
                    {"since", to_rfc3339(each.since)}});
  }
  return list;
}

OrderedJson keys_to_json(const Diagnosis& diagnosis) {
  OrderedJson list = OrderedJson::array();
  for (const auto& each : diagnosis.keys()) {
    const auto opens = diagnosis.opens(each.key_id);
    list.push_back({{"key", each.key_id.empty() ? OrderedJson(nullptr) : OrderedJson(each.key_id)},
                    {"letters", each.letters},
                    {"journal_events", each.journal_events},
                    {"opens", opens ? OrderedJson(*opens) : OrderedJson(nullptr)}});
  }
  return list;
}

void print_as_json(Command& command, const Examination& found, const Diagnosis& diagnosis,
                   std::int64_t running) {
  OrderedJson findings = OrderedJson::array();
  for (const auto& each : diagnosis.findings())
    findings.push_back({{"kind", name_of(each.kind)}, {"text", each.whole()}});
  command.print_json(
      {{"schema_version", found.schema_version},
       {"database_id", found.database_id.empty() ? OrderedJson(nullptr) : OrderedJson(found.database_id)},
       {"adopted", found.adopted},
       {"damage", found.damage},
       {"counts_agree", found.counts_agree},
       {"file_bytes", found.files.database_bytes},
       {"wal_bytes", found.files.wal_bytes},
       {"free_bytes", found.files.free_bytes},
       {"network_file_system", found.files.network_file_system},
       {"letters", found.letters},
       {"unresolved", found.unresolved},
       {"oldest_unresolved",
        found.oldest_unresolved ? OrderedJson(to_rfc3339(*found.oldest_unresolved)) : OrderedJson(nullptr)},
       {"journal_events", found.journal_events},
       {"live_claims", found.claims.live},
       {"running", running},
       {"stale_claims", found.claims.stale},
       {"waiting", waiting_to_json(found)},
       {"unserved", unserved_to_json(found)},
       {"keys", keys_to_json(diagnosis)},
       {"spills", spills_to_json(found)},
       {"open_redrives", redrives_to_json(found)},
       {"recent_changes", changes_to_json(found)},
       {"findings", std::move(findings)}});
}

void print_changes(Command& command, const Examination& found) {
  if (found.recent_changes.empty()) return;
  command.print("\n");
  Table table({{"WHEN", true}, {"WHO"}, {"VERB"}, {"LETTERS", true}, {"WHICH"}});
  for (const auto& each : found.recent_changes) {
    table.add(
        {command.ago(each.at), each.user + "@" + each.host, each.verb, grouped(each.letters), each.filter});
  }
  command.print(table.render(command.streams().out_terminal));
}

}  // namespace

ExitStatus run_doctor(Command& command) {
  const auto found = command.reader().examine(command.line().thorough);
  const auto running = command.reader().count({.running = true});
  const Diagnosis diagnosis(command, found, running);
  if (command.line().json) {
    print_as_json(command, found, diagnosis, running);
  } else {
    for (const auto& each : diagnosis.findings()) print_finding(command, each);
    print_changes(command, found);
  }
  return found.damage.empty() ? ExitStatus::Ok : ExitStatus::Data;
}

ExitStatus run_backup(Command& command) {
  const CommandLine& line = command.line();
  if (::access(line.file.c_str(), F_OK) == 0) {
    throw Refusal(ExitStatus::CannotCreate,
                  "there is a file " + tools::printable(line.file) + " already; give another name");
  }
  const deadletter::DatabaseFiles own{line.database, command.reader().spill_paths()};
  const std::string why = deadletter::why_no_output(line.file, {&own, 1});
  if (!why.empty())
    throw Refusal(ExitStatus::CannotCreate, "cannot create " + tools::printable(line.file) + ": " + why);
  const auto folder = std::filesystem::path(line.file).parent_path();
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0) {
    throw Refusal(ExitStatus::CannotCreate, "cannot create " + tools::printable(line.file) + ": " +
                                                std::generic_category().message(errno) +
                                                "; check its folder");
  }
  if (!line.dry_run) command.operations().backup(line.file);
  const auto bytes = command.reader().examine(false).files.database_bytes;
  if (line.json) {
    command.print_json({{"dry_run", line.dry_run}, {"file", line.file}, {"bytes", bytes}});
    return ExitStatus::Ok;
  }
  command.print((line.dry_run ? "Would copy " : "Copied ") + readable_size(bytes) + " to " +
                tools::printable(line.file) + ".\n");
  command.advise("It holds payloads: keep it where only the service's users read.");
  const std::string copy = tools::printable(tools::shell_word(line.file));
  command.advise("It is a database like this one: dead-letters --db " + copy + " groups");
  command.advise("To put it back, not with cp: " + command.self() + " restore " + copy);
  return ExitStatus::Ok;
}

}  // namespace tidings::dead_letters
