#pragma once

#include "file/claim_life.hpp"
#include "sqlite/writing_connection.hpp"
#include "store/open_store.hpp"

#include <filesystem>
#include <utility>

namespace tidings::deadletter {

/// Brings the file to the current schema, whatever it is now (missing, empty, older), or throws as
/// Store::open does, having written nothing to what it refuses.
void make_current(const StoreSettings& settings, const std::filesystem::path& spill_path);

/// Throws Error unless the file is a database that is current.
void require_current(const StoreSettings& settings);

/// How the store's connections write.
[[nodiscard]] inline WritingConnection::Options writing_options(const StoreSettings& settings) {
  const StoreInternals& internals = settings.internals;
  return {internals.vfs, settings.options.busy_timeout, internals.row_limit, internals.turn};
}

/// Judges claims by the clock of the store.
[[nodiscard]] inline ClaimJudge claim_judge(const StoreSettings& settings) {
  return ClaimJudge(settings.path, settings.internals.boot_id, settings.internals.boot_time);
}

/// Connects to a database that is there and current; never creates or migrates one. `Connected` has a
/// `connection()`. Throws Error, SQLite::Exception.
template <class Connected, class... Arguments>
[[nodiscard]] Opened<Connected> connect(const StoreSettings& settings, const char* what_failed,
                                        Arguments&&... arguments) {
  require_current(settings);
  auto connected = make_opened<Connected>(std::forward<Arguments>(arguments)...);
  settings.internals.file->admit(connected->connection(), settings.path, what_failed);
  return connected;
}

}  // namespace tidings::deadletter
