#pragma once

#include <tidings/deadletter/operations.hpp>

#include "letters/audit.hpp"
#include "sqlite/connection.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

namespace tidings::deadletter {

/// Operations::import. Each batch waits for locks for `busy_timeout`. Throws SQLite::Exception and Error.
[[nodiscard]] Progress import_letters(Connection& connection, Audit& audit,
                                      std::chrono::milliseconds busy_timeout,
                                      const std::function<std::optional<StoredLetter>()>& next,
                                      const std::function<void(const ImportOutcome&)>& tell,
                                      const Watch& watch);
/// Operations::rehearse_import. Throws SQLite::Exception and Error.
[[nodiscard]] Progress rehearse_letters(Connection& connection, std::chrono::milliseconds busy_timeout,
                                        const std::function<std::optional<StoredLetter>()>& next,
                                        const std::function<void(const ImportOutcome&)>& tell,
                                        const Watch& watch);

}  // namespace tidings::deadletter
