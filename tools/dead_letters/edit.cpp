#include "dead_letters/command.hpp"
#include "dead_letters/deliverable.hpp"
#include "dead_letters/editor.hpp"
#include "dead_letters/input_file.hpp"
#include "dead_letters/letter_view.hpp"
#include "dead_letters/payload_editor.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <istream>
#include <iterator>
#include <optional>
#include <ostream>

namespace tidings::dead_letters {
namespace {

void require_editable(const deadletter::StoredLetter& stored) {
  const std::string name = "letter " + std::to_string(stored.id);
  if (stored.is_running()) {
    throw Refusal(ExitStatus::TryAgain,
                  name + " is being delivered right now; try again when that attempt has ended");
  }
  if (stored.resolution) {
    throw Refusal(
        ExitStatus::Data,
        name + " is " + std::string(to_string(*stored.resolution)) + " already; nothing was edited" +
            (stored.resolution == deadletter::Resolution::Discarded ? "; undo the discard first" : ""));
  }
}

/// The current payload of a letter.
struct Original {
  /// Nullopt if there is none, or none that can be decoded: `problem` says why.
  std::optional<Json> payload;
  std::string problem;
  /// For the editor.
  std::string text;
};

std::string text_for_editor(const Json& payload) {
  return payload.dump(2, ' ', false, Json::error_handler_t::replace);
}

EncodedData decrypted(Command& command, const DeadLetter& letter) {
  if (letter.data.encoding != DataEncoding::Encrypted) return letter.data;
  const auto cipher = command.cipher();
  if (!cipher) {
    throw Refusal(ExitStatus::Data,
                  "the letter's payload is " + describe_encrypted(letter.data) +
                      "; give --key-file FILE, or set TIDINGS_KEY_FILE; nothing was edited");
  }
  return cipher->decrypt(letter.data.bytes, {letter.event_type, letter.metadata.event_id});
}

void require_unmasked(const EncodedData& data) {
  if (data.encoding != DataEncoding::Masked) return;
  throw Refusal(ExitStatus::Data, "the letter cannot be edited, as its type has fields masked in letters (" +
                                      tools::printable(data.problem, 300) +
                                      "); publish a corrected event; nothing was edited");
}

Original original_of(Command& command, const DeadLetter& letter) {
  require_unmasked(letter.data);
  if (letter.data.encoding == DataEncoding::None) return {{}, "the letter has no payload", "null"};
  const EncodedData data = decrypted(command, letter);
  try {
    Json payload = decode_data(data.bytes, data.encoding);
    std::string text = text_for_editor(payload);
    return {std::move(payload), "", std::move(text)};
  } catch (const Error& error) {
    return {{},
            "the letter's payload cannot be decoded (" +
                logging::default_redactor()->redact_text(error.what()) + ")",
            data.encoding == DataEncoding::Json ? data.bytes : "null"};
  }
}

std::string read_file(Command& command, const std::string& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(command.streams().in), {}};
  require_readable(path);
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file) throw Refusal(ExitStatus::InputOutput, "cannot read all of " + tools::printable(path));
  return text;
}

bool wants_to_correct(Command& command, const Refusal& problem) {
  command.warn(problem.what());
  command.streams().err << "Open the editor again? [Y/n] " << std::flush;
  std::string answer;
  return std::getline(command.streams().in, answer) &&
         (answer.empty() || answer[0] == 'y' || answer[0] == 'Y');
}

Json ask_editor(Command& command, std::string text) {
  const bool has_terminal = command.streams().in_is_terminal && command.streams().err_terminal.is_terminal;
  if (!has_terminal) {
    throw Refusal(ExitStatus::Usage,
                  "there is no terminal to edit on; give --set '/field=value' or --file FILE");
  }
  for (;;) {
    text = edit_in_editor(text);
    try {
      return parse_payload(text, "what you saved");
    } catch (const Refusal& problem) {
      if (!wants_to_correct(command, problem)) throw;
    }
  }
}

Json new_payload(Command& command, const Original& original) {
  const CommandLine& line = command.line();
  if (!line.changes.empty()) {
    if (!original.payload) {
      throw Refusal(ExitStatus::Data,
                    tools::printable(original.problem, 300) +
                        ", so there is nothing to set a value in; give a whole one with --file");
    }
    return with_changes(*original.payload, line.changes);
  }
  if (!line.file.empty()) return parse_payload(read_file(command, line.file), tools::printable(line.file));
  return ask_editor(command, original.text);
}

/// Operations and places, no values: they may be secrets, or a person's.
OrderedJson changes_between(const std::optional<Json>& original, const Json& payload) {
  OrderedJson changes = OrderedJson::array();
  if (!original) {
    changes.push_back({{"op", "replace"}, {"path", ""}});
    return changes;
  }
  for (const Json& step : Json::diff(*original, payload)) {
    changes.push_back(
        {{"op", step.at("op").get<std::string>()}, {"path", step.at("path").get<std::string>()}});
  }
  return changes;
}

std::string place_name(const std::string& pointer) {
  return pointer.empty() ? "the whole payload" : tools::printable(pointer);
}

/// As structs tell values apart: those that take text take no number. Null fits any.
const char* kind_of(const Json& value) {
  if (value.is_string()) return "text";
  if (value.is_number()) return "a number";
  if (value.is_boolean()) return "a Boolean";
  if (value.is_array()) return "an array";
  return value.is_object() ? "an object" : "null";
}

/// A value of a payload that another one has replaced.
struct Replaced {
  std::string before;
  std::string after;
};

std::optional<Replaced> change_of_kind(const std::optional<Json>& original, const Json& payload,
                                       const OrderedJson& change) {
  if (!original || change.at("op") != "replace") return std::nullopt;
  const Json::json_pointer place(change.at("path").get<std::string>());
  if (!original->contains(place) || !payload.contains(place)) return std::nullopt;
  Replaced kinds{kind_of(original->at(place)), kind_of(payload.at(place))};
  if (kinds.before == kinds.after || kinds.before == "null" || kinds.after == "null") return std::nullopt;
  return kinds;
}

/// `id` is the letter that a further edit would correct.
void print_changes(Command& command, const std::optional<Json>& original, const Json& payload,
                   const OrderedJson& changes, const std::string& id) {
  std::string quoted;
  for (const auto& change : changes) {
    const auto path = change.at("path").get<std::string>();
    std::string text = "  " + change.at("op").get<std::string>() + " " + place_name(path);
    if (const auto kinds = change_of_kind(original, payload, change)) {
      text += ", " + kinds->before + " by " + kinds->after;
      if (kinds->before == "text") quoted = path;
    }
    command.print(text + "\n");
  }
  if (quoted.empty()) return;
  command.advise("If it has to be text, put it in quotes: " + command.self() + " edit " + id + " --set " +
                 tools::printable(tools::shell_word(quoted + "=\"VALUE\"")));
}

}  // namespace

ExitStatus run_edit(Command& command) {
  const auto stored = command.letter(command.line().letters.front());
  require_editable(stored);
  const Original original = original_of(command, stored.letter);
  const Json payload = new_payload(command, original);
  const bool json = command.line().json;
  const auto changes = changes_between(original.payload, payload);
  const std::string id = std::to_string(stored.id);
  if (changes.empty() || command.line().dry_run) {
    if (json) {
      command.print_json({{"dry_run", command.line().dry_run},
                          {"letters", changes.empty() ? 0 : 1},
                          {"letter", nullptr},
                          {"event_id", nullptr},
                          {"superseded", nullptr},
                          {"changes", changes}});
    } else if (changes.empty()) {
      command.print("The payload of letter " + id + " would stay the same; nothing was changed.\n");
    } else {
      command.print("A new letter would take the place of letter " + id +
                    "; nothing was changed. Its payload differs:\n");
      print_changes(command, original.payload, payload, changes, id);
    }
    return ExitStatus::Ok;
  }
  const auto edited = command.operations().edit(stored.id, payload);
  const std::string number = std::to_string(edited.id);
  if (json) {
    command.print_json({{"dry_run", false},
                        {"letters", 1},
                        {"letter", edited.id},
                        {"event_id", edited.event_id.to_string()},
                        {"superseded", stored.id},
                        {"changes", changes}});
    return ExitStatus::Ok;
  }
  command.print("Letter " + number + " takes the place of letter " + id +
                ", which is resolved as superseded.\n");
  print_changes(command, original.payload, payload, changes, number);
  const auto next = command.letter(number);
  if (obstacle_of(command, next) == Obstacle::None) {
    command.advise("Deliver it: " + command.self() + " retry " + number + " --wait");
  } else {
    command.advise("Look at it: " + command.self() + " show " + number);
  }
  return ExitStatus::Ok;
}

}  // namespace tidings::dead_letters
