#include "destinations/notice.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace tidings::logging {

void write_notice(std::string_view what) noexcept {
  constexpr std::string_view kPrefix = "tidings: ";
  std::array<char, 512> line{};
  std::size_t end = kPrefix.copy(line.data(), kPrefix.size());
  for (const char c : what.substr(0, line.size() - end - 1)) line[end++] = c >= ' ' && c <= '~' ? c : '?';
  line[end++] = '\n';
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), end);
}

void LossCount::add(std::uint64_t records, std::string_view why) noexcept {
  const std::uint64_t before = lost_.fetch_add(records, std::memory_order_relaxed);
  const std::uint64_t now = before + records;
  if (std::bit_width(before) == std::bit_width(now)) return;
  std::array<char, 480> text{};
  const auto shown = static_cast<int>(std::min<std::size_t>(why.size(), text.size()));
  const int size =
      std::snprintf(text.data(), text.size(), "%llu log record(s) lost so far; the last because: %.*s",
                    static_cast<unsigned long long>(now), shown, why.data());
  write_notice({text.data(), std::min(static_cast<std::size_t>(size), text.size() - 1)});
}

void LossCount::add(std::uint64_t records, int error) noexcept {
  std::array<char, 128> reason{};
  add(records, std::string_view(::strerror_r(error, reason.data(), reason.size())));
}

}  // namespace tidings::logging
