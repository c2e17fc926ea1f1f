#pragma once

namespace tidings::logging {

/// Which facts about the process (tidings/process_identity.hpp) are in each record. By default those that
/// only the service knows, where they are set: collectors of logs add the host, the container and its
/// processes themselves, and a line that repeats them is longer for nothing.
struct ProcessFields {
  bool environment = true;
  bool release = true;
  bool host = false;
  bool pid = false;
  bool thread = false;

  [[nodiscard]] static constexpr ProcessFields all() noexcept { return {true, true, true, true, true}; }
  [[nodiscard]] static constexpr ProcessFields none() noexcept { return {false, false, false, false, false}; }

  friend constexpr bool operator==(const ProcessFields&, const ProcessFields&) noexcept = default;
};

}  // namespace tidings::logging
