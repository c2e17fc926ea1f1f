#pragma once

#include "otlp/field.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tidings::telemetry {

/// Writes the JSON of OTLP: that of Protocol Buffers, but ids are hexadecimal and enums are numbers. 64-bit
/// integers are text. The functions are those of ProtobufWriter. The message as a whole is the one object in
/// `out`, from construction to finish().
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) { out_ += '{'; }
  void finish() { out_ += '}'; }

  void number(OtlpField field, std::uint32_t value);
  void fixed32(OtlpField field, std::uint32_t value) { number(field, value); }
  void fixed64(OtlpField field, std::uint64_t value);
  void boolean(OtlpField field, bool value) {
    if (value) boolean_anyway(field, value);
  }
  void text(OtlpField field, std::string_view value) {
    if (!value.empty()) text_anyway(field, value);
  }
  void id(OtlpField field, std::span<const std::uint8_t> bytes);

  void boolean_anyway(OtlpField field, bool value);
  void integer_anyway(OtlpField field, std::int64_t value);
  void sfixed64_anyway(OtlpField field, std::int64_t value) { integer_anyway(field, value); }
  void real_anyway(OtlpField field, double value);
  void text_anyway(OtlpField field, std::string_view value);

  void fixed64s(OtlpField field, std::span<const std::uint64_t> values);
  void reals(OtlpField field, std::span<const double> values);

  template <class Write>
  void message(OtlpField field, Write write) {
    key(field);
    object([&] { write(*this); });
  }
  template <class Items, class Write>
  void messages(OtlpField field, const Items& items, Write write) {
    if (std::begin(items) == std::end(items)) return;
    key(field);
    out_ += '[';
    for (const auto& item : items) {
      separate();
      object([&] { write(*this, item); });
    }
    out_ += ']';
  }

 private:
  template <class Write>
  void object(Write write) {
    out_ += '{';
    write();
    out_ += '}';
  }
  void key(OtlpField field);
  /// A comma, unless the object or array has just begun.
  void separate();
  void unsigned_text(std::uint64_t value);
  void real(double value);

  std::string& out_;
};

}  // namespace tidings::telemetry
