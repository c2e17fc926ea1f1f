#pragma once

#include "check_dead_letters/check.hpp"
#include "check_dead_letters/facts.hpp"

#include <tidings/clock.hpp>

#include <chrono>
#include <string>

namespace tidings::check_dead_letters {

/// A query to one database.
struct Probe {
  Selection selection;
  /// As -v: 1 requests groups, 3 the newest letters too.
  int verbosity = 0;
  /// The window ends here.
  Timestamp now{};
  /// How long the database may take.
  std::chrono::milliseconds timeout = std::chrono::seconds(10);
};

/// Queries one database. Only reads. Errors are in the answer's failure; throws only std::bad_alloc.
[[nodiscard]] Answer ask(const std::string& path, const Probe& probe);

}  // namespace tidings::check_dead_letters
