#include "copies/database_image.hpp"
#include "copies/write_ahead_log.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

#include "fuzz_check.hpp"

namespace {

using tidings::deadletter::DatabaseImage;
using tidings::deadletter::Record;

/// Text and blobs of a record come out of the file, each byte at most once for each record that claims it.
void check_record(const Record& record, std::size_t file_size) {
  std::size_t size = 0;
  for (const auto& value : record.values) {
    if (const auto* const text = std::get_if<std::string>(&value)) size += text->size();
    if (const auto* const blob = std::get_if<tidings::deadletter::Blob>(&value)) size += blob->bytes.size();
  }
  FUZZ_CHECK(size <= file_size && record.values.size() <= 64);
}

void read_all(std::span<const std::byte> bytes, std::uint32_t page_size) {
  DatabaseImage image(bytes, page_size);
  FUZZ_CHECK(std::size_t{image.pages()} * page_size <= bytes.size());
  FUZZ_CHECK(image.free_pages().size() == std::size_t{image.pages()} + 1);
  for (std::uint32_t page = 1; page <= image.pages(); ++page) {
    image.read_page(page, [&](const Record& record) { check_record(record, bytes.size()); });
  }
}

void read_log(std::span<const std::byte> bytes) {
  const auto log = tidings::deadletter::read_write_ahead_log(bytes);
  for (const auto& page : log.pages) {
    FUZZ_CHECK(page.number > 0 && page.content.size() == log.page_size);
    FUZZ_CHECK(page.content.data() >= bytes.data());
    FUZZ_CHECK(page.content.data() + page.content.size() <= bytes.data() + bytes.size());
  }
  FUZZ_CHECK(log.pages.empty() || log.database_pages > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto page_size = DatabaseImage::page_size_of(bytes);
  FUZZ_CHECK(DatabaseImage::is_page_size(page_size));
  read_all(bytes, page_size);
  read_all(bytes, 512);
  read_log(bytes);
  return 0;
}
