#include "ids/random.hpp"

#include <tidings/ids.hpp>

#include <chrono>
#include <exception>
#include <random>

#include <unistd.h>

namespace tidings {
namespace detail {
namespace {

/// SplitMix64, which xoshiro's authors recommend to spread a seed.
std::uint64_t spread(std::uint64_t& state) noexcept {
  state += 0x9e3779b97f4a7c15ULL;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31U);
}

/// What sets this thread of this process at this moment apart, for machines whose random device is out of
/// reach (a chroot without /dev, an exhausted descriptor table). Mixed in always.
std::uint64_t circumstances() noexcept {
  std::uint64_t state = reinterpret_cast<std::uintptr_t>(&random_state);
  std::uint64_t mixed = spread(state);
  state ^= static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  mixed ^= spread(state);
  state ^= static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  mixed ^= spread(state);
  state ^= static_cast<std::uint64_t>(::getpid()) << 32U;
  return mixed ^ spread(state);
}

void fill_from_device(std::uint64_t (&words)[4]) noexcept {
  try {
    std::random_device device;
    for (std::uint64_t& word : words) word ^= std::uint64_t{device()} << 32U | device();
  } catch (const std::exception&) {
    // The circumstances must do.
  }
}

}  // namespace

void seed_random_state() noexcept {
  watch_forks();
  RandomState& state = random_state;
  std::uint64_t seed = circumstances();
  for (std::uint64_t& word : state.words) word = spread(seed);
  fill_from_device(state.words);
  state.generation = fork_generation();
}

}  // namespace detail

std::uint64_t IdSource::random() noexcept { return random_bits(); }

std::uint64_t random_bits() noexcept { return detail::next_random(detail::ready_random_state()); }

}  // namespace tidings
