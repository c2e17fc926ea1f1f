#include <tidings/clock.hpp>

#include <algorithm>
#include <cstddef>

namespace tidings {
namespace {

using namespace std::chrono;

constexpr Timestamp kEarliest = sys_days(year(0) / January / 1);
constexpr Timestamp kLatest = sys_days(year(10000) / January / 1) - microseconds(1);

void write_digits(char* out, std::size_t count, std::int64_t value) {
  for (std::size_t i = count; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
}

/// Reads a text from left to right; once something did not fit, everything else fails too.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool next_is_digit() const { return !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; }

  bool skip(char lower, char upper) {
    if (rest_.empty() || (rest_[0] != lower && rest_[0] != upper)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool skip(char expected) { return skip(expected, expected); }

  std::optional<int> number(std::size_t digits) {
    int value = 0;
    for (; digits > 0; --digits) {
      if (!next_is_digit()) return std::nullopt;
      value = value * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }

 private:
  std::string_view rest_;
};

std::optional<sys_days> parse_date(Cursor& cursor) {
  const auto years = cursor.number(4);
  if (!years || !cursor.skip('-')) return std::nullopt;
  const auto months = cursor.number(2);
  if (!months || !cursor.skip('-')) return std::nullopt;
  const auto days_of_month = cursor.number(2);
  if (!days_of_month) return std::nullopt;
  const year_month_day date(year(*years), month(static_cast<unsigned>(*months)),
                            day(static_cast<unsigned>(*days_of_month)));
  return date.ok() ? std::optional(sys_days(date)) : std::nullopt;
}

std::optional<microseconds> parse_fraction(Cursor& cursor) {
  if (!cursor.skip('.')) return microseconds(0);
  std::int64_t value = 0;
  std::size_t digits = 0;
  for (; cursor.next_is_digit(); ++digits) {
    const int digit = *cursor.number(1);
    if (digits < 6) value = value * 10 + digit;
  }
  if (digits == 0 || digits > 9) return std::nullopt;
  for (; digits < 6; ++digits) value *= 10;
  return microseconds(value);
}

std::optional<microseconds> parse_time_of_day(Cursor& cursor) {
  const auto hour_count = cursor.number(2);
  if (!hour_count || *hour_count > 23 || !cursor.skip(':')) return std::nullopt;
  const auto minute_count = cursor.number(2);
  if (!minute_count || *minute_count > 59 || !cursor.skip(':')) return std::nullopt;
  const auto second_count = cursor.number(2);
  if (!second_count || *second_count > 60) return std::nullopt;
  const auto fraction = parse_fraction(cursor);
  if (!fraction) return std::nullopt;
  return hours(*hour_count) + minutes(*minute_count) + seconds(*second_count) + *fraction;
}

std::optional<minutes> parse_offset(Cursor& cursor) {
  if (cursor.skip('Z', 'z')) return minutes(0);
  const bool west = cursor.skip('-');
  if (!west && !cursor.skip('+')) return std::nullopt;
  const auto hour_count = cursor.number(2);
  if (!hour_count || *hour_count > 23 || !cursor.skip(':')) return std::nullopt;
  const auto minute_count = cursor.number(2);
  if (!minute_count || *minute_count > 59) return std::nullopt;
  const minutes offset = hours(*hour_count) + minutes(*minute_count);
  return west ? -offset : offset;
}

/// RFC 3339 knows a 60th second only where leap seconds are: at the end of a UTC day.
bool leap_second_is_plausible(std::string_view text, Timestamp after) {
  constexpr std::size_t kSecondsAt = 17;
  if (text.substr(kSecondsAt, 2) != "60") return true;
  return after - floor<days>(after) < seconds(1);
}

}  // namespace

std::string to_rfc3339(Timestamp time) {
  time = std::clamp(time, kEarliest, kLatest);
  const auto midnight = floor<days>(time);
  const year_month_day date(midnight);
  const hh_mm_ss clock(time - midnight);
  std::string text = "0000-00-00T00:00:00.000000Z";
  write_digits(&text[0], 4, static_cast<int>(date.year()));
  write_digits(&text[5], 2, static_cast<unsigned>(date.month()));
  write_digits(&text[8], 2, static_cast<unsigned>(date.day()));
  write_digits(&text[11], 2, clock.hours().count());
  write_digits(&text[14], 2, clock.minutes().count());
  write_digits(&text[17], 2, clock.seconds().count());
  write_digits(&text[20], 6, clock.subseconds().count());
  return text;
}

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  Cursor cursor(text);
  const auto date = parse_date(cursor);
  if (!date || !cursor.skip('T', 't')) return std::nullopt;
  const auto time_of_day = parse_time_of_day(cursor);
  if (!time_of_day) return std::nullopt;
  const auto offset = parse_offset(cursor);
  if (!offset || !cursor.at_end()) return std::nullopt;
  const Timestamp time = *date + *time_of_day - *offset;
  if (time < kEarliest || time > kLatest || !leap_second_is_plausible(text, time)) return std::nullopt;
  return time;
}

}  // namespace tidings
