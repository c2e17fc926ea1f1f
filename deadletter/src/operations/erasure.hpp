#pragma once

#include <tidings/deadletter/operations.hpp>

#include "letters/audit.hpp"
#include "sqlite/connection.hpp"

#include <chrono>
#include <filesystem>

namespace tidings::deadletter {

/// Operations::erase. Throws SQLite::Exception and Error.
[[nodiscard]] EraseResult erase_letters(Connection& connection, Audit& audit, const Filter& filter,
                                        std::chrono::milliseconds busy_timeout, const Watch& watch);
/// Operations::count_erasable. Throws SQLite::Exception and Error.
[[nodiscard]] EraseResult count_erasable(Connection& connection, const Filter& filter,
                                         std::chrono::milliseconds busy_timeout, const Watch& watch);

}  // namespace tidings::deadletter
