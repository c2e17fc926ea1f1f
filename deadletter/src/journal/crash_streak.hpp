#pragma once

#include "journal/journal_reader.hpp"

#include <tidings/journal.hpp>

#include <SQLiteCpp/Database.h>

#include <span>
#include <vector>

namespace tidings::deadletter {

/// The row `crash_streak` of tidings_meta: the deliveries that were the only ones of the journal to run in
/// the last crash, and in how many before it without a break. Members throw SQLite::Exception.

/// Fills in CrashSuspect::sole_crashes, from the row and from the slots that this crash has left.
void count_sole_crashes(SQLite::Database& database, std::span<const SlotContent> slots,
                        std::vector<CrashSuspect>& suspects);

/// Writes the row, inside the caller's transaction.
void remember_sole_crashes(SQLite::Database& database, std::span<const CrashSuspect> suspects);

}  // namespace tidings::deadletter
