#pragma once

#include <tidings/deadletter/statistics.hpp>

#include <SQLiteCpp/Database.h>

namespace tidings::deadletter {

/// What tidings_minutes says. Throws SQLite::Exception.
[[nodiscard]] DeliveryRates find_rates(SQLite::Database& database, const RateFilter& filter);

}  // namespace tidings::deadletter
