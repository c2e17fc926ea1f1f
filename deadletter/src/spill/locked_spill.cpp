#include "spill/locked_spill.hpp"

#include "file/sqlite_error.hpp"
#include "letters/payload_value.hpp"

#include <tidings/payload_cipher.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <thread>

namespace tidings::deadletter {
namespace {

using std::chrono::steady_clock;

bool is_under_other_key(const EncodedData& data, const std::string& key) {
  return data.encoding == DataEncoding::Encrypted && !data.bytes.starts_with(envelope_header(key));
}

/// A spilled letter has no number yet and is unresolved.
bool is_chosen(const DeadLetter& letter, const Filter& filter) {
  if (filter.ids || filter.resolved == true || filter.resolution) return false;
  const auto is = [](const auto& wanted, const auto& actual) { return !wanted || *wanted == actual; };
  return is(filter.correlation_id, letter.metadata.correlation_id.to_string()) &&
         is(filter.foreign_id, letter.metadata.foreign_id) && is(filter.event_type, letter.event_type) &&
         is(filter.handler, letter.handler) && is(filter.service, letter.service) &&
         is(filter.fingerprint, letter.error_fingerprint) && is(filter.event_id, letter.metadata.event_id) &&
         is(filter.reason, letter.reason) &&
         (!filter.not_under_key || is_under_other_key(letter.data, *filter.not_under_key)) &&
         (!filter.since || letter.failed_at >= *filter.since) &&
         (!filter.until || letter.failed_at < *filter.until) &&
         std::all_of(filter.fields.begin(), filter.fields.end(),
                     [&](const FieldValue& each) {
                       const ContextValue* value = letter.metadata.fields.find(each.name);
                       return value != nullptr && value->to_string() == each.value;
                     }) &&
         std::all_of(filter.where.begin(), filter.where.end(), [&](const PayloadValue& each) {
           return payload_has(letter.data, each.pointer, each.value);
         });
}

bool is_meant(std::string_view line, const Filter& filter) {
  try {
    return is_chosen(parse_json_line(line), filter);
  } catch (const Error&) {
    return false;  // A line that a dying process left unfinished, or one that was erased before.
  }
}

}  // namespace

LockedSpill::LockedSpill(const std::filesystem::path& path, steady_clock::time_point deadline)
    : path_(path), file_(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) {
  if (!file_ && errno != ENOENT) fail();
  if (file_) lock(deadline);
}

std::int64_t LockedSpill::erase(const Filter& filter) {
  const auto erased = visit(filter, [this](off_t offset, std::size_t size) { blank(offset, size); });
  if (erased > 0 && ::fsync(file_.get()) != 0) fail();
  return erased;
}

std::int64_t LockedSpill::count(const Filter& filter) const {
  return visit(filter, [](off_t, std::size_t) {});
}

std::int64_t LockedSpill::visit(const Filter& filter,
                                const std::function<void(off_t, std::size_t)>& visitor) const {
  if (!file_) return 0;
  std::int64_t meant = 0;
  for (off_t offset = 0;;) {
    const auto line = read_line(offset);
    if (line.empty()) return meant;
    const auto text = std::string_view(line).substr(0, line.size() - (line.back() == '\n' ? 1 : 0));
    if (is_meant(text, filter)) {
      visitor(offset, text.size());
      ++meant;
    }
    offset += static_cast<off_t>(line.size());
  }
}

void LockedSpill::fail() const {
  throw unusable("cannot use the spill file", path_, errno_text(errno) + "; run as the service's user");
}

void LockedSpill::lock(steady_clock::time_point deadline) const {
  while (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) fail();
    if (steady_clock::now() >= deadline) {
      throw unusable("cannot use the spill file", path_, "a service has locked it; try again",
                     ErrorCode::DatabaseBusy);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

std::string LockedSpill::read_line(off_t offset) const {
  std::string line;
  for (;;) {
    char buffer[8192];
    const ssize_t count =
        ::pread(file_.get(), buffer, sizeof buffer, offset + static_cast<off_t>(line.size()));
    if (count < 0) fail();
    const std::string_view text(buffer, static_cast<std::size_t>(count));
    const auto feed = text.find('\n');
    line += text.substr(0, feed == std::string_view::npos ? feed : feed + 1);
    if (count == 0 || feed != std::string_view::npos) return line;
  }
}

void LockedSpill::blank(off_t offset, std::size_t size) const {
  const std::string empty_lines(size, '\n');
  for (std::size_t written = 0; written < size;) {
    const ssize_t count = ::pwrite(file_.get(), empty_lines.data() + written, size - written,
                                   offset + static_cast<off_t>(written));
    if (count < 0 && errno != EINTR) fail();
    if (count > 0) written += static_cast<std::size_t>(count);
  }
}

}  // namespace tidings::deadletter
