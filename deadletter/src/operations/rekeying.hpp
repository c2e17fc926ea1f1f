#pragma once

#include <tidings/deadletter/operations.hpp>

#include "letters/audit.hpp"
#include "sqlite/connection.hpp"

#include <chrono>

namespace tidings::deadletter {

/// Operations::rekey. Throws SQLite::Exception and Error.
[[nodiscard]] RekeyResult rekey_payloads(Connection& connection, Audit& audit, const PayloadCipher& cipher,
                                         std::chrono::milliseconds busy_timeout, const Watch& watch);

}  // namespace tidings::deadletter
