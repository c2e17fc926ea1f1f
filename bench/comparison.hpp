#pragma once

#include "row.hpp"

#include <string>
#include <vector>

namespace tidings::bench {

/// How a table compares with an older one.
struct Comparison {
  std::string text;
  bool any_worse = false;
};

/// Says which rows are worse than in the table that `old_json` is (what --json wrote), by more than both
/// tables' spreads together, and at least 5 %. Rows that only one of them has are passed over. Throws
/// std::runtime_error if `old_json` is no such table.
[[nodiscard]] Comparison compare_with(const std::string& old_json, const std::vector<Row>& rows);

}  // namespace tidings::bench
