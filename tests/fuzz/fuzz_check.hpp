#pragma once

#include <cstdio>
#include <cstdlib>

/// Ends the program when a property does not hold, in every build: that is how a fuzzer, and the replay of
/// its corpus, learns of it.
#define FUZZ_CHECK(property)                                                             \
  do {                                                                                   \
    if (!(property)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
