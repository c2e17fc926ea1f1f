#pragma once

#include "sqlite/reconnecting.hpp"
#include "store/open_store.hpp"
#include "store/session.hpp"

#include <tidings/detail/mutex.hpp>

#include <type_traits>

namespace tidings::deadletter {

/// The one session through which a store writes letters and the journal. Thread-safe.
class StoreSession {
 public:
  /// Connects at first use.
  explicit StoreSession(const StoreSettings& settings);

  /// What `work` gives with a sound session, while nobody else uses it. Throws Error.
  template <class Work>
  std::invoke_result_t<Work, Session&> use(Work work) {
    const tidings::detail::MutexLock lock(mutex_);
    return session_.use(work);
  }
  /// Runs `work` in one synced transaction. Throws Error.
  template <class Work>
  void transact(Work work) {
    use([&](Session& session) {
      session.connection().transact(Sync::Always, [&] { work(session); });
      return true;
    });
  }
  /// Whether nobody holds the database's write lock, found out without waiting.
  [[nodiscard]] bool write_lock_is_free() noexcept;
  /// In the process that opened the store: writes what is committed to a -wal file that was deleted into the
  /// database, as far as that can be done now.
  void save_if_lost();
  /// Unless somebody uses the session now: throws Error when a file of the database is lost.
  void look_after_file();

 private:
  const StoreSettings& settings_;
  tidings::detail::Mutex mutex_;
  Reconnecting<Session> session_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::deadletter
