#include "dead_letters/command.hpp"
#include "dead_letters/long_change.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"

#include <tidings/encryption/file_cipher.hpp>

#include <string>

namespace tidings::dead_letters {
namespace {

using deadletter::RekeyResult;

std::int64_t left(const RekeyResult& result) {
  return result.letters_left + result.journal_events_left + result.spilled_left;
}

OrderedJson to_json(const std::vector<RekeyResult::InTheClear>& rows) {
  OrderedJson json = OrderedJson::array();
  for (const auto& each : rows) json.push_back({{"event_type", each.event_type}, {"rows", each.rows}});
  return json;
}

void say_what_is_left(Command& command, const RekeyResult& result) {
  if (result.letters_left + result.journal_events_left > 0) {
    command.warn(counted(result.letters_left, "letter") + " and " +
                 counted(result.journal_events_left, "event") +
                 " of the journal are still encrypted with other keys, or in the clear" +
                 (result.problem.empty() ? "" : ": " + tools::printable(result.problem, 500)));
  }
  if (result.spilled_left > 0) {
    command.warn(counted(result.spilled_left, "letter") +
                 " in spill files too: let a service import them, then run this again");
  }
  for (const auto& [event_type, rows] : result.in_the_clear) {
    command.warn(counted(rows, "payload") + " of " + tools::printable(event_type) +
                 ", letters and events of the journal, are in the clear, though others of this type are "
                 "encrypted; to encrypt them: rekey --encrypt " +
                 tools::printable(tools::shell_word(event_type)));
  }
  if (!result.progress.complete) command.warn("stopped; the same command goes on");
  if (left(result) == 0 && result.progress.complete) {
    command.advise(
        "Nothing is encrypted with another key any more: the lines of older keys can be removed from the key "
        "file, unless backups, exports or other databases need them.");
  }
}

/// The name of a type may be mistyped, and its payloads then stay as they are.
void say_what_was_not_found(Command& command) {
  for (const std::string& type : command.line().encrypt) {
    const deadletter::Filter of_type{.event_type = type};
    if (!command.reader()
             .list(of_type, 1, {}, deadletter::ListOrder::NewestFirst, deadletter::LetterParts::Summary)
             .letters.empty())
      continue;
    command.warn("there is no letter of the type " + tools::printable(type) + ": is that its name?");
  }
}

}  // namespace

ExitStatus run_new_key(Command& command) {
  const CommandLine& line = command.line();
  std::string id;
  try {
    id = line.add_key ? encryption::add_key(line.file) : encryption::create_key_file(line.file);
  } catch (const Error& error) {
    throw Refusal(line.add_key ? ExitStatus::NoInput : ExitStatus::CannotCreate, error.what());
  }
  if (line.json) {
    command.print_json({{"file", line.file}, {"key", id}, {"added", line.add_key}});
    return ExitStatus::Ok;
  }
  command.print("Key " + id + (line.add_key ? " is the first of " : " is in the new file ") +
                tools::printable(tools::shell_word(line.file)) + ".\n");
  if (line.add_key) {
    command.advise("Services that run take it by themselves. Then: dead-letters --db FILE rekey --key-file " +
                   tools::printable(tools::shell_word(line.file)));
  } else {
    command.advise(
        "Give it to the services: StoreOptions::encryption, or TIDINGS_KEY_FILE where these read the "
        "environment.");
    command.advise("Keep a copy apart from the database's backups: without it payloads cannot be read.");
  }
  return ExitStatus::Ok;
}

ExitStatus run_rekey(Command& command) {
  const auto cipher = command.cipher();
  if (!cipher)
    throw Refusal(ExitStatus::Usage, "rekey needs the keys; give --key-file FILE, or set TIDINGS_KEY_FILE");
  const Interruption interruption;
  ProgressLine line(command);
  const auto result = run_watched(command, line, "rekeyed", 0, [&](const deadletter::Watch& watch) {
    return command.operations().rekey(watch, command.line().encrypt);
  });
  if (command.line().json) {
    command.print_json({{"key", cipher->writing_key()},
                        {"letters", result.progress.changed},
                        {"journal_events", result.journal_events},
                        {"letters_left", result.letters_left},
                        {"journal_events_left", result.journal_events_left},
                        {"spilled_left", result.spilled_left},
                        {"in_the_clear", to_json(result.in_the_clear)},
                        {"complete", result.progress.complete}});
  } else {
    command.print(counted(result.progress.changed, "letter") + " and " +
                  counted(result.journal_events, "event") + " of the journal rekeyed: they are under key " +
                  std::string(cipher->writing_key()) + " now.\n");
  }
  say_what_was_not_found(command);
  say_what_is_left(command, result);
  if (!result.progress.complete || result.spilled_left > 0) return ExitStatus::TryAgain;
  return left(result) > 0 ? ExitStatus::Data : ExitStatus::Ok;
}

}  // namespace tidings::dead_letters
