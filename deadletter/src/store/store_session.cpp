#include "store/store_session.hpp"

#include "store/opening.hpp"

#include <sqlite3.h>

#include <exception>
#include <mutex>

namespace tidings::deadletter {

using tidings::detail::MutexLock;

namespace {

constexpr const char* kCannotStore = "cannot store dead letters in";

Opened<Session> connect_session(const StoreSettings& settings) {
  settings.internals.file->require_in_place(kCannotOpen);
  return translated(kCannotOpen, settings.path, [&] {
    return connect<Session>(settings, kCannotOpen, settings.path, writing_options(settings),
                            settings.internals.minutes.get());
  });
}

/// What is committed to a -wal file that was deleted would end with this process: it is copied into the
/// database, as far as nobody reads an older state of it just now. The next call copies the rest.
void save_committed(Session& session, const OpenedFile& file) noexcept {
  if (!file.is_only_writer()) return;
  sqlite3_wal_checkpoint_v2(session.connection().database().getHandle(), "main", SQLITE_CHECKPOINT_PASSIVE,
                            nullptr, nullptr);
}

}  // namespace

StoreSession::StoreSession(const StoreSettings& settings)
    : settings_(settings),
      session_(
          {.file = *settings.internals.file,
           .path = settings.path,
           .what_failed = kCannotStore,
           .connect = [&settings] { return connect_session(settings); },
           .save = [file = settings.internals.file](Session& session) { save_committed(session, *file); }}) {}

void StoreSession::save_if_lost() {
  if (!settings_.process.is_this() || settings_.internals.file->is_in_place()) return;
  const MutexLock lock(mutex_);
  session_.save();
}

bool StoreSession::write_lock_is_free() noexcept {
  if (!mutex_.try_lock()) return false;
  const MutexLock lock(mutex_, std::adopt_lock);
  try {
    return session_.use([](Session& session) { return session.connection().write_lock_is_free(); });
  } catch (const std::exception&) {
    return false;
  }
}

void StoreSession::look_after_file() {
  if (!mutex_.try_lock()) return;
  const MutexLock lock(mutex_, std::adopt_lock);
  session_.require_in_place(OpenedFile::Look::Everything);
}

}  // namespace tidings::deadletter
