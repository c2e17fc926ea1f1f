#include "copies/write_ahead_log.hpp"

#include "copies/database_image.hpp"

#include <array>

namespace tidings::deadletter {
namespace {

using WalBytes = std::span<const std::byte>;

constexpr std::size_t kWalHeader = 32;
constexpr std::size_t kFrameHeader = 24;
constexpr std::uint32_t kWalMagic = 0x377f0682;
constexpr std::uint32_t kWalVersion = 3'007'000;

std::uint32_t big_endian(WalBytes bytes, std::size_t at) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8U | std::to_integer<std::uint32_t>(bytes[at + i]);
  return value;
}

std::uint32_t little_endian(WalBytes bytes, std::size_t at) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i > 0; --i) value = value << 8U | std::to_integer<std::uint32_t>(bytes[at + i - 1]);
  return value;
}

/// The log's running checksum.
class Checksum {
 public:
  explicit Checksum(bool is_big_endian) noexcept : read_(is_big_endian ? &big_endian : &little_endian) {}

  void add(WalBytes bytes) noexcept {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first_ += read_(bytes, at) + second_;
      second_ += read_(bytes, at + 4) + first_;
    }
  }
  [[nodiscard]] bool is(WalBytes bytes, std::size_t at) const noexcept {
    return big_endian(bytes, at) == first_ && big_endian(bytes, at + 4) == second_;
  }

 private:
  std::uint32_t (*read_)(WalBytes, std::size_t) noexcept;
  std::uint32_t first_ = 0;
  std::uint32_t second_ = 0;
};

bool has_salt_of(WalBytes frame, WalBytes header) noexcept {
  return big_endian(frame, 8) == big_endian(header, 16) && big_endian(frame, 12) == big_endian(header, 20);
}

}  // namespace

WriteAheadLog read_write_ahead_log(WalBytes bytes) {
  WriteAheadLog log;
  if (bytes.size() < kWalHeader || (big_endian(bytes, 0) & ~1U) != kWalMagic) return log;
  Checksum checksum((big_endian(bytes, 0) & 1U) != 0);
  checksum.add(bytes.first(24));
  const std::uint32_t page_size = big_endian(bytes, 8);
  if (!checksum.is(bytes, 24) || big_endian(bytes, 4) != kWalVersion ||
      !DatabaseImage::is_page_size(page_size)) {
    return log;
  }
  log.page_size = page_size;
  std::size_t committed = 0;
  for (std::size_t at = kWalHeader; bytes.size() - at >= kFrameHeader + page_size;
       at += kFrameHeader + page_size) {
    const WalBytes frame = bytes.subspan(at, kFrameHeader + page_size);
    const WalBytes content = frame.subspan(kFrameHeader);
    checksum.add(frame.first(8));
    checksum.add(content);
    const std::uint32_t number = big_endian(frame, 0);
    if (number == 0 || !has_salt_of(frame, bytes) || !checksum.is(frame, 16)) break;
    log.pages.push_back({number, content});
    const std::uint32_t size_after_commit = big_endian(frame, 4);
    if (size_after_commit == 0) continue;
    committed = log.pages.size();
    log.database_pages = size_after_commit;
  }
  log.pages.resize(committed);
  return log;
}

}  // namespace tidings::deadletter
