#include "otlp/protobuf_writer.hpp"

#include <tidings/detail/utf8.hpp>

#include <algorithm>
#include <bit>

namespace tidings::telemetry {
namespace {

constexpr std::uint32_t kVarint = 0;
constexpr std::uint32_t kFixed64 = 1;
constexpr std::uint32_t kLengthDelimited = 2;
constexpr std::uint32_t kFixed32 = 5;

/// A length is not known before its message is written. It gets as many bytes as most need, and the message
/// is moved when it needs more.
constexpr std::size_t kReservedLength = 1;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::size_t varint_size(std::uint64_t value) noexcept {
  return (static_cast<std::size_t>(std::bit_width(value | 1U)) + 6) / 7;
}

std::string well_formed(std::string_view text) {
  std::string result;
  result.reserve(text.size() + kReplacement.size());
  while (!text.empty()) {
    const detail::CodePoint point = detail::first_code_point(text);
    result += point.valid ? text.substr(0, point.length) : kReplacement;
    text.remove_prefix(point.length);
  }
  return result;
}

}  // namespace

void ProtobufWriter::fixed32(OtlpField field, std::uint32_t value) {
  if (value == 0) return;
  tag(field, kFixed32);
  little_endian(value, sizeof value);
}

void ProtobufWriter::id(OtlpField field, std::span<const std::uint8_t> bytes) {
  if (std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; })) return;
  tag(field, kLengthDelimited);
  varint(bytes.size());
  out_.append(bytes.begin(), bytes.end());
}

void ProtobufWriter::real_anyway(OtlpField field, double value) {
  fixed64_anyway(field, std::bit_cast<std::uint64_t>(value));
}

void ProtobufWriter::text_anyway(OtlpField field, std::string_view value) {
  if (!detail::is_valid_utf8(value)) return text_anyway(field, well_formed(value));
  tag(field, kLengthDelimited);
  varint(value.size());
  out_ += value;
}

void ProtobufWriter::fixed64s(OtlpField field, std::span<const std::uint64_t> values) {
  if (values.empty()) return;
  tag(field, kLengthDelimited);
  varint(values.size_bytes());
  for (const std::uint64_t value : values) little_endian(value, sizeof value);
}

void ProtobufWriter::reals(OtlpField field, std::span<const double> values) {
  if (values.empty()) return;
  tag(field, kLengthDelimited);
  varint(values.size_bytes());
  for (const double value : values) little_endian(std::bit_cast<std::uint64_t>(value), sizeof value);
}

void ProtobufWriter::tag(OtlpField field, std::uint32_t wire_type) {
  varint(std::uint64_t{field.number} << 3U | wire_type);
}

void ProtobufWriter::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out_ += static_cast<char>(value | 0x80U);
  out_ += static_cast<char>(value);
}

void ProtobufWriter::little_endian(std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i, value >>= 8U) out_ += static_cast<char>(value);
}

void ProtobufWriter::varint_anyway(OtlpField field, std::uint64_t value) {
  tag(field, kVarint);
  varint(value);
}

void ProtobufWriter::fixed64_anyway(OtlpField field, std::uint64_t value) {
  tag(field, kFixed64);
  little_endian(value, sizeof value);
}

std::size_t ProtobufWriter::begin(OtlpField field) {
  tag(field, kLengthDelimited);
  out_.append(kReservedLength, '\0');
  return out_.size();
}

void ProtobufWriter::end(std::size_t begin) {
  std::uint64_t length = out_.size() - begin;
  const std::size_t needed = varint_size(length);
  if (needed > kReservedLength) out_.insert(begin, needed - kReservedLength, '\0');
  std::size_t at = begin - kReservedLength;
  for (; length >= 0x80; length >>= 7U) out_[at++] = static_cast<char>(length | 0x80U);
  out_[at] = static_cast<char>(length);
}

}  // namespace tidings::telemetry
