#include "deadletter/faults/unsynced_writes.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace tidings::deadletter::faults {
namespace {

/// SQLite's own VFS moves no more than 128 KiB at a time.
constexpr std::size_t kChunk = 64 * 1024;

void write_all(sqlite3_file* file, std::string_view bytes, sqlite3_int64 offset) {
  while (!bytes.empty()) {
    const std::string_view chunk = bytes.substr(0, kChunk);
    file->pMethods->xWrite(file, chunk.data(), static_cast<int>(chunk.size()), offset);
    offset += static_cast<sqlite3_int64>(chunk.size());
    bytes.remove_prefix(chunk.size());
  }
}

}  // namespace

std::string UnsyncedWrites::content_of(sqlite3_file* file) {
  sqlite3_int64 size = 0;
  file->pMethods->xFileSize(file, &size);
  std::string content(static_cast<std::size_t>(size), '\0');
  for (std::size_t from = 0; from < content.size(); from += kChunk) {
    const std::size_t count = std::min(kChunk, content.size() - from);
    file->pMethods->xRead(file, content.data() + from, static_cast<int>(count),
                          static_cast<sqlite3_int64>(from));
  }
  return content;
}

void UnsyncedWrites::opened(sqlite3_file* file) {
  const std::lock_guard lock(mutex_);
  files_[file] = {content_of(file), {}};
}

void UnsyncedWrites::written(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(file);
  if (found == files_.end()) return;
  found->second.since.push_back(
      {offset, std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(count))});
}

void UnsyncedWrites::truncated(sqlite3_file* file, sqlite3_int64 size) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(file);
  if (found != files_.end()) found->second.synced.resize(static_cast<std::size_t>(size));
}

void UnsyncedWrites::synced(sqlite3_file* file) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(file);
  if (found != files_.end()) found->second = {content_of(file), {}};
}

void UnsyncedWrites::closed(sqlite3_file* file) {
  const std::lock_guard lock(mutex_);
  files_.erase(file);
}

void UnsyncedWrites::cut(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  for (const auto& [file, state] : files_) {
    if (!state.since.empty()) restore(file, state, random);
  }
}

void UnsyncedWrites::restore(sqlite3_file* file, const File& state, std::mt19937_64& random) {
  file->pMethods->xTruncate(file, 0);
  write_all(file, state.synced, 0);
  // None, all, or some of them.
  const std::uint64_t kept_of_eight = random() % 9;
  for (const Write& each : state.since) {
    if (random() % 8 >= kept_of_eight) continue;
    const std::size_t count = random() % 4 == 0 ? each.bytes.size() / 2 : each.bytes.size();
    write_all(file, std::string_view(each.bytes).substr(0, count), each.offset);
  }
}

}  // namespace tidings::deadletter::faults
