#include "letters/file_watch.hpp"

#include <chrono>

namespace tidings::detail {
namespace {

constexpr std::chrono::seconds kBetweenLooks{10};

}  // namespace

/// A growing file is reported each time it has doubled.
void FileWatch::tick(Instant now) {
  if (!sink_ || now < due_) return;
  due_ = now + kBetweenLooks;
  const SinkFiles files = sink_->look_after_files();
  if (!files.network_file_system.empty() && !network_reported_) log_.database_on_network(files);
  network_reported_ = network_reported_ || !files.network_file_system.empty();
  if (files.wal_is_held && files.wal_bytes >= reported_wal_bytes_ * 2) {
    log_.wal_growing(files);
    reported_wal_bytes_ = files.wal_bytes;
  }
  if (files.wal_freed == 0) return;
  log_.wal_emptied(files);
  reported_wal_bytes_ = 0;
}

}  // namespace tidings::detail
