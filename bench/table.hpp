#pragma once

#include "row.hpp"

#include <string>
#include <vector>

namespace tidings::bench {

/// The table for a terminal, aligned, one line a row.
[[nodiscard]] std::string to_text(const std::vector<Row>& rows);
/// `{"date", "machine", "quick", "rows": [{"row", "figure", "unit", "yardstick", "yardstick_name", "ratio",
/// "spread", "target", "met"}]}`; what a row does not have is null.
[[nodiscard]] std::string to_json(const std::vector<Row>& rows, const std::string& machine, bool quick);
/// Processor, number of cores, memory, compiler.
[[nodiscard]] std::string describe_machine();

}  // namespace tidings::bench
