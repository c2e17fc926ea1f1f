#include "dead_letters/command.hpp"

#include "dead_letters/deliverable.hpp"
#include "dead_letters/operator.hpp"
#include "dead_letters/raw_command_line.hpp"
#include "text/duration.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"
#include "text/time.hpp"

#include <tidings/encryption/file_cipher.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <ostream>
#include <utility>

namespace tidings::dead_letters {
namespace {

/// For searches through payloads; queries with an index answer at once.
constexpr std::chrono::minutes kPatience(5);
constexpr std::size_t kShortestBeginning = 4;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_beginning_of_event_id(const std::string& text) {
  return text.size() >= kShortestBeginning && text.size() <= 36 &&
         text.find_first_not_of("0123456789abcdef-") == std::string::npos;
}

std::string in_quotes(const std::string& text) { return "\"" + tools::printable(text, 80) + "\""; }

/// The letters that a beginning fits, for a message.
std::string choices(const std::vector<deadletter::StoredLetter>& letters) {
  constexpr std::size_t kNamed = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(letters.size(), kNamed); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(letters[i].id) + " (" +
            tools::printable(handler_name(letters[i].letter.handler)) + ")";
  }
  return text + (letters.size() > kNamed ? ", and more" : "");
}

}  // namespace

Command::Command(CommandLine line, Streams streams, Timestamp now)
    : line_(std::move(line)), streams_(streams), now_(now) {}

deadletter::Reader& Command::reader() {
  if (!reader_) reader_ = deadletter::Reader::open(line_.database, {.timeout = kPatience});
  return *reader_;
}

deadletter::Operations& Command::operations() {
  if (operations_) return *operations_;
  deadletter::Operations::Options options;
  if (logging::has_output_of_its_own(kAuditLogger))
    options.logger = logging::Logger({.service = "dead-letters"});
  // Other verbs do their work also where the key file cannot be read.
  if (line_.verb == Verb::Edit || line_.verb == Verb::Rekey) options.cipher = cipher();
  operations_ = deadletter::Operations::open(line_.database, current_operator(), options);
  return *operations_;
}

std::shared_ptr<const PayloadCipher> Command::cipher() {
  if (cipher_) return *cipher_;
  try {
    if (line_.key_file) {
      cipher_ = encryption::FileCipher::open(*line_.key_file);
    } else {
      cipher_ = encryption::FileCipher::open_from_environment();
    }
  } catch (const Error& error) {
    throw Refusal(ExitStatus::NoInput, error.what());
  }
  return *cipher_;
}

std::int64_t Command::unique_letter(const std::string& name) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  // Numbers do not begin with 0; the ids of events do, and some go on with digits only for a while.
  const bool is_number = error == std::errc() && end == name.data() + name.size() && !name.starts_with('0');
  if (is_number && reader().find(number)) return number;
  const std::string beginning = lower(name);
  if (!is_beginning_of_event_id(beginning)) {
    if (is_number)
      throw Refusal(ExitStatus::NoInput,
                    "there is no letter " + in_quotes(name) + "; see " + self() + " list --all");
    throw Refusal(
        ExitStatus::Usage,
        in_quotes(name) + " is no letter: give its number, or at least 4 characters of its event id");
  }
  const auto letters = reader().find_by_event(beginning, 6, deadletter::LetterParts::Summary);
  if (letters.empty()) {
    throw Refusal(ExitStatus::NoInput, "there is no letter " + in_quotes(name) +
                                           ", and no event whose id begins so; see " + self() +
                                           " list --all");
  }
  if (letters.size() > 1) {
    throw Refusal(ExitStatus::Usage, in_quotes(name) + " fits several letters: " + choices(letters) +
                                         "; give the number of one");
  }
  return letters.front().id;
}

deadletter::StoredLetter Command::letter(const std::string& name) {
  const auto id = unique_letter(name);
  auto found = reader().find(id);
  if (!found) throw Refusal(ExitStatus::NoInput, "letter " + std::to_string(id) + " is gone");
  return *std::move(found);
}

deadletter::Filter Command::filter() {
  deadletter::Filter filter = line_.filter;
  if (!line_.letters.empty()) {
    filter.ids.emplace();
    for (const auto& name : line_.letters) filter.ids->push_back(unique_letter(name));
  }
  if (!line_.event_id) return filter;
  const std::string beginning = lower(*line_.event_id);
  if (!is_beginning_of_event_id(beginning)) {
    throw Refusal(ExitStatus::Usage, "--event-id: " + in_quotes(*line_.event_id) +
                                         " is not the beginning of an event id; give at least 4 characters");
  }
  for (const auto& each : reader().find_by_event(beginning, 1'000, deadletter::LetterParts::Summary)) {
    if (filter.event_id && *filter.event_id != each.letter.metadata.event_id) {
      throw Refusal(ExitStatus::Usage,
                    "--event-id: " + in_quotes(*line_.event_id) + " fits several events; give more of it");
    }
    filter.event_id = each.letter.metadata.event_id;
  }
  if (!filter.event_id) {
    throw Refusal(ExitStatus::NoInput,
                  "--event-id: no letter has an event id that begins with " + in_quotes(*line_.event_id));
  }
  return filter;
}

void Command::print(std::string_view text) { streams_.out << text; }

void Command::print_json(OrderedJson document) {
  OrderedJson whole = {{"version", 1}, {"verb", line_.verb_name}};
  for (auto& [name, value] : document.items()) whole[name] = std::move(value);
  streams_.out << whole.dump(-1, ' ', true, OrderedJson::error_handler_t::replace) << "\n";
}

void Command::advise(std::string_view text) {
  if (line_.quiet || line_.json) return;
  streams_.out.flush();
  streams_.err << (text.empty() ? std::string() : styled(streams_.err_terminal, Style::Dim, text)) << "\n";
}

void Command::warn(std::string_view text) {
  streams_.out.flush();
  streams_.err << "dead-letters: " << text << "\n";
}

std::string Command::self() const {
  if (!line_.database_was_given) return "dead-letters";
  return "dead-letters --db " + tools::printable(tools::shell_word(line_.database));
}

std::string Command::same_states() const {
  if (!line_.filter.resolved) return " --all";
  return *line_.filter.resolved ? " --resolved" : "";
}

std::string Command::same_filters() const {
  std::string text;
  for (const auto& each : line_.typed_filters) text += " " + tools::printable(each);
  return text;
}

std::string Command::masked(std::string_view text) const {
  return line_.reveal ? std::string(text) : redactor_->redact_text(text);
}

Json Command::masked_json(Json payload) const {
  return line_.reveal ? payload : redactor_->redact(std::move(payload));
}

std::string Command::age(Timestamp time) const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(tools::time_between(time, now_));
  return tools::readable_duration(std::max(seconds, std::chrono::seconds(0)));
}

std::string Command::ago(Timestamp time) const {
  return tools::time_between(time, now_) < std::chrono::seconds(1) ? "just now" : age(time) + " ago";
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return digits;
}

std::string counted(std::int64_t count, std::string_view noun) {
  return grouped(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string readable_size(std::uint64_t bytes) {
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  double size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", size, kUnits[unit]);
  return text.data();
}

ExitStatus status_of(const Error& error, const std::string& database) {
  constexpr int kPrimaryCode = 0xff;
  constexpr int kPermission = 3;
  constexpr int kReadOnly = 8;
  constexpr int kCorrupt = 11;
  constexpr int kNotADatabase = 26;
  switch (error.code()) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::NotDecodable:
    case ErrorCode::NotEncodable:
    case ErrorCode::ForeignDatabase:
      return ExitStatus::Data;
    case ErrorCode::DatabaseBusy:
      return ExitStatus::TryAgain;
    case ErrorCode::NewerSchema:
      return ExitStatus::Configuration;
    default:
      break;
  }
  const int code = error.sqlite_code() & kPrimaryCode;
  if (code == kCorrupt || code == kNotADatabase) return ExitStatus::Data;
  if (code == kPermission || code == kReadOnly) return ExitStatus::Permission;
  if (::access(database.c_str(), F_OK) != 0) {
    return errno == EACCES ? ExitStatus::Permission : ExitStatus::NoInput;
  }
  if (::access(database.c_str(), R_OK | W_OK) != 0) return ExitStatus::Permission;
  std::error_code unknown;
  if (std::filesystem::is_directory(database, unknown)) return ExitStatus::NoInput;
  return ExitStatus::InputOutput;
}

}  // namespace tidings::dead_letters
