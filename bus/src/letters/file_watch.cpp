#include "letters/file_watch.hpp"

#include <chrono>

namespace tidings::detail {
namespace {

constexpr std::chrono::seconds kBetweenLooks{10};

}  // namespace

/// A file that goes on growing is told of each time that it has doubled.
void FileWatch::tick(Instant now) {
  if (!sink_ || now < due_) return;
  due_ = now + kBetweenLooks;
  const SinkFiles files = sink_->look_after_files();
  if (!files.network_file_system.empty() && !told_of_network_) log_.database_on_network(files);
  told_of_network_ = told_of_network_ || !files.network_file_system.empty();
  if (files.wal_is_held && files.wal_bytes >= told_wal_ * 2) {
    log_.wal_growing(files);
    told_wal_ = files.wal_bytes;
  }
  if (files.wal_freed == 0) return;
  log_.wal_emptied(files);
  told_wal_ = 0;
}

}  // namespace tidings::detail
