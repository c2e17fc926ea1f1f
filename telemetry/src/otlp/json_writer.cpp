#include "otlp/json_writer.hpp"

#include <tidings/detail/json_string.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace tidings::telemetry {
namespace {

constexpr std::string_view kLowercaseDigits = "0123456789abcdef";

template <class Number>
void append_number(std::string& out, Number value) {
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), end);
}

}  // namespace

void JsonWriter::number(OtlpField field, std::uint32_t value) {
  if (value == 0) return;
  key(field);
  append_number(out_, value);
}

void JsonWriter::fixed64(OtlpField field, std::uint64_t value) {
  if (value == 0) return;
  key(field);
  unsigned_text(value);
}

void JsonWriter::id(OtlpField field, std::span<const std::uint8_t> bytes) {
  if (std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; })) return;
  key(field);
  out_ += '"';
  for (const std::uint8_t byte : bytes) {
    out_ += kLowercaseDigits[byte >> 4U];
    out_ += kLowercaseDigits[byte & 15U];
  }
  out_ += '"';
}

void JsonWriter::boolean_anyway(OtlpField field, bool value) {
  key(field);
  out_ += value ? "true" : "false";
}

void JsonWriter::integer_anyway(OtlpField field, std::int64_t value) {
  key(field);
  out_ += '"';
  append_number(out_, value);
  out_ += '"';
}

void JsonWriter::real_anyway(OtlpField field, double value) {
  key(field);
  real(value);
}

void JsonWriter::text_anyway(OtlpField field, std::string_view value) {
  key(field);
  detail::append_json_string(out_, value);
}

void JsonWriter::fixed64s(OtlpField field, std::span<const std::uint64_t> values) {
  if (values.empty()) return;
  key(field);
  out_ += '[';
  for (const std::uint64_t value : values) {
    separate();
    unsigned_text(value);
  }
  out_ += ']';
}

void JsonWriter::reals(OtlpField field, std::span<const double> values) {
  if (values.empty()) return;
  key(field);
  out_ += '[';
  for (const double value : values) {
    separate();
    real(value);
  }
  out_ += ']';
}

void JsonWriter::key(OtlpField field) {
  separate();
  ((out_ += '"') += field.name) += "\":";
}

void JsonWriter::separate() {
  if (out_.back() != '{' && out_.back() != '[') out_ += ',';
}

void JsonWriter::unsigned_text(std::uint64_t value) {
  out_ += '"';
  append_number(out_, value);
  out_ += '"';
}

void JsonWriter::real(double value) {
  if (std::isfinite(value)) {
    append_number(out_, value);
  } else {
    out_ += std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  }
}

}  // namespace tidings::telemetry
