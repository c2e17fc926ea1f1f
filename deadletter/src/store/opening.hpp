#pragma once

#include "store/open_store.hpp"
#include "store/session.hpp"

#include <filesystem>
#include <memory>

namespace tidings::deadletter {

/// Brings the file at `path` to the current schema, whatever it is now (missing, empty, older), or throws as
/// Store::open does, having written nothing to what it refuses.
void make_current(const std::filesystem::path& path, const StoreOptions& options,
                  const StoreInternals& internals, const std::filesystem::path& spill_path);

/// Throws Error unless the file at `path` is a database that is current.
void require_current(const std::filesystem::path& path, const StoreOptions& options,
                     const StoreInternals& internals);

/// Connects to a database that is there and current; never creates or migrates one. Throws Error.
[[nodiscard]] std::unique_ptr<Session> connect(const std::filesystem::path& path, const StoreOptions& options,
                                               const StoreInternals& internals);

}  // namespace tidings::deadletter
