#include <tidings/detail/utf8.hpp>
#include <tidings/error.hpp>
#include <tidings/metrics.hpp>
#include <tidings/telemetry/counters.hpp>

#include <algorithm>
#include <array>

namespace tidings::telemetry {

namespace {

constexpr std::size_t kMostNameBytes = 128;
constexpr std::size_t kMostValueBytes = 128;
constexpr std::array<std::string_view, 8> kKinds = {"_total",  "_created", "_count",  "_sum",
                                                    "_bucket", "_info",    "_gcount", "_gsum"};

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::InvalidArgument, why); }

/// A letter or underscore, then those and digits. Colons are for recording rules.
bool is_name(std::string_view text) noexcept {
  const auto is_letter = [](char each) {
    return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') || each == '_';
  };
  const auto is_digit = [](char each) { return each >= '0' && each <= '9'; };
  return !text.empty() && text.size() <= kMostNameBytes && !is_digit(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char each) { return is_letter(each) || is_digit(each); });
}

void require_metric_name(std::string_view name) {
  if (!is_name(name))
    refuse("the name of a counter is 1 to 128 letters, digits and underscores, and begins with no digit");
  if (name.starts_with("tidings_")) refuse("names that begin with tidings_ are those of tidings");
  for (const std::string_view kind : kKinds) {
    if (name.ends_with(kind))
      refuse("the name of a counter is given without " + std::string(kind) +
             ": _total is added where it is written, and the others belong to other kinds of metrics");
  }
}

void require_labels(const Labels& labels) {
  for (auto label = labels.begin(); label != labels.end(); ++label) {
    if (!is_name(label->first) || label->first.starts_with("__"))
      refuse(
          "the name of a label is 1 to 128 letters, digits and underscores, and begins with neither a digit "
          "nor "
          "two underscores");
    const auto has_its_name = [&](const auto& other) { return other.first == label->first; };
    if (std::any_of(labels.begin(), label, has_its_name))
      refuse("the label '" + label->first + "' is given twice");
    if (label->second.size() > kMostValueBytes || !detail::is_valid_utf8(label->second))
      refuse("the value of the label '" + label->first + "' is not UTF-8 of at most 128 bytes");
  }
}

std::vector<std::string> names_of(const Labels& labels) {
  std::vector<std::string> names;
  names.reserve(labels.size());
  for (const auto& label : labels) names.push_back(label.first);
  return names;
}

}  // namespace

Counter& CounterRegistry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  require_metric_name(name);
  require_labels(labels);
  if (!detail::is_valid_utf8(help)) refuse("the help text of a counter is not UTF-8");
  Labels sorted = labels;
  std::sort(sorted.begin(), sorted.end());
  auto names = names_of(sorted);
  const detail::MutexLock lock(mutex_);
  auto family = families_.find(name);
  if (family == families_.end()) {
    if (series_ >= kMostSeries && families_.size() >= kMostSeries) refuse("there are too many counters");
    family = families_.emplace(std::string(name), Named{std::string(help), std::move(names)}).first;
  } else if (family->second.label_names != names) {
    refuse("the counters '" + std::string(name) + "' have other labels: give the same names each time");
  }
  auto& counters = family->second.counters;
  auto found = counters.find(sorted);
  if (found != counters.end()) return *found->second;
  if (series_ >= kMostSeries) {
    for (auto& label : sorted) label.second = kOtherSeries;
    found = counters.find(sorted);
    if (found != counters.end()) return *found->second;
  }
  auto& made = counters.emplace(std::move(sorted), std::make_unique<Counter>()).first->second;
  ++series_;
  return *made;
}

std::vector<CounterRegistry::Family> CounterRegistry::read() const {
  const detail::MutexLock lock(mutex_);
  std::vector<Family> families;
  families.reserve(families_.size());
  for (const auto& [name, named] : families_) {
    families.push_back({name, named.help, {}});
    for (const auto& [labels, counter] : named.counters)
      families.back().series.push_back({labels, counter->value()});
  }
  return families;
}

}  // namespace tidings::telemetry
