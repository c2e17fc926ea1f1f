#include "otlp/response.hpp"

#include "otlp/protobuf_reader.hpp"

#include <tidings/detail/parse_json.hpp>
#include <tidings/detail/utf8.hpp>
#include <tidings/error.hpp>
#include <tidings/event.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace tidings::telemetry {
namespace {

/// What each signal calls the number of items that were not taken.
constexpr std::array<const char*, 3> kRejected = {"rejectedSpans", "rejectedLogRecords",
                                                  "rejectedDataPoints"};

std::string shortened(std::string_view text) { return std::string(text.substr(0, kMostReceiverText)); }

/// No number of items is negative.
std::uint64_t as_count(std::int64_t number) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0));
}

ReceiverAnswer answer_of(std::string_view partial_success) {
  ReceiverAnswer answer;
  ProtobufReader reader(partial_success);
  while (const auto field = reader.next()) {
    if (field->number == 1) answer.rejected = as_count(static_cast<std::int64_t>(field->value));
    if (field->number == 2) answer.message = shortened(field->bytes);
  }
  return answer;
}

/// The bytes of the last field of that number.
std::string_view message_within(std::string_view body, std::uint64_t number) noexcept {
  std::string_view found;
  ProtobufReader reader(body);
  while (const auto field = reader.next()) {
    if (field->number == number) found = field->bytes;
  }
  return reader.at_end() ? found : std::string_view();
}

Json parsed_or_null(std::string_view body) {
  try {
    return detail::parse_json(body);
  } catch (const Error&) {
    return nullptr;
  }
}

/// 64-bit numbers are text in JSON, but some write them as numbers.
std::uint64_t count_in(const Json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (!value.is_string()) return 0;
  const auto& text = value.get_ref<const std::string&>();
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return as_count(number);
}

std::string text_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return {};
  return shortened(found->get_ref<const std::string&>());
}

ReceiverAnswer answer_of(const Json& response) {
  if (!response.is_object() || !response.contains("partialSuccess")) return {};
  const Json& partial = response.at("partialSuccess");
  if (!partial.is_object()) return {};
  ReceiverAnswer answer{0, text_in(partial, "errorMessage")};
  for (const char* name : kRejected) {
    if (partial.contains(name)) answer.rejected = count_in(partial.at(name));
  }
  return answer;
}

}  // namespace

ReceiverAnswer read_answer(std::string_view body, OtlpEncoding encoding) {
  if (encoding == OtlpEncoding::Json) return answer_of(parsed_or_null(body));
  return answer_of(message_within(body, 1));
}

std::string read_refusal(std::string_view body, OtlpEncoding encoding) {
  const Json json = encoding == OtlpEncoding::Json ? parsed_or_null(body) : Json();
  std::string said = json.is_object() ? text_in(json, "message")
                                      : shortened(encoding == OtlpEncoding::Json ? std::string_view()
                                                                                 : message_within(body, 2));
  if (!said.empty()) return said;
  return detail::is_valid_utf8(body) ? shortened(body) : std::string();
}

}  // namespace tidings::telemetry
