#include "dead_letters/command.hpp"
#include "dead_letters/deliverable.hpp"
#include "dead_letters/letter_view.hpp"
#include "text/columns.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"
#include "text/time.hpp"

#include <tidings/error.hpp>

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>

namespace tidings::dead_letters {
namespace {

constexpr std::size_t kLabelWidth = 12;
constexpr std::size_t kWidestText = 100;

/// Lines of `label   text`, wrapped under the text.
class Sheet {
 public:
  explicit Sheet(const Terminal& terminal) : terminal_(terminal) {}

  void line(std::string_view label, std::string_view untrusted) {
    std::string head(label);
    if (head.size() < kLabelWidth) head.resize(kLabelWidth, ' ');
    const std::size_t room = std::min(terminal_.width, kWidestText + kLabelWidth);
    const std::size_t width = terminal_.is_terminal ? std::max(room, head.size() + kLabelWidth) - head.size()
                                                    : Terminal::kUnlimited;
    for (const auto& each : tools::wrap(tools::printable(untrusted), width)) {
      text_ += styled(terminal_, Style::Dim, head) + each + "\n";
      head.assign(kLabelWidth, ' ');
    }
  }
  void heading(std::string_view title) { text_ += "\n" + styled(terminal_, Style::Bold, title) + "\n"; }
  /// Indented, and unchanged except for unprintable characters.
  void block(const std::string& untrusted) {
    std::istringstream lines(untrusted);
    for (std::string each; std::getline(lines, each);) text_ += "  " + tools::printable(each) + "\n";
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  const Terminal& terminal_;
  std::string text_;
};

/// `superseded by letter 8, edited by ann@web-3 on ...`: what edit notes is `edited by ann@web-3: letter 8`.
std::string superseded_text(const Command& command, const deadletter::StoredLetter& stored) {
  constexpr std::string_view kLetter = ": letter ";
  const std::string& note = stored.resolution_note;
  const auto at = note.rfind(kLetter);
  const std::string when =
      " on " + tools::readable_time(*stored.reprocessed_at) + ", " + command.ago(*stored.reprocessed_at);
  if (at == std::string::npos) return "superseded" + when + (note.empty() ? "" : ": " + command.masked(note));
  return "superseded by letter " + note.substr(at + kLetter.size()) + ", " + note.substr(0, at) + when;
}

std::string state_line(const Command& command, const deadletter::StoredLetter& stored) {
  std::string state(state_of(stored));
  if (stored.resolution == deadletter::Resolution::Superseded) return superseded_text(command, stored);
  if (stored.resolution) {
    const std::string note =
        stored.resolution_note.empty() ? "" : ": " + command.masked(stored.resolution_note);
    return state + " " + command.ago(*stored.reprocessed_at) + note;
  }
  if (state == "running") return "its handler is at work on it now, for " + stored.claim->by;
  if (state == "unresolved") return state;
  const std::string by = stored.claim
                             ? (stored.claim->alive ? ", taken by " : ", was taken by ") + stored.claim->by
                             : ", not taken yet: is the service running?";
  return "waiting to be delivered again since " + tools::readable_time(*stored.redrive_requested_at) + by;
}

std::string field_text(const Command& command, std::string_view name, const ContextValue& value) {
  const bool hidden = !command.line().reveal && command.redactor().denies(name);
  return hidden ? "[redacted]" : command.masked(value.to_string());
}

/// `4711 on web-3, release orders@1.4.2`.
std::string process_text(const FailingProcess& process) {
  std::string text = process.pid == 0 ? "" : std::to_string(process.pid);
  if (!process.host.empty()) text += (text.empty() ? "on " : " on ") + process.host;
  if (!process.release.empty()) text += (text.empty() ? "release " : ", release ") + process.release;
  return text;
}

void add_facts(Sheet& sheet, const Command& command, const deadletter::StoredLetter& stored) {
  const DeadLetter& letter = stored.letter;
  const Metadata& metadata = letter.metadata;
  sheet.line("state", state_line(command, stored));
  sheet.line("event", letter.event_type + (letter.schema_version > 1
                                               ? " (version " + std::to_string(letter.schema_version) + ")"
                                               : ""));
  sheet.line("handler", handler_name(letter.handler) + " of service " + letter.service);
  sheet.line("error", error_text(command, letter.error_type, letter.error_message));
  sheet.line("gave up", tools::readable_time(letter.failed_at) + ", " + command.ago(letter.failed_at) + ", " +
                            std::string(to_string(letter.reason)) + " after " +
                            (letter.retry_count == 1 ? std::string("1 retry")
                                                     : grouped(letter.retry_count) + " retries"));
  if (letter.process != FailingProcess()) sheet.line("process", process_text(letter.process));
  sheet.line("cause", letter.error_fingerprint);
  sheet.line("event id", metadata.event_id.to_string());
  if (metadata.foreign_id) {
    sheet.line("foreign id", command.masked(*metadata.foreign_id) + ", of " +
                                 (metadata.source.empty() ? std::string("an unknown source")
                                                          : command.masked(metadata.source)));
  }
  sheet.line("correlation", command.masked(metadata.correlation_id.to_string()));
  if (metadata.causation_id) sheet.line("caused by", metadata.causation_id->to_string());
  if (stored.edited_from) sheet.line("edited from", stored.edited_from->to_string());
  if (metadata.traceparent) sheet.line("trace", metadata.traceparent->to_string());
  if (const auto link = trace_link(letter)) sheet.line("trace link", tools::printable(*link));
  if (!metadata.tracestate.empty()) sheet.line("tracestate", command.masked(metadata.tracestate));
  if (letter.ordering_key) sheet.line("key", command.masked(*letter.ordering_key));
  sheet.line("published", tools::readable_time(metadata.published_at) + " by " + metadata.source.str());
}

/// Apart, and further in than the lines above: a field may have any of their names.
void add_fields(Sheet& sheet, const Command& command, const ContextFields& fields) {
  if (fields.empty()) return;
  sheet.heading("Context fields");
  for (const auto& [name, value] : fields)
    sheet.line("  " + std::string(name) + "  ", field_text(command, name, value));
}

/// What was bound to an attempt: `order_id=42 step=charge`.
std::string bound_text(const Command& command, const ContextFields& fields) {
  std::string text;
  for (const auto& [name, value] : fields)
    text += (text.empty() ? "" : " ") + name + "=" + field_text(command, name, value);
  return text;
}

std::string milliseconds(std::chrono::microseconds duration) {
  char text[48];
  std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(duration.count()) / 1000);
  return text;
}

bool has_same_error(const Attempt& left, const Attempt& right) {
  return left.error_type == right.error_type && left.error_message == right.error_message;
}

std::string span_text(const DeadLetter& letter, const Attempt& attempt) {
  const auto trace = trace_of(letter, attempt);
  return attempt.span_id->to_string() + (trace ? " of trace " + trace->to_string() : "");
}

/// With the numbers that records and handlers have of them. An attempt that the process died in has none if
/// it was before the letter was made, as no policy counts it.
void add_attempts(Sheet& sheet, const Command& command, const deadletter::StoredLetter& stored) {
  const auto& attempts = stored.letter.attempts;
  if (attempts.empty()) return;
  sheet.heading("Attempts");
  const std::size_t counted = stored.letter.retry_count + 1;
  const std::size_t left_out = counted > attempts.size() ? counted - attempts.size() : 0;
  std::size_t uncounted = counted < attempts.size() ? attempts.size() - counted : 0;
  std::size_t number = 0;
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    const Attempt& attempt = attempts[i];
    const bool died = attempt.error_type == "tidings::crashed";
    const bool gap = i > 0 && left_out > 0 && i == attempts.size() / 2;
    if (gap) {
      sheet.line("  ...", std::to_string(left_out) + " more, not kept");
      number += left_out;
    }
    std::string name = "-";
    if (died && uncounted > 0) {
      --uncounted;
    } else {
      name = std::to_string(++number);
    }
    const std::string when = tools::readable_time_exactly(attempt.at);
    const bool same = i > 0 && !gap && has_same_error(attempt, attempts[i - 1]);
    const std::string took = died ? "" : ", took " + milliseconds(attempt.duration);
    sheet.line("  " + name, when + took + (same ? ": the same error" : ""));
    if (!same) sheet.line("", error_text(command, attempt.error_type, attempt.error_message));
    if (!attempt.fields.empty()) sheet.line("", bound_text(command, attempt.fields));
    if (attempt.span_id) sheet.line("", "span " + span_text(stored.letter, attempt));
  }
}

std::string payload_heading(const Command& command, const EncodedData& data) {
  switch (data.encoding) {
    case DataEncoding::Cbor:
      return "Payload (kept as CBOR: JSON cannot say all of it)";
    case DataEncoding::Encrypted:
      return "Payload, " + describe_encrypted(data);
    case DataEncoding::Masked:
      return "Payload (" + tools::printable(command.masked(data.problem), 300) +
             "; cannot be delivered again)";
    case DataEncoding::Json:
    case DataEncoding::None:
      break;
  }
  return "Payload";
}

void add_payload(Sheet& sheet, Command& command, const DeadLetter& letter) {
  const EncodedData& data = letter.data;
  sheet.heading(payload_heading(command, data));
  if (data.encoding == DataEncoding::None) return sheet.block("none: " + command.masked(data.problem));
  try {
    const auto readable = readable_data(command, letter);
    if (!readable) return sheet.block("not shown: give --key-file FILE, or set TIDINGS_KEY_FILE");
    const Json payload = command.masked_json(decode_data(readable->bytes, readable->encoding));
    sheet.block(payload.dump(2, ' ', false, Json::error_handler_t::replace));
  } catch (const Error& error) {
    sheet.block(command.masked(std::string("cannot be read: ") + error.what()));
  }
}

void propose(Command& command, const char* what, const std::string& rest) {
  command.advise(what + command.self() + " " + rest);
}

void say_how_to_deliver(Command& command, const deadletter::StoredLetter& stored) {
  const std::string id = std::to_string(stored.id);
  switch (obstacle_of(command, stored)) {
    case Obstacle::None:
      propose(command, "Deliver it again:  ", "retry " + id + " --wait");
      return propose(command, "Or correct it:     ", "edit " + id);
    case Obstacle::NoHandler:
      return command.advise(
          "It cannot be delivered again: no handler was subscribed. Subscribe one and publish the event "
          "again.");
    case Obstacle::NoPayload:
      command.advise("It cannot be delivered again, having no payload.");
      return propose(command, "Give it one:       ", "edit " + id + " --file FILE");
    case Obstacle::Masked:
      return command.advise(
          "It cannot be delivered again, as fields of its payload are masked. Publish a corrected event.");
    case Obstacle::HeldBack:
      break;
  }
  if (const auto held_back = command.reader().find_held_back({.ids = {{stored.id}}})) {
    command.advise("It is parked: letter " + std::to_string(held_back->behind) +
                   " of its ordering key goes first.");
    command.advise("What goes first:   " + command_for_earlier(command, *held_back));
  }
}

void say_what_next(Command& command, const deadletter::StoredLetter& stored) {
  const std::string id = std::to_string(stored.id);
  const std::string state(state_of(stored));
  command.advise("");
  if (state == "unresolved") {
    say_how_to_deliver(command, stored);
    const auto obstacle = obstacle_of(command, stored);
    const bool only_way = obstacle == Obstacle::NoHandler || obstacle == Obstacle::Masked;
    propose(command,
            only_way ? "Then give it up:   " : "Or give it up:     ", "discard " + id + " --reason '...'");
  } else if (state == "waiting") {
    const std::string cause = why_stuck(command, {.ids = {{stored.id}}});
    if (!cause.empty()) command.advise("It is not taken: " + cause);
  } else if (state == "discarded") {
    propose(command, "Take it back:      ", "undo " + id);
  }
  propose(command, "The whole request: ",
          "trace " + tools::printable(tools::shell_word(stored.letter.metadata.correlation_id.to_string())));
}

}  // namespace

ExitStatus run_show(Command& command) {
  const auto stored = command.letter(command.line().letters.front());
  if (command.line().json) {
    OrderedJson letter = letter_to_json(command, stored);
    letter["fields"] = fields_to_json(command, stored.letter.metadata.fields);
    letter["attempts"] = attempts_to_json(command, stored);
    const auto link = trace_link(stored.letter);
    letter["trace_link"] = link ? OrderedJson(*link) : OrderedJson(nullptr);
    letter["event"] = event_to_json(command, stored);
    command.print_json({{"letter", std::move(letter)}});
    return ExitStatus::Ok;
  }
  Sheet sheet(command.streams().out_terminal);
  sheet.line("letter", std::to_string(stored.id));
  add_facts(sheet, command, stored);
  add_fields(sheet, command, stored.letter.metadata.fields);
  add_attempts(sheet, command, stored);
  add_payload(sheet, command, stored.letter);
  command.print(sheet.text());
  say_what_next(command, stored);
  return ExitStatus::Ok;
}

}  // namespace tidings::dead_letters
