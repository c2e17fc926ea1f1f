#pragma once

#include <tidings/logging/value.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::logging::detail {

/// Fields that are kept: names and values owned, each name once, never changed once it is shared.
struct FieldList {
  struct Owned {
    std::string name;
    Value value;
  };

  std::vector<Owned> fields;

  /// Replaces the field of that name, or appends.
  void put(std::string_view name, const Value& value);
};

/// The fields of `base` (which may be null), and over them `fields`.
[[nodiscard]] std::shared_ptr<const FieldList> extended(const FieldList* base, std::span<const Field> fields);

}  // namespace tidings::logging::detail
