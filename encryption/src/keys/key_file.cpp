#include "keys/key_file.hpp"

#include <tidings/detail/quoted.hpp>
#include <tidings/encryption/file_cipher.hpp>
#include <tidings/error.hpp>
#include <tidings/payload_cipher.hpp>

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <system_error>
#include <utility>

namespace tidings::encryption {

namespace {

constexpr std::size_t kMaxFileBytes = 64UL * 1024;
constexpr ::mode_t kNewFileMode = 0600;

[[noreturn]] void refuse(std::string_view file, const std::string& what) {
  throw Error(ErrorCode::InvalidArgument, "key file " + detail::quoted(file) + ": " + what);
}

[[noreturn]] void refuse_for_errno(std::string_view file, const std::string& what) {
  const int error = errno;
  refuse(file, what + ": " + std::generic_category().message(error));
}

class File {
 public:
  File(const std::filesystem::path& path, int flags)
      : descriptor_(::open(path.c_str(), flags, kNewFileMode)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

void require_private(int descriptor, std::string_view file) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) refuse_for_errno(file, "cannot be looked at");
  if (!S_ISREG(status.st_mode)) refuse(file, "is not a file");
  if ((status.st_mode & 0027U) != 0) {
    refuse(file, "others than its user and group may use it, or its group may write to it; run: chmod 600");
  }
  if (status.st_size > static_cast<::off_t>(kMaxFileBytes)) refuse(file, "is larger than a key file is");
}

std::size_t read_all(int descriptor, std::span<unsigned char> into, std::string_view file) {
  std::size_t size = 0;
  for (;;) {
    const auto got = ::read(descriptor, into.data() + size, into.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse_for_errno(file, "cannot be read");
    size += static_cast<std::size_t>(got);
    if (got == 0 || size == into.size()) return size;
  }
}

void write_all(int descriptor, std::string_view text, std::string_view file) {
  while (!text.empty()) {
    const auto written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse_for_errno(file, "cannot be written");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(descriptor) != 0) refuse_for_errno(file, "cannot be synced");
}

/// A file that is made here, for its user alone, and removed again unless it is kept.
class NewFile {
 public:
  explicit NewFile(const std::filesystem::path& path)
      : path_(path), file_(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC) {
    if (file_.get() < 0) refuse_for_errno(path_.native(), "cannot be made");
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (!kept_) ::unlink(path_.c_str());
  }

  void write(std::string_view text) const { write_all(file_.get(), text, path_.native()); }
  void take_access_of(const std::filesystem::path& other) const {
    struct stat status {};
    const bool same = ::stat(other.c_str(), &status) == 0 &&
                      ::fchown(file_.get(), status.st_uid, status.st_gid) == 0 &&
                      ::fchmod(file_.get(), status.st_mode & 07777U) == 0;
    if (!same) refuse(other.native(), "only its owner can add a key to it");
  }
  void keep() noexcept { kept_ = true; }

 private:
  const std::filesystem::path& path_;
  const File file_;
  bool kept_ = false;
};

/// After a file was made or renamed.
void sync_folder_of(const std::filesystem::path& path) {
  const auto parent = path.parent_path();
  const File folder(parent.empty() ? "." : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder.get() < 0 || ::fsync(folder.get()) != 0)
    refuse_for_errno(path.native(), "its folder cannot be synced");
}

Key parse_key(std::string_view line, std::size_t number, std::string_view file) {
  const std::string place = "line " + std::to_string(number);
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) refuse(file, place + " is not id:key");
  Key key;
  key.id = line.substr(0, colon);
  if (!is_valid_key_id(key.id))
    refuse(file, place + ": a key's name is 1 to 64 letters, digits, '.', '_' and '-'");
  const std::string_view digits = line.substr(colon + 1);
  std::size_t size = 0;
  const char* end = nullptr;
  const bool is_hex =
      digits.size() == 2 * kKeyBytes && ::sodium_hex2bin(key.master.bytes().data(), kKeyBytes, digits.data(),
                                                         digits.size(), nullptr, &size, &end) == 0;
  if (!is_hex || size != kKeyBytes || end != digits.data() + digits.size())
    refuse(file, place + ": a key is 64 hexadecimal digits");
  key.master.seal();
  return key;
}

/// The day, for people, and randomness, so that the name of a key that was removed is not used again.
std::string new_key_id() {
  const std::time_t now = std::time(nullptr);
  std::tm day{};
  ::gmtime_r(&now, &day);
  std::array<char, 48> name{};
  const std::size_t size = std::strftime(name.data(), name.size(), "%Y-%m-%d", &day);
  std::snprintf(name.data() + size, name.size() - size, "-%04x", ::randombytes_uniform(0x10000));
  return name.data();
}

/// A line with a new key, line feed included.
Secret new_line(const std::string& id) {
  Secret key(kKeyBytes);
  ::randombytes_buf(key.bytes().data(), kKeyBytes);
  constexpr std::size_t kHexBytes = 2 * kKeyBytes + 1;
  Secret hex(kHexBytes);
  ::sodium_bin2hex(reinterpret_cast<char*>(hex.bytes().data()), kHexBytes, key.data(), kKeyBytes);
  Secret line(id.size() + 1 + kHexBytes);
  auto next = std::copy(id.begin(), id.end(), line.bytes().begin());
  *next++ = ':';
  next = std::copy_n(hex.bytes().begin(), kHexBytes - 1, next);
  *next = '\n';
  return line;
}

}  // namespace

std::vector<Key> parse_keys(std::string_view text, std::string_view file) {
  std::vector<Key> keys;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    Key key = parse_key(line, number, file);
    const auto has_its_name = [&](const Key& other) { return other.id == key.id; };
    if (std::any_of(keys.begin(), keys.end(), has_its_name))
      refuse(file, "line " + std::to_string(number) + " has the name of an earlier key");
    keys.push_back(std::move(key));
  }
  if (keys.empty()) refuse(file, "has no key; make one with: dead-letters new-key FILE");
  return keys;
}

Secret read_key_file(const std::filesystem::path& path) {
  require_sodium();
  const std::string& file = path.native();
  const File opened(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (opened.get() < 0) refuse_for_errno(file, "cannot be opened");
  require_private(opened.get(), file);
  Secret buffer(kMaxFileBytes + 1);
  const std::size_t size = read_all(opened.get(), buffer.bytes(), file);
  if (size > kMaxFileBytes) refuse(file, "is larger than a key file is");
  if (size == 0) refuse(file, "has no key; make one with: dead-letters new-key FILE");
  Secret text(size);
  std::copy_n(buffer.bytes().begin(), size, text.bytes().begin());
  return text;
}

std::string create_key_file(const std::filesystem::path& path) {
  require_sodium();
  NewFile created(path);
  std::string id = new_key_id();
  created.write(new_line(id).text());
  created.keep();
  sync_folder_of(path);
  return id;
}

std::string add_key(const std::filesystem::path& path) {
  const Secret before = read_key_file(path);
  const auto keys = parse_keys(before.text(), path.native());
  std::string id = new_key_id();
  const auto is_taken = [&](const Key& key) { return key.id == id; };
  while (std::any_of(keys.begin(), keys.end(), is_taken)) id = new_key_id();
  const Secret line = new_line(id);
  if (line.size() + before.size() > kMaxFileBytes)
    refuse(path.native(), "would be larger than a key file is; remove keys that nothing needs any more");
  // The file itself, not a link to it.
  const std::filesystem::path target = std::filesystem::canonical(path);
  std::filesystem::path whole = target;
  whole += ".new";
  NewFile created(whole);
  created.take_access_of(target);
  created.write(line.text());
  created.write(before.text());
  if (::rename(whole.c_str(), target.c_str()) != 0) refuse_for_errno(target.native(), "cannot be replaced");
  created.keep();
  sync_folder_of(target);
  return id;
}

}  // namespace tidings::encryption
