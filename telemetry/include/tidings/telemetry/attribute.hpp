#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tidings::telemetry {

/// Texts should be UTF-8: what is not becomes U+FFFD when it is exported.
using AttributeValue = std::variant<std::string, bool, std::int64_t, double>;

struct Attribute {
  /// Unique among the attributes of one span, event, link, record, data point or resource; names are not
  /// checked.
  std::string name;
  AttributeValue value;

  Attribute() = default;
  Attribute(std::string of_name, AttributeValue of_value)
      : name(std::move(of_name)), value(std::move(of_value)) {}
  /// Copies the value by itself: when the copy of a text throws, libstdc++ 12 would destroy the variant that
  /// is being copied as if it were whole, because its alternatives can leave none without a value.
  Attribute(const Attribute& other) : name(other.name), value(copy_of(other.value)) {}
  Attribute(Attribute&&) noexcept = default;
  Attribute& operator=(const Attribute& other) { return *this = Attribute(other); }
  Attribute& operator=(Attribute&&) noexcept = default;
  ~Attribute() = default;

  friend bool operator==(const Attribute&, const Attribute&) = default;

 private:
  [[nodiscard]] static AttributeValue copy_of(const AttributeValue& value) {
    return std::visit(
        [](const auto& each) {
          return AttributeValue(std::in_place_type<std::remove_cvref_t<decltype(each)>>, each);
        },
        value);
  }
};

using Attributes = std::vector<Attribute>;

/// What all that a process exports is about: `service.name`, `service.version`, `host.name` ...
struct Resource {
  Attributes attributes = {};
};

}  // namespace tidings::telemetry
