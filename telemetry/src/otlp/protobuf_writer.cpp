#include "otlp/protobuf_writer.hpp"

#include <tidings/detail/utf8.hpp>

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

void ProtobufWriter::unsigned_field(std::uint32_t number, std::uint64_t value) {
  if (value != 0) varint_anyway(number, value);
}

void ProtobufWriter::fixed32_field(std::uint32_t number, std::uint32_t value) {
  if (value == 0) return;
  tag(number, kFixed32);
  little_endian(value, sizeof value);
}

void ProtobufWriter::fixed64_field(std::uint32_t number, std::uint64_t value) {
  if (value != 0) fixed64_anyway(number, value);
}

void ProtobufWriter::double_field(std::uint32_t number, double value) {
  fixed64_field(number, std::bit_cast<std::uint64_t>(value));
}

void ProtobufWriter::string_field(std::uint32_t number, std::string_view text) {
  if (!text.empty()) string_anyway(number, text);
}

void ProtobufWriter::bytes_field(std::uint32_t number, const void* bytes, std::size_t count) {
  if (count == 0) return;
  tag(number, kLengthDelimited);
  varint(count);
  out_.append(static_cast<const char*>(bytes), count);
}

void ProtobufWriter::varint_anyway(std::uint32_t number, std::uint64_t value) {
  tag(number, kVarint);
  varint(value);
}

void ProtobufWriter::fixed64_anyway(std::uint32_t number, std::uint64_t value) {
  tag(number, kFixed64);
  little_endian(value, sizeof value);
}

void ProtobufWriter::string_anyway(std::uint32_t number, std::string_view text) {
  if (!detail::is_valid_utf8(text)) return string_anyway(number, well_formed(text));
  tag(number, kLengthDelimited);
  varint(text.size());
  out_ += text;
}

void ProtobufWriter::double_anyway(std::uint32_t number, double value) {
  fixed64_anyway(number, std::bit_cast<std::uint64_t>(value));
}

void ProtobufWriter::packed_fixed64(std::uint32_t number, const std::uint64_t* values, std::size_t count) {
  if (count == 0) return;
  tag(number, kLengthDelimited);
  varint(count * sizeof *values);
  for (std::size_t i = 0; i < count; ++i) little_endian(values[i], sizeof *values);
}

void ProtobufWriter::packed_doubles(std::uint32_t number, const double* values, std::size_t count) {
  if (count == 0) return;
  tag(number, kLengthDelimited);
  varint(count * sizeof *values);
  for (std::size_t i = 0; i < count; ++i)
    little_endian(std::bit_cast<std::uint64_t>(values[i]), sizeof *values);
}

std::size_t ProtobufWriter::begin(std::uint32_t number) {
  tag(number, kLengthDelimited);
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

void ProtobufWriter::tag(std::uint32_t number, std::uint32_t wire_type) {
  varint(std::uint64_t{number} << 3U | wire_type);
}

void ProtobufWriter::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out_ += static_cast<char>(value | 0x80U);
  out_ += static_cast<char>(value);
}

void ProtobufWriter::little_endian(std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i, value >>= 8U) out_ += static_cast<char>(value);
}

}  // namespace tidings::telemetry
