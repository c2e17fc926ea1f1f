#pragma once

#include <tidings/deadletter/operations.hpp>

#include "letters/audit.hpp"
#include "sqlite/connection.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// With what, and which types are to be encrypted that are in the clear.
struct Rekeying {
  const PayloadCipher& cipher;
  const std::vector<std::string>& encrypt;
};

/// Operations::rekey. Throws SQLite::Exception and Error.
[[nodiscard]] RekeyResult rekey_payloads(Connection& connection, Audit& audit, const Rekeying& how,
                                         std::chrono::milliseconds busy_timeout, const Watch& watch);

}  // namespace tidings::deadletter
