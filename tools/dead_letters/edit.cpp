#include "dead_letters/command.hpp"
#include "dead_letters/letter_view.hpp"
#include "dead_letters/payload_editor.hpp"
#include "text/printable.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <istream>
#include <iterator>
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

/// Null when there is none, or none that can be read.
Json original_payload(const deadletter::StoredLetter& stored) {
  const EncodedData& data = stored.letter.data;
  if (data.encoding == DataEncoding::None) return nullptr;
  return decode_data(data.bytes, data.encoding);
}

std::string read_file(Command& command, const std::string& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(command.streams().in), {}};
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw Refusal(ExitStatus::NoInput,
                  "cannot read " + tools::printable(path) + ": " + std::generic_category().message(errno));
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

bool wants_to_correct(Command& command, const Refusal& problem) {
  command.warn(problem.what());
  command.streams().err << "Open the editor again? [Y/n] " << std::flush;
  std::string answer;
  return std::getline(command.streams().in, answer) &&
         (answer.empty() || answer[0] == 'y' || answer[0] == 'Y');
}

Json ask_editor(Command& command, const Json& original) {
  const bool has_terminal = command.streams().in_is_terminal && command.streams().err_terminal.is_terminal;
  if (!has_terminal) {
    throw Refusal(ExitStatus::Usage,
                  "there is no terminal to edit on; give --set '/field=value' or --file FILE");
  }
  std::string text = original.dump(2, ' ', false, Json::error_handler_t::replace);
  for (;;) {
    text = edit_in_editor(text);
    try {
      return parse_payload(text, "what you saved");
    } catch (const Refusal& problem) {
      if (!wants_to_correct(command, problem)) throw;
    }
  }
}

Json new_payload(Command& command, const Json& original, DataEncoding encoding) {
  const CommandLine& line = command.line();
  if (!line.changes.empty()) {
    if (encoding == DataEncoding::None) {
      throw Refusal(ExitStatus::Data,
                    "the letter has no payload to set a value in; give a whole one with --file");
    }
    return with_changes(original, line.changes);
  }
  if (!line.file.empty()) return parse_payload(read_file(command, line.file), tools::printable(line.file));
  return ask_editor(command, original);
}

/// Operations and places, no values: they may be secrets, or a person's.
OrderedJson changes_between(const Json& original, const Json& payload) {
  OrderedJson changes = OrderedJson::array();
  for (const Json& step : Json::diff(original, payload)) {
    changes.push_back(
        {{"op", step.at("op").get<std::string>()}, {"path", step.at("path").get<std::string>()}});
  }
  return changes;
}

void print_changes(Command& command, const OrderedJson& changes) {
  for (const auto& change : changes) {
    command.print("  " + change.at("op").get<std::string>() + " " +
                  tools::printable(change.at("path").get<std::string>()) + "\n");
  }
}

}  // namespace

ExitStatus run_edit(Command& command) {
  const auto stored = command.letter(command.line().letters.front());
  require_editable(stored);
  const Json original = original_payload(stored);
  const Json payload = new_payload(command, original, stored.letter.data.encoding);
  const bool json = command.line().json;
  const auto changes = changes_between(original, payload);
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
      print_changes(command, changes);
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
  print_changes(command, changes);
  command.advise("Deliver it: " + command.self() + " retry " + number + " --wait");
  return ExitStatus::Ok;
}

}  // namespace tidings::dead_letters
