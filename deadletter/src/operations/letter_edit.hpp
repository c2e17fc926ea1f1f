#pragma once

#include <tidings/deadletter/operations.hpp>

#include "letters/audit.hpp"
#include "sqlite/connection.hpp"

#include <cstdint>

namespace tidings::deadletter {

/// Operations::edit, as one transaction. `cipher` may be null. Throws SQLite::Exception and Error.
[[nodiscard]] EditResult edit_letter(Connection& connection, Audit& audit, std::int64_t id,
                                     const Json& payload, const PayloadCipher* cipher);

}  // namespace tidings::deadletter
