#include <tidings/dead_letter.hpp>

#include <tidings/detail/base64.hpp>
#include <tidings/detail/context_json.hpp>
#include <tidings/detail/parse_json.hpp>
#include <tidings/detail/quoted.hpp>
#include <tidings/detail/utf8.hpp>

#include <cstddef>
#include <limits>
#include <utility>

namespace tidings {
namespace {

// Keeps a line's members in an order that is pleasant to read.
using Line = nlohmann::ordered_json;

constexpr int kFormat = 1;

// Bounds for lines from elsewhere; a letter is far below both.
constexpr std::size_t kMaxLineDepth = 8;
constexpr std::size_t kMaxLineKeys = 2'000;

/// What is added to the name of a field for the field of its bytes.
constexpr const char* kBase64 = "_base64";

// --- writing ---

template <class T>
Line text_or_null(const std::optional<T>& value) {
  return value ? Line(value->to_string()) : Line(nullptr);
}

std::int64_t microseconds_of(Timestamp time) { return time.time_since_epoch().count(); }

/// A text that may hold any bytes. JSON holds UTF-8 alone, so another is there twice: as people can read it,
/// which is all that versions before this one look at, and as it is.
void add_bytes(Line& object, const std::string& name, std::string_view value) {
  object[name] = value;
  if (!detail::is_valid_utf8(value)) object[name + kBase64] = detail::to_base64(value);
}

/// JSON travels as text, byte for byte; what is not UTF-8 as base64.
void add_data(Line& line, const EncodedData& data) {
  line["data_encoding"] = to_string(data.encoding);
  const bool is_json = data.encoding == DataEncoding::Json || data.encoding == DataEncoding::Masked;
  const bool is_text = is_json && detail::is_valid_utf8(data.bytes);
  if (is_text) {
    line["event_data"] = data.bytes;
  } else {
    line["event_data_base64"] = detail::to_base64(data.bytes);
  }
  if (!data.problem.empty()) add_bytes(line, "data_problem", data.problem);
}

void add_metadata(Line& line, const Metadata& metadata) {
  const CorrelationId& correlation_id = metadata.correlation_id;
  line["correlation_id"] = correlation_id.empty() ? Line(nullptr) : Line(correlation_id.to_string());
  line["causation_id"] = text_or_null(metadata.causation_id);
  line["traceparent"] = text_or_null(metadata.traceparent);
  add_bytes(line, "tracestate", metadata.tracestate.view());
  line["published_at"] = microseconds_of(metadata.published_at);
  add_bytes(line, "source", metadata.source.view());
  if (metadata.foreign_id) add_bytes(line, "foreign_id", *metadata.foreign_id);
  line["attributes"] = Line::array();
  for (const auto& [name, value] : metadata.fields)
    line["attributes"].push_back(
        {name, std::visit([](const auto& each) { return Line(each); }, value.storage())});
  line["causation_depth"] = metadata.causation_depth;
}

void add_process(Line& line, const FailingProcess& process) {
  if (!process.host.empty()) add_bytes(line, "host", process.host);
  if (process.pid != 0) line["pid"] = process.pid;
  if (!process.release.empty()) add_bytes(line, "release", process.release);
}

void add_failure(Line& line, const DeadLetter& letter) {
  line["reason"] = to_string(letter.reason);
  add_bytes(line, "error_type", letter.error_type);
  add_bytes(line, "error_message", letter.error_message);
  line["error_fingerprint"] = letter.error_fingerprint;
  line["ordering_key"] = nullptr;
  if (letter.ordering_key) add_bytes(line, "ordering_key", *letter.ordering_key);
  line["failed_at"] = microseconds_of(letter.failed_at);
  line["retry_count"] = letter.retry_count;
  line["attempts"] = Line::array();
  for (const Attempt& attempt : letter.attempts) {
    Line each = {{"at", microseconds_of(attempt.at)}, {"duration_us", attempt.duration.count()}};
    add_bytes(each, "error_type", attempt.error_type);
    add_bytes(each, "error_message", attempt.error_message);
    if (!attempt.fields.empty())
      each["fields"] = detail::parse_ordered_json(detail::context_to_json(attempt.fields));
    if (attempt.span_id) each["span_id"] = attempt.span_id->to_string();
    if (attempt.trace_id) each["trace_id"] = attempt.trace_id->to_string();
    line["attempts"].push_back(std::move(each));
  }
  add_process(line, letter.process);
}

// --- reading ---

[[noreturn]] void refuse_letter(const std::string& problem) {
  throw Error(ErrorCode::NotDecodable, "not a dead letter's JSON line: " + problem);
}

[[noreturn]] void refuse_field(std::string_view name, const std::string& rule) {
  refuse_letter("field " + detail::quoted(name) + " " + rule);
}

Json parse_text(std::string_view text) try {
  return detail::parse_json(text, kMaxLineDepth);
} catch (const Error& error) {
  refuse_letter(error.what());
}

/// Reads one JSON object, refusing what no letter looks like before it costs much.
Json parse_line(std::string_view text) {
  if (detail::bracket_depth(text) > kMaxLineDepth) refuse_letter("it nests deeper than a letter does");
  Json line = parse_text(text);
  if (!line.is_object()) refuse_letter("it is not a JSON object");
  if (line.size() > kMaxLineKeys) refuse_letter("it has more fields than a letter has");
  return line;
}

/// The fields of a JSON object, each checked for its type.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  [[nodiscard]] bool has(const char* name) const { return object_.contains(name); }

  [[nodiscard]] const Json& any(const char* name) const {
    const auto found = object_.find(name);
    if (found == object_.end()) refuse_field(name, "is missing");
    return *found;
  }
  [[nodiscard]] std::string text(const char* name) const {
    const Json& value = any(name);
    if (!value.is_string()) refuse_field(name, "must be a string");
    return value.get<std::string>();
  }
  [[nodiscard]] const Json& array(const char* name) const {
    const Json& value = any(name);
    if (!value.is_array()) refuse_field(name, "must be an array");
    return value;
  }
  template <class Integer>
  [[nodiscard]] Integer integer(const char* name) const;

  [[nodiscard]] Timestamp time(const char* name) const {
    return Timestamp(std::chrono::microseconds(integer<std::int64_t>(name)));
  }
  /// What `parse` makes of the text; refused when it makes nothing.
  template <class Parse>
  [[nodiscard]] auto parsed(const char* name, Parse parse) const {
    auto value = parse(text(name));
    if (!value) refuse_field(name, "has a value that tidings does not know");
    return *std::move(value);
  }
  template <class Parse>
  [[nodiscard]] auto optional_parsed(const char* name, Parse parse) const
      -> decltype(parse(std::string_view())) {
    if (any(name).is_null()) return std::nullopt;
    return parsed(name, parse);
  }
  /// The inverse of add_bytes.
  [[nodiscard]] std::string bytes(const char* name) const {
    std::string readable = text(name);
    const std::string exact = std::string(name) + kBase64;
    return has(exact.c_str()) ? parsed(exact.c_str(), detail::from_base64) : readable;
  }
  [[nodiscard]] std::optional<std::string> optional_bytes(const char* name) const {
    return any(name).is_null() ? std::nullopt : std::optional(bytes(name));
  }

 private:
  const Json& object_;
};

template <class Integer>
Integer Fields::integer(const char* name) const {
  using Limits = std::numeric_limits<Integer>;
  const Json& value = any(name);
  const bool fits_signed =
      !value.is_number_unsigned() ||
      value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()};
  if (!value.is_number_integer() || !fits_signed || value.get<std::int64_t>() < std::int64_t{Limits::min()} ||
      value.get<std::int64_t>() > std::int64_t{Limits::max()}) {
    refuse_field(name, "must be an integer from " + std::to_string(Limits::min()) + " to " +
                           std::to_string(Limits::max()));
  }
  return value.get<Integer>();
}

EncodedData read_data(const Fields& fields) {
  EncodedData data;
  data.encoding = fields.parsed("data_encoding", parse_data_encoding);
  if (fields.has("event_data")) {
    data.bytes = fields.text("event_data");
  } else {
    data.bytes = fields.parsed("event_data_base64", detail::from_base64);
  }
  if (fields.has("data_problem")) data.problem = fields.bytes("data_problem");
  return data;
}

ContextFields read_attributes(const Json& array) {
  std::vector<ContextFields::Entry> entries;
  for (const Json& pair : array) {
    const bool is_pair = pair.is_array() && pair.size() == 2 && pair[0].is_string();
    auto value = is_pair ? ContextValue::from_json(pair[1]) : std::nullopt;
    if (!value)
      refuse_field("attributes", "must be an array of pairs of a name and a text, number or Boolean");
    entries.push_back({pair[0].get<std::string>(), *std::move(value)});
  }
  return ContextFields::of_stored(std::move(entries));
}

Metadata read_metadata(const Fields& fields) {
  Metadata metadata;
  metadata.event_id = fields.parsed("event_id", EventId::parse);
  metadata.correlation_id =
      fields.optional_parsed("correlation_id", CorrelationId::parse).value_or(CorrelationId());
  metadata.causation_id = fields.optional_parsed("causation_id", EventId::parse);
  metadata.traceparent = fields.optional_parsed("traceparent", TraceParent::parse);
  metadata.tracestate = fields.bytes("tracestate");
  metadata.published_at = fields.time("published_at");
  metadata.source = fields.bytes("source");
  if (fields.has("foreign_id")) metadata.foreign_id = fields.bytes("foreign_id");
  metadata.fields = read_attributes(fields.array("attributes"));
  metadata.causation_depth = fields.integer<std::uint32_t>("causation_depth");
  return metadata;
}

ContextFields read_bound(const Json& attempt) {
  const auto found = attempt.find("fields");
  if (found == attempt.end()) return {};
  try {
    return detail::context_of_json(*found);
  } catch (const Error&) {
    refuse_field("fields", "must be an object of texts, numbers and Booleans");
  }
}

std::vector<Attempt> read_attempts(const Json& array) {
  std::vector<Attempt> attempts;
  for (const Json& object : array) {
    if (!object.is_object()) refuse_field("attempts", "must be an array of objects");
    const Fields fields(object);
    attempts.push_back(
        {.at = fields.time("at"),
         .duration = std::chrono::microseconds(fields.integer<std::int64_t>("duration_us")),
         .error_type = fields.bytes("error_type"),
         .error_message = fields.bytes("error_message"),
         .fields = read_bound(object),
         .span_id =
             fields.has("span_id") ? std::optional(fields.parsed("span_id", SpanId::parse)) : std::nullopt,
         .trace_id = fields.has("trace_id") ? std::optional(fields.parsed("trace_id", TraceId::parse))
                                            : std::nullopt});
  }
  return attempts;
}

FailingProcess read_process(const Fields& fields) {
  FailingProcess process;
  if (fields.has("host")) process.host = fields.bytes("host");
  if (fields.has("pid")) process.pid = fields.integer<std::int64_t>("pid");
  if (fields.has("release")) process.release = fields.bytes("release");
  return process;
}

void read_failure(const Fields& fields, DeadLetter& letter) {
  letter.reason = fields.parsed("reason", parse_reason);
  letter.error_type = fields.bytes("error_type");
  letter.error_message = fields.bytes("error_message");
  letter.error_fingerprint = fields.text("error_fingerprint");
  letter.ordering_key = fields.optional_bytes("ordering_key");
  letter.failed_at = fields.time("failed_at");
  letter.retry_count = fields.integer<std::uint32_t>("retry_count");
  letter.attempts = read_attempts(fields.array("attempts"));
  letter.process = read_process(fields);
}

}  // namespace

std::string to_json_line(const DeadLetter& letter) {
  Line line = Line::object();
  line["letter_format"] = kFormat;
  line["service"] = letter.service;
  line["event_type"] = letter.event_type;
  line["schema_version"] = letter.schema_version;
  line["handler"] = letter.handler;
  line["event_id"] = letter.metadata.event_id.to_string();
  add_failure(line, letter);
  add_metadata(line, letter.metadata);
  add_data(line, letter.data);
  constexpr bool kEnsureAscii = true;
  return line.dump(-1, ' ', kEnsureAscii, Line::error_handler_t::replace);
}

DeadLetter parse_json_line(std::string_view text) {
  const Json line = parse_line(text);
  const Fields fields(line);
  if (fields.integer<int>("letter_format") != kFormat) {
    refuse_field("letter_format", "is of a newer tidings: read the line with that version");
  }
  DeadLetter letter;
  letter.service = fields.text("service");
  letter.event_type = fields.text("event_type");
  letter.schema_version = fields.integer<int>("schema_version");
  letter.handler = fields.text("handler");
  read_failure(fields, letter);
  letter.metadata = read_metadata(fields);
  letter.data = read_data(fields);
  return letter;
}

}  // namespace tidings
