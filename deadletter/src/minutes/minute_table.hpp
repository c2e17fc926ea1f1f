#pragma once

#include <tidings/minutes.hpp>

#include "sqlite/prepared.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::deadletter {

/// The columns of tidings_minutes that are counts, each with `before` before it and `after` after it,
/// separated by commas; in the order in which the functions below bind and read them.
[[nodiscard]] std::string count_columns(std::string_view before = "", std::string_view after = "");

void bind_counts(Prepared& row, const DeliveryCounts& counts);
/// From the column `first` on.
[[nodiscard]] DeliveryCounts read_counts(const Prepared& row, int first);

}  // namespace tidings::deadletter
