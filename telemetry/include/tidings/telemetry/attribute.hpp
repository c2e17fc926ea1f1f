#pragma once

#include <cstdint>
#include <string>
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

  friend bool operator==(const Attribute&, const Attribute&) = default;
};

using Attributes = std::vector<Attribute>;

/// What all that a process exports is about: `service.name`, `service.version`, `host.name` ...
struct Resource {
  Attributes attributes = {};
};

}  // namespace tidings::telemetry
