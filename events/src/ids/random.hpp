#pragma once

#include <tidings/detail/fork_generation.hpp>

#include <bit>
#include <cstdint>

namespace tidings::detail {

/// xoshiro256++ 1.0 (Blackman and Vigna, https://prng.di.unimi.it/xoshiro256plusplus.c), one per thread.
struct RandomState {
  std::uint64_t words[4] = {};
  /// The fork generation it was seeded in; 0: not yet seeded.
  std::uint64_t generation = 0;
};

/// Trivial and constant-initialised, so that it costs no guard and works also while a thread is being torn
/// down.
inline thread_local constinit RandomState random_state;

/// Seeds the calling thread's generator from the operating system.
void seed_random_state() noexcept;

[[nodiscard]] inline std::uint64_t next_random(RandomState& state) noexcept {
  auto& s = state.words;
  const std::uint64_t result = std::rotl(s[0] + s[3], 23) + s[0];
  const std::uint64_t shifted = s[1] << 17U;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= shifted;
  s[3] = std::rotl(s[3], 45);
  return result;
}

/// The calling thread's generator, seeded for this process.
[[nodiscard]] inline RandomState& ready_random_state() noexcept {
  RandomState& state = random_state;
  if (state.generation != fork_generation()) [[unlikely]] {
    seed_random_state();
  }
  return state;
}

}  // namespace tidings::detail
