#include "otlp/protobuf_reader.hpp"

namespace tidings::telemetry {

std::optional<ProtobufReader::Field> ProtobufReader::next() noexcept {
  const auto tag = varint();
  if (!tag || *tag >> 3U == 0) return std::nullopt;
  Field field;
  field.number = *tag >> 3U;
  const std::uint64_t wire_type = *tag & 7U;
  const auto value = wire_type == 0 || wire_type == 2 ? varint()
                     : wire_type == 1                 ? fixed(8)
                     : wire_type == 5                 ? fixed(4)
                                                      : std::nullopt;
  if (!value) return std::nullopt;
  field.value = *value;
  if (wire_type == 2) {
    if (*value > rest_.size()) return std::nullopt;
    field.bytes = rest_.substr(0, *value);
    rest_.remove_prefix(*value);
  }
  return field;
}

std::optional<std::uint64_t> ProtobufReader::varint() noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>(rest_[i]);
    value |= std::uint64_t{byte & 0x7FU} << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ProtobufReader::fixed(std::size_t bytes) noexcept {
  if (rest_.size() < bytes) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
  rest_.remove_prefix(bytes);
  return value;
}

}  // namespace tidings::telemetry
