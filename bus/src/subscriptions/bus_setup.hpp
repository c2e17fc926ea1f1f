#pragma once

#include <tidings/bus.hpp>
#include <tidings/clock.hpp>
#include <tidings/detail/fork_generation.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::detail {

/// Whether `source` may be an event's: a URI-reference of at most 1024 characters.
[[nodiscard]] bool is_valid_source(std::string_view source) noexcept;

/// What never changes of a bus: its options, and the process that made it. Its address stands for the bus.
struct BusSetup {
  explicit BusSetup(BusOptions given);
  BusSetup(const BusSetup&) = delete;
  BusSetup& operator=(const BusSetup&) = delete;

  /// Whether the calling process is a child of the one that made the bus: it has none of the bus's threads.
  [[nodiscard]] bool forked() const noexcept { return fork_generation() != process_generation; }
  /// Throws Error(ForkedChild) there.
  void require_own_process() const {
    if (forked()) [[unlikely]]
      throw_forked();
  }

  const BusOptions options;
  const std::string source;
  const std::uint64_t process_generation;
  // The targets of the options' pointers, read on every publish.
  Clock& clock;
  IdSource& ids;
  const Timestamp made_at;

 private:
  [[noreturn]] static void throw_forked();
};

}  // namespace tidings::detail
