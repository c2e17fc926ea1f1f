#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::telemetry {

/// Writes the wire format of Protocol Buffers, as far as OTLP needs it: varints, fixed64, lengths. Fields
/// with the default value of proto3 are left out, as its own encoders do; begin() and end() always write
/// theirs.
class ProtobufWriter {
 public:
  explicit ProtobufWriter(std::string& out) noexcept : out_(out) {}

  void unsigned_field(std::uint32_t number, std::uint64_t value);
  void fixed32_field(std::uint32_t number, std::uint32_t value);
  void fixed64_field(std::uint32_t number, std::uint64_t value);
  void double_field(std::uint32_t number, double value);
  /// Ill-formed UTF-8 becomes U+FFFD: decoders refuse a whole message for one string that is none.
  void string_field(std::uint32_t number, std::string_view text);
  void bytes_field(std::uint32_t number, const void* bytes, std::size_t count);

  /// Members of a `oneof`, and values of packed fields, are there though they are the default.
  void varint_anyway(std::uint32_t number, std::uint64_t value);
  void fixed64_anyway(std::uint32_t number, std::uint64_t value);
  void string_anyway(std::uint32_t number, std::string_view text);
  void double_anyway(std::uint32_t number, double value);
  void packed_fixed64(std::uint32_t number, const std::uint64_t* values, std::size_t count);
  void packed_doubles(std::uint32_t number, const double* values, std::size_t count);

  /// Opens a message within the message; returns where it begins, for end().
  [[nodiscard]] std::size_t begin(std::uint32_t number);
  /// Closes it: its length goes before what was written since.
  void end(std::size_t begin);

 private:
  void tag(std::uint32_t number, std::uint32_t wire_type);
  void varint(std::uint64_t value);
  void little_endian(std::uint64_t value, std::size_t bytes);

  std::string& out_;
};

}  // namespace tidings::telemetry
