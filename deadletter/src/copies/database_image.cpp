#include "copies/database_image.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <utility>

namespace tidings::deadletter {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kFileHeader = 100;
constexpr std::string_view kImageMagic("SQLite format 3\0", 16);
constexpr unsigned kIndexInterior = 0x02;
constexpr unsigned kTableInterior = 0x05;
constexpr unsigned kIndexLeaf = 0x0a;
constexpr unsigned kTableLeaf = 0x0d;
/// More columns than any table or index of tidings has.
constexpr std::size_t kMostValues = 64;
constexpr std::uint32_t kUsualPageSize = 4096;

unsigned byte_at(Bytes bytes, std::size_t at) noexcept { return std::to_integer<unsigned>(bytes[at]); }

/// Big-endian; the caller has checked the bounds.
std::uint64_t number_at(Bytes bytes, std::size_t at, std::size_t size) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8U | byte_at(bytes, at + i);
  return value;
}

std::uint32_t page_at(Bytes bytes, std::size_t at) noexcept {
  return static_cast<std::uint32_t>(number_at(bytes, at, 4));
}

/// Reads a variable-length integer and moves past it.
std::optional<std::uint64_t> take_varint(Bytes bytes, std::size_t& at) noexcept {
  std::uint64_t value = 0;
  for (int i = 0; i < 9; ++i, ++at) {
    if (at >= bytes.size()) return std::nullopt;
    const unsigned byte = byte_at(bytes, at);
    if (i == 8) {
      ++at;
      return value << 8U | byte;
    }
    value = value << 7U | (byte & 0x7fU);
    if ((byte & 0x80U) == 0) {
      ++at;
      return value;
    }
  }
  return std::nullopt;
}

std::int64_t signed_number(Bytes bytes, std::size_t size) noexcept {
  const unsigned unused = 64U - static_cast<unsigned>(size) * 8U;
  return static_cast<std::int64_t>(number_at(bytes, 0, size) << unused) >> unused;
}

std::optional<std::size_t> size_of_value(std::uint64_t type) noexcept {
  constexpr std::array<std::size_t, 10> kSizes = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
  if (type < kSizes.size()) return kSizes[static_cast<std::size_t>(type)];
  if (type < 12) return std::nullopt;
  return static_cast<std::size_t>((type - 12) / 2);
}

StoredValue value_of(std::uint64_t type, Bytes bytes) {
  if (type == 0) return std::monostate();
  if (type == 7) return std::bit_cast<double>(number_at(bytes, 0, 8));
  if (type == 8 || type == 9) return static_cast<std::int64_t>(type - 8);
  if (type < 7) return signed_number(bytes, bytes.size());
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (type % 2 == 0) return Blob{std::move(text)};
  return text;
}

/// The values of a whole record; its header and its body have to fill it exactly.
std::optional<std::vector<StoredValue>> values_of(Bytes payload) {
  std::size_t at = 0;
  const auto header = take_varint(payload, at);
  if (!header || *header < at || *header > payload.size()) return std::nullopt;
  std::vector<StoredValue> values;
  auto body = static_cast<std::size_t>(*header);
  const Bytes types = payload.first(body);
  while (at < types.size()) {
    const auto type = take_varint(types, at);
    const auto size = type ? size_of_value(*type) : std::nullopt;
    if (!size || *size > payload.size() - body || values.size() == kMostValues) return std::nullopt;
    values.push_back(value_of(*type, payload.subspan(body, *size)));
    body += *size;
  }
  if (body != payload.size()) return std::nullopt;
  return values;
}

std::optional<std::uint32_t> page_size_in_header(Bytes bytes) noexcept {
  if (bytes.size() < kFileHeader ||
      !std::equal(kImageMagic.begin(), kImageMagic.end(), reinterpret_cast<const char*>(bytes.data()))) {
    return std::nullopt;
  }
  const auto said = static_cast<std::uint32_t>(number_at(bytes, 16, 2));
  const std::uint32_t size = said == 1 ? 65'536 : said;
  if (!DatabaseImage::is_page_size(size)) return std::nullopt;
  return size;
}

bool looks_like_btree(Bytes bytes, std::size_t at) noexcept {
  const unsigned type = byte_at(bytes, at);
  const auto cells = number_at(bytes, at + 3, 2);
  return (type == kIndexLeaf || type == kTableLeaf || type == kIndexInterior || type == kTableInterior) &&
         cells > 0 && cells < 16'384 && byte_at(bytes, at + 7) <= 60;
}

}  // namespace

/// Where a cell's payload is.
struct DatabaseImage::Cell {
  Bytes local;
  std::uint64_t size = 0;
  /// The first page of the rest; 0: there is none.
  std::uint32_t overflow = 0;
};

DatabaseImage::DatabaseImage(Bytes bytes, std::uint32_t page_size) noexcept
    : bytes_(bytes),
      page_size_(page_size),
      usable_(page_size),
      pages_(static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size() / page_size, 0xfffffffeU))) {
  // Bytes at each page's end that are not SQLite's; of tidings' own files there are none.
  const unsigned reserved = page_size_in_header(bytes) == page_size ? byte_at(bytes, 20) : 0;
  if (page_size - reserved >= 480) usable_ -= reserved;
}

bool DatabaseImage::is_page_size(std::uint32_t size) noexcept {
  return size >= 512 && size <= 65'536 && std::has_single_bit(size);
}

std::uint32_t DatabaseImage::page_size_of(Bytes bytes) noexcept {
  if (const auto said = page_size_in_header(bytes)) return *said;
  std::size_t best = 0;
  std::uint32_t guess = kUsualPageSize;
  // The largest first: every second page of half the size begins where one of the right size does.
  for (std::uint32_t candidate = 65'536; candidate >= 512; candidate /= 2) {
    std::size_t found = 0;
    for (std::size_t at = candidate; at + candidate <= bytes.size(); at += candidate) {
      if (looks_like_btree(bytes, at)) ++found;
    }
    if (found <= best + best / 4) continue;
    best = found;
    guess = candidate;
  }
  return guess;
}

bool DatabaseImage::is_utf8() const noexcept {
  if (!page_size_in_header(bytes_)) return true;
  const auto encoding = number_at(bytes_, 56, 4);
  return encoding != 2 && encoding != 3;
}

std::vector<bool> DatabaseImage::free_pages() const {
  std::vector<bool> free(std::size_t{pages_} + 1);
  if (!page_size_in_header(bytes_)) return free;
  std::uint32_t trunk = page_at(bytes_, 32);
  while (trunk > 1 && trunk <= pages_ && !free[trunk]) {
    free[trunk] = true;
    const Bytes content = page(trunk);
    const auto leaves = std::min<std::uint64_t>(number_at(content, 4, 4), usable_ / 4 - 2);
    for (std::size_t i = 0; i < leaves; ++i) {
      const auto leaf = page_at(content, 8 + i * 4);
      if (leaf > 1 && leaf <= pages_) free[leaf] = true;
    }
    trunk = page_at(content, 0);
  }
  return free;
}

Bytes DatabaseImage::page(std::uint32_t number) const noexcept {
  return bytes_.subspan((std::size_t{number} - 1) * page_size_, page_size_);
}

std::optional<std::string> DatabaseImage::payload_of(const Cell& cell) {
  std::string payload(reinterpret_cast<const char*>(cell.local.data()), cell.local.size());
  std::vector<std::uint32_t> chain;
  if (cell.overflow != 0 && read_overflow_.empty()) read_overflow_.resize(std::size_t{pages_} + 1);
  for (std::uint32_t next = cell.overflow; payload.size() < cell.size;) {
    if (next < 2 || next > pages_ || read_overflow_[next] || chain.size() >= pages_) return std::nullopt;
    const Bytes content = page(next);
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(usable_ - 4, cell.size - payload.size()));
    payload.append(reinterpret_cast<const char*>(content.data()) + 4, size);
    chain.push_back(next);
    next = page_at(content, 0);
  }
  for (const auto each : chain) read_overflow_[each] = true;
  return payload;
}

std::optional<Record> DatabaseImage::read_cell(Bytes content, std::size_t at, unsigned type) {
  Record record;
  if (type == kIndexInterior) at += 4;  // its left child
  Cell cell;
  const auto size = take_varint(content, at);
  if (!size || *size > bytes_.size()) return std::nullopt;
  cell.size = *size;
  if (type == kTableLeaf) {
    const auto rowid = take_varint(content, at);
    if (!rowid) return std::nullopt;
    record.rowid = static_cast<std::int64_t>(*rowid);
  }
  const std::uint64_t most = type == kTableLeaf ? usable_ - 35 : (usable_ - 12) * 64 / 255 - 23;
  const std::uint64_t least = (usable_ - 12) * 32 / 255 - 23;
  std::uint64_t local = cell.size;
  if (local > most) {
    local = least + (cell.size - least) % (usable_ - 4);
    if (local > most) local = least;
  }
  const bool overflows = local < cell.size;
  if (at > content.size() || local + (overflows ? 4 : 0) > content.size() - at) return std::nullopt;
  cell.local = content.subspan(at, static_cast<std::size_t>(local));
  if (overflows) cell.overflow = page_at(content, at + static_cast<std::size_t>(local));
  const auto payload = payload_of(cell);
  if (!payload) return std::nullopt;
  auto values = values_of(std::as_bytes(std::span(payload->data(), payload->size())));
  if (!values) return std::nullopt;
  record.values = *std::move(values);
  return record;
}

std::optional<std::vector<std::uint32_t>> DatabaseImage::children(std::uint32_t number) const {
  const Bytes content = page(number).first(usable_);
  const std::size_t begin = number == 1 ? kFileHeader : 0;
  const unsigned type = byte_at(content, begin);
  std::vector<std::uint32_t> below;
  if (type == kTableLeaf || type == kIndexLeaf) return below;
  if (type != kTableInterior && type != kIndexInterior) return std::nullopt;
  const auto cells = static_cast<std::size_t>(number_at(content, begin + 3, 2));
  if (begin + 12 + cells * 2 > content.size()) return std::nullopt;
  below.push_back(page_at(content, begin + 8));
  for (std::size_t i = 0; i < cells; ++i) {
    const auto at = static_cast<std::size_t>(number_at(content, begin + 12 + i * 2, 2));
    if (at < begin + 12 + cells * 2 || at + 4 > content.size()) return std::nullopt;
    below.push_back(page_at(content, at));
  }
  const bool all = std::all_of(below.begin(), below.end(),
                               [&](std::uint32_t child) { return child > 1 && child <= pages_; });
  return all ? std::optional(std::move(below)) : std::nullopt;
}

bool DatabaseImage::is_beside_btrees(std::uint32_t number) const noexcept {
  constexpr std::uint32_t kPendingByte = 0x40000000;
  if (number == kPendingByte / page_size_ + 1) return true;
  if (number < read_overflow_.size() && read_overflow_[number]) return true;
  const bool has_map = page_size_in_header(bytes_) && number_at(bytes_, 52, 4) != 0;
  return has_map && number >= 2 && (number - 2) % (usable_ / 5 + 1) == 0;
}

std::size_t DatabaseImage::read_page(std::uint32_t number, const Take& take) {
  const Bytes content = page(number).first(usable_);
  const std::size_t begin = number == 1 ? kFileHeader : 0;
  const unsigned type = byte_at(content, begin);
  if (type != kTableLeaf && type != kIndexLeaf && type != kIndexInterior) return 0;
  const std::size_t pointers = begin + (type == kIndexInterior ? 12 : 8);
  const auto cells = static_cast<std::size_t>(number_at(content, begin + 3, 2));
  if (pointers + cells * 2 > content.size()) return 1;
  std::size_t unreadable = 0;
  for (std::size_t i = 0; i < cells; ++i) {
    const auto at = static_cast<std::size_t>(number_at(content, pointers + i * 2, 2));
    auto record = at < pointers + cells * 2 ? std::nullopt : read_cell(content, at, type);
    record ? take(*std::move(record)) : void(++unreadable);
  }
  return unreadable;
}

}  // namespace tidings::deadletter
