#include <tidings/logging/redactor.hpp>
#include <tidings/logging/text.hpp>

#include "redaction/keyed_secret.hpp"
#include "redaction/secret_scanner.hpp"
#include "redaction/secret_tables.hpp"
#include "text/ascii.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <utility>

namespace tidings::logging {

namespace {

constexpr std::string_view kMask = "[redacted]";
constexpr std::size_t kShortKey =
    5;  // keys below this length deny longer ones at the beginning of a word only
constexpr std::size_t kMaxKey = 64;

constexpr bool is_separator(char c) noexcept { return c == '_' || c == '-' || c == '.' || c == ' '; }

// The end of a key in lower case without separators, back to front, knowing where its words begin.
class NormalizedKey {
 public:
  explicit NormalizedKey(std::string_view key) noexcept {
    std::size_t at = key.size();
    while (at > 0 && size_ < kMaxKey) {
      const char c = key[--at];
      if (is_separator(c)) continue;
      const char before = at == 0 ? '_' : key[at - 1];
      word_begins_[size_] = is_separator(before) || (is_upper(c) && !is_upper(before));
      reversed_[size_++] = lower(c);
    }
  }

  [[nodiscard]] bool ends_with(std::string_view denied, bool whole_words) const noexcept {
    if (denied.size() > size_ || !std::equal(denied.rbegin(), denied.rend(), reversed_.begin())) return false;
    return !whole_words || word_begins_[denied.size() - 1];
  }

 private:
  std::array<char, kMaxKey> reversed_;
  std::array<bool, kMaxKey> word_begins_;
  std::size_t size_ = 0;
};

// `password2`, `password_1` are passwords too.
std::string_view without_number(std::string_view key) noexcept {
  while (!key.empty() && (is_digit(key.back()) || is_separator(key.back()))) key.remove_suffix(1);
  return key;
}

std::string normalized(std::string_view key) {
  std::string result;
  for (const char c : key) {
    if (!is_separator(c)) result.push_back(lower(c));
  }
  if (result.empty() || result.size() > kMaxKey) {
    throw Error(ErrorCode::InvalidArgument,
                "a redacted key must have 1 to 64 characters other than separators");
  }
  return result;
}

std::string unescaped(std::string_view segment) {  // RFC 6901: ~1 is /, ~0 is ~
  std::string result;
  for (std::size_t at = 0; at < segment.size(); ++at) {
    const bool escape =
        segment[at] == '~' && at + 1 < segment.size() && (segment[at + 1] == '0' || segment[at + 1] == '1');
    result.push_back(escape ? (segment[++at] == '1' ? '/' : '~') : segment[at]);
  }
  return result;
}

std::vector<std::string> split_pointer(std::string_view pointer) {
  if (pointer.size() < 2 || pointer.front() != '/') {
    throw Error(ErrorCode::InvalidArgument,
                "a redacted path is a JSON pointer such as /customer/*/email: it begins with /");
  }
  std::vector<std::string> segments;
  for (std::size_t begin = 1; begin <= pointer.size();) {
    const std::size_t end = std::min(pointer.find('/', begin), pointer.size());
    segments.push_back(unescaped(pointer.substr(begin, end - begin)));
    begin = end + 1;
  }
  return segments;
}

bool matches(const std::string& segment, std::string_view key) noexcept {
  return segment == "*" || segment == key;
}

void children(Json& parent, const std::string& segment, std::vector<Json*>& found) {
  if (parent.is_object()) {
    for (auto& [key, child] : parent.items()) {
      if (matches(segment, key)) found.push_back(&child);
    }
  } else if (parent.is_array()) {
    for (std::size_t index = 0; index < parent.size(); ++index) {
      if (segment == "*" || segment == std::to_string(index)) found.push_back(&parent[index]);
    }
  }
}

void remove_child(Json& parent, const std::string& segment) {
  if (parent.is_object() && segment != "*") {
    parent.erase(segment);
  } else if (segment == "*" && parent.is_structured()) {
    parent.clear();
  } else if (parent.is_array()) {
    for (std::size_t index = 0; index < parent.size(); ++index) {
      if (segment == std::to_string(index)) return parent.erase(index);
    }
  }
}

void apply_path(Json& root, const std::vector<std::string>& path, std::size_t first, Redaction action) {
  std::vector<Json*> parents = {&root};
  for (std::size_t index = first; index + 1 < path.size(); ++index) {
    std::vector<Json*> next;
    for (Json* parent : parents) children(*parent, path[index], next);
    parents = std::move(next);
  }
  std::vector<Json*> victims;
  for (Json* parent : parents) {
    if (action == Redaction::Remove) {
      remove_child(*parent, path.back());
    } else {
      children(*parent, path.back(), victims);
    }
  }
  for (Json* victim : victims) *victim = kMask;
}

RedactionProfile profile_of_environment() {
  // A race only with a program that changes its environment while threads run, which POSIX forbids anyway.
  const char* const value = std::getenv("TIDINGS_REDACTION");  // NOLINT(concurrency-mt-unsafe)
  const std::string_view profile = value == nullptr ? std::string_view() : std::string_view(value);
  return profile.empty() || profile == "secrets" ? RedactionProfile::Secrets : RedactionProfile::PersonalData;
}

class DefaultRedactor {
 public:
  [[nodiscard]] std::shared_ptr<const Redactor> get() {
    const std::lock_guard lock(mutex_);
    return redactor_;
  }
  void set(std::shared_ptr<const Redactor> redactor) {
    const std::lock_guard lock(mutex_);
    redactor_.swap(redactor);
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const Redactor> redactor_ =
      std::make_shared<Redactor>(RedactorOptions{.profile = profile_of_environment()});
};

// Never destroyed: loggers may be used until the very end of a process.
DefaultRedactor& default_one() {
  static auto* const redactor = new DefaultRedactor;
  return *redactor;
}

}  // namespace

const std::vector<std::string>& default_redacted_keys() {
  static const auto* const keys = new std::vector<std::string>(secret_keys().begin(), secret_keys().end());
  return *keys;
}

std::string_view to_string(RedactionProfile profile) noexcept {
  return profile == RedactionProfile::Secrets ? "secrets" : "personal_data";
}

Redactor::Redactor() : Redactor(RedactorOptions{}) {}

Redactor::Redactor(const RedactorOptions& options) : action_(options.action), profile_(options.profile) {
  for (const std::string& key : options.keys) {
    std::string text = normalized(key);
    const bool is_short = text.size() < kShortKey;
    keys_.push_back({std::move(text), is_short});
  }
  if (profile_ == RedactionProfile::PersonalData) {
    for (const std::string_view key : personal_keys()) keys_.push_back({normalized(key), true});
  }
  const auto last_of = [](const Key& key) { return static_cast<unsigned char>(key.text.back()); };
  std::sort(keys_.begin(), keys_.end(),
            [&](const Key& left, const Key& right) { return last_of(left) < last_of(right); });
  for (const Key& key : keys_) ++first_with_last_[last_of(key) + 1U];
  std::partial_sum(first_with_last_.begin(), first_with_last_.end(), first_with_last_.begin());
  for (const std::string& path : options.paths) paths_.push_back(split_pointer(path));
}

bool Redactor::denies(std::string_view key) const noexcept {
  const std::string_view stem = without_number(key);
  return denies_as_written(key) || (stem.size() != key.size() && denies_as_written(stem));
}

bool Redactor::denies_as_written(std::string_view key) const noexcept {
  while (!key.empty() && is_separator(key.back())) key.remove_suffix(1);
  if (key.empty()) return false;
  const auto last = static_cast<unsigned char>(lower(key.back()));
  const auto begin = keys_.begin() + first_with_last_[last];
  const auto end = keys_.begin() + first_with_last_[last + 1U];
  if (begin == end) return false;
  const NormalizedKey candidate(key);
  return std::any_of(begin, end,
                     [&](const Key& denied) { return candidate.ends_with(denied.text, denied.whole_words); });
}

bool Redactor::denies_digits(std::uint64_t number) const noexcept {
  std::array<char, 20> digits;
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  const std::string_view text(digits.data(), static_cast<std::size_t>(written.ptr - digits.data()));
  return SecretScanner(text, *this).next().has_value();
}

bool Redactor::denies_number(double number) const noexcept {
  constexpr double kMostDenied = 1e19;  // 19 digits
  const double size = std::abs(number);
  return size < kMostDenied && std::trunc(size) == size && denies_number(static_cast<std::uint64_t>(size));
}

bool Redactor::denies_number(const Json& value) const noexcept {
  if (const auto* whole = value.get_ptr<const Json::number_unsigned_t*>()) return denies_number(*whole);
  if (const auto* whole = value.get_ptr<const Json::number_integer_t*>()) return denies_number(*whole);
  const auto* number = value.get_ptr<const Json::number_float_t*>();
  return number != nullptr && denies_number(*number);
}

Json Redactor::redact(Json value) const {
  for (const Path& path : paths_) apply_path(value, path, 0, action_);
  redact_keys_and_texts(value);
  return value;
}

bool Redactor::has_path_below(std::string_view segment) const noexcept {
  return std::any_of(paths_.begin(), paths_.end(),
                     [&](const Path& path) { return matches(path.front(), segment); });
}

bool Redactor::redact_below(std::string_view segment, Json& value) const {
  for (const Path& path : paths_) {
    if (!matches(path.front(), segment)) continue;
    if (path.size() > 1) {
      apply_path(value, path, 1, action_);
    } else if (action_ == Redaction::Remove) {
      return false;
    } else {
      value = kMask;
    }
  }
  return true;
}

// With a stack of its own: payloads may nest deeper than a thread's stack allows.
void Redactor::redact_keys_and_texts(Json& root) const {
  std::vector<Json*> open = {&root};
  while (!open.empty()) {
    Json& current = *open.back();
    open.pop_back();
    if (current.is_object()) {
      redact_object(current, open);
    } else if (current.is_array()) {
      for (Json& element : current) open.push_back(&element);
    } else if (current.is_string()) {
      std::string masked;
      if (redact_text_into(current.get_ref<const std::string&>(), masked)) current = std::move(masked);
    } else if (denies_number(current)) {
      current = kMask;
    }
  }
}

void Redactor::redact_object(Json& object, std::vector<Json*>& open) const {
  DeniedMembers denied(*this, object);
  for (auto member = object.begin(); member != object.end();) {
    if (!denied.have(member.key(), *member)) {
      open.push_back(&*member++);
    } else if (action_ == Redaction::Remove) {
      member = object.erase(member);
    } else {
      *member++ = kMask;
    }
  }
}

std::string Redactor::redact_text(std::string_view text) const {
  std::string masked;
  return redact_text_into(text, masked) ? masked : std::string(text);
}

bool Redactor::redact_text_into(std::string_view text, std::string& out) const {
  SecretScanner scanner(text, *this);
  auto secret = scanner.next();
  if (!secret) return false;
  std::size_t copied = 0;
  out.clear();
  for (; secret; secret = scanner.next()) {
    out.append(text, copied, secret->begin - copied).append(kMask);
    copied = secret->end;
  }
  out.append(text, copied);
  return true;
}

std::shared_ptr<const Redactor> default_redactor() { return default_one().get(); }

void set_default_redactor(std::shared_ptr<const Redactor> redactor) {
  if (!redactor) {
    throw Error(ErrorCode::InvalidArgument,
                "the default redactor is null; give a logger a null redactor to write all it is given");
  }
  default_one().set(std::move(redactor));
}

std::string printable_error(std::string_view message, std::size_t max_bytes) {
  const auto redactor = default_redactor();
  return sanitize_text(redactor->redact_text(message), max_bytes);
}

}  // namespace tidings::logging
