#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace tidings::deadletter {

/// The seed of one test, printed; TIDINGS_SEED repeats a run.
inline std::uint64_t random_seed() {
  const char* const given = std::getenv("TIDINGS_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  std::cout << "TIDINGS_SEED=" << seed << std::endl;
  return seed;
}

/// How many random cases a test tries: few in an ordinary run, as many as TIDINGS_ROUNDS says in a long one.
inline int random_rounds(int ordinarily) {
  const char* const given = std::getenv("TIDINGS_ROUNDS");
  return given != nullptr ? std::stoi(given) : ordinarily;
}

}  // namespace tidings::deadletter
