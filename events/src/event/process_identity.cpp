#include <tidings/process_identity.hpp>

#include <tidings/detail/fork_generation.hpp>
#include <tidings/event.hpp>

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace tidings {

namespace {

/// An identity and the one that it replaced: threads may still read that, so none is freed.
struct KnownIdentity {
  ProcessIdentity identity;
  const KnownIdentity* replaced = nullptr;
};

constexpr std::uint64_t kIdMask = 0xffff'ffff;

/// The id of a thread, and the process that it was asked in.
struct KeptId {
  std::int64_t id = 0;
  std::uint64_t generation = 0;  // no process has it
};

std::string variable_as_name(const char* name) {
  // A race only with a program that changes its environment while threads run, which POSIX forbids anyway.
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value != nullptr && is_valid_name(value) ? value : "";
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

const ProcessIdentity& found_identity() {
  static const auto* const found = new ProcessIdentity{host_name(), variable_as_name("TIDINGS_ENVIRONMENT"),
                                                       variable_as_name("TIDINGS_RELEASE")};
  return *found;
}

std::atomic<const KnownIdentity*>& known_identity() {
  static std::atomic<const KnownIdentity*> known{new KnownIdentity{found_identity(), nullptr}};
  return known;
}

void check(const std::string& text, std::string_view what) {
  if (!text.empty()) validate_name(text, what);
}

/// Never fails: where forks cannot be watched, no id is kept.
bool forks_are_watched() noexcept {
  try {
    detail::watch_forks();
    return true;
  } catch (...) {
    return false;
  }
}

bool keeps_ids() noexcept {
  static const bool keeps = forks_are_watched();
  return keeps;
}

}  // namespace

const ProcessIdentity& process_identity() {
  return known_identity().load(std::memory_order_acquire)->identity;
}

void set_process_identity(ProcessIdentity identity) {
  check(identity.host, "host");
  check(identity.environment, "environment");
  check(identity.release, "release");
  const ProcessIdentity& found = found_identity();
  if (identity.host.empty()) identity.host = found.host;
  if (identity.environment.empty()) identity.environment = found.environment;
  if (identity.release.empty()) identity.release = found.release;
  auto* const next = new KnownIdentity{std::move(identity), nullptr};
  next->replaced = known_identity().load(std::memory_order_acquire);
  while (!known_identity().compare_exchange_weak(next->replaced, next, std::memory_order_acq_rel)) {
  }
}

std::int64_t process_id() noexcept {
  static constinit std::atomic<std::uint64_t> kept{0};  // the generation's low half, then the id
  if (!keeps_ids()) return ::getpid();
  const std::uint64_t generation = detail::fork_generation() << 32U;
  const std::uint64_t known = kept.load(std::memory_order_relaxed);
  if (known != 0 && (known ^ generation) <= kIdMask) return static_cast<std::int64_t>(known & kIdMask);
  const pid_t id = ::getpid();
  kept.store(generation | static_cast<std::uint32_t>(id), std::memory_order_relaxed);
  return id;
}

std::int64_t thread_id() noexcept {
  thread_local constinit KeptId kept;
  if (!keeps_ids()) return ::gettid();
  const std::uint64_t generation = detail::fork_generation();
  if (kept.generation != generation) kept = {::gettid(), generation};
  return kept.id;
}

}  // namespace tidings
