#pragma once

#include <cstdint>
#include <string>

namespace tidings {

/// Where a process runs and what it runs: part of log records that ask for it (LoggerOptions::process_fields)
/// and of dead letters, so that a failure is found again on its machine and in its release.
struct ProcessIdentity {
  /// The machine's name, as gethostname() has it; in a container that of the container.
  std::string host = {};
  /// `production`, `staging` ...; empty: not said.
  std::string environment = {};
  /// The version of the service, `orders@1.4.2`; empty: not said.
  std::string release = {};
};

/// The identity of this process. Unless set_process_identity was called: the system's host name, and the
/// values of TIDINGS_ENVIRONMENT and TIDINGS_RELEASE, read at the first call, which every logger makes that
/// is constructed. A value that breaks is_valid_name counts as not set. Valid for the life of the
/// process, also when it is set again. Thread-safe; one load.
[[nodiscard]] const ProcessIdentity& process_identity();

/// Sets the identity, for all loggers and buses of the process; an empty member takes what the system or the
/// environment says. For the start of the program: each call keeps a few hundred bytes for ever. Thread-safe.
/// Throws Error(InvalidArgument) for a member that is not empty and breaks is_valid_name.
void set_process_identity(ProcessIdentity identity);

/// The id of this process; in a forked child its own. Thread-safe; after the first call one load.
[[nodiscard]] std::int64_t process_id() noexcept;

/// The kernel's id of the calling thread, as `top -H` and debuggers show it; in a forked child its own. After
/// a thread's first call two loads.
[[nodiscard]] std::int64_t thread_id() noexcept;

}  // namespace tidings
