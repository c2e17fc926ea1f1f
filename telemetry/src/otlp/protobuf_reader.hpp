#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tidings::telemetry {

/// Reads the fields of one message in the wire format of Protocol Buffers, whoever has written it.
class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view message) noexcept : rest_(message) {}

  struct Field {
    std::uint64_t number = 0;
    /// Of a varint or a fixed number.
    std::uint64_t value = 0;
    /// Of a text, bytes or a message; part of what is read.
    std::string_view bytes = {};
  };

  /// Nothing at the end, and where what follows is none. Groups, which nobody writes any more, are none.
  [[nodiscard]] std::optional<Field> next() noexcept;
  /// Whether the whole message was read.
  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }

 private:
  [[nodiscard]] std::optional<std::uint64_t> varint() noexcept;
  [[nodiscard]] std::optional<std::uint64_t> fixed(std::size_t bytes) noexcept;

  std::string_view rest_;
};

}  // namespace tidings::telemetry
