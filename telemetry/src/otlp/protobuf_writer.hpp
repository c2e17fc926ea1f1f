#pragma once

#include "otlp/field.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tidings::telemetry {

/// Writes the wire format of Protocol Buffers, as far as OTLP needs it. What has the default value of its
/// type is left out, as other encoders do with proto3; the functions `..._anyway`, for members of a `oneof`
/// and optional fields, always write.
class ProtobufWriter {
 public:
  explicit ProtobufWriter(std::string& out) noexcept : out_(out) {}

  /// uint32 and enums.
  void number(OtlpField field, std::uint32_t value) {
    if (value != 0) varint_anyway(field, value);
  }
  void fixed32(OtlpField field, std::uint32_t value);
  void fixed64(OtlpField field, std::uint64_t value) {
    if (value != 0) fixed64_anyway(field, value);
  }
  void boolean(OtlpField field, bool value) {
    if (value) boolean_anyway(field, value);
  }
  /// Ill-formed UTF-8 becomes U+FFFD: decoders refuse a whole message for one string that is none.
  void text(OtlpField field, std::string_view value) {
    if (!value.empty()) text_anyway(field, value);
  }
  /// An id of a trace or span; left out if it is all zero.
  void id(OtlpField field, std::span<const std::uint8_t> bytes);

  void boolean_anyway(OtlpField field, bool value) { varint_anyway(field, value ? 1 : 0); }
  void integer_anyway(OtlpField field, std::int64_t value) {
    varint_anyway(field, static_cast<std::uint64_t>(value));
  }
  void sfixed64_anyway(OtlpField field, std::int64_t value) {
    fixed64_anyway(field, static_cast<std::uint64_t>(value));
  }
  void real_anyway(OtlpField field, double value);
  void text_anyway(OtlpField field, std::string_view value);

  /// Repeated fixed64 and double, packed.
  void fixed64s(OtlpField field, std::span<const std::uint64_t> values);
  void reals(OtlpField field, std::span<const double> values);

  /// A message within the message, also when it is empty; `write(writer)` writes its fields.
  template <class Write>
  void message(OtlpField field, Write write) {
    const std::size_t start = begin(field);
    write(*this);
    end(start);
  }
  /// A repeated field: one message for each of `items`; `write(writer, item)`.
  template <class Items, class Write>
  void messages(OtlpField field, const Items& items, Write write) {
    for (const auto& item : items) {
      const std::size_t start = begin(field);
      write(*this, item);
      end(start);
    }
  }

 private:
  void tag(OtlpField field, std::uint32_t wire_type);
  void varint(std::uint64_t value);
  void little_endian(std::uint64_t value, std::size_t bytes);
  void varint_anyway(OtlpField field, std::uint64_t value);
  void fixed64_anyway(OtlpField field, std::uint64_t value);
  /// Returns where the message begins, for end(), which puts its length before what was written since.
  [[nodiscard]] std::size_t begin(OtlpField field);
  void end(std::size_t begin);

  std::string& out_;
};

}  // namespace tidings::telemetry
