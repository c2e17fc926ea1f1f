#include "letters/payload_changes.hpp"

#include <tidings/logging/redactor.hpp>
#include <tidings/logging/text.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {
namespace {

constexpr std::size_t kMostChanges = 100;
constexpr std::size_t kMaxValueBytes = 200;

/// A place in both payloads; null where one does not have it.
struct PayloadPlace {
  std::string path;
  const Json* before;
  const Json* after;
};

std::string pointer_part(std::string_view key) {  // RFC 6901
  std::string text;
  for (const char c : key) {
    if (c == '~') {
      text += "~0";
    } else if (c == '/') {
      text += "~1";
    } else {
      text += c;
    }
  }
  return text;
}

const Json* member_of(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

void open_object(const PayloadPlace& place, std::vector<PayloadPlace>& open) {
  std::set<std::string> keys;
  for (const Json* side : {place.before, place.after}) {
    for (const auto& item : side->items()) keys.insert(item.key());
  }
  for (const std::string& key : keys)
    open.push_back(
        {place.path + "/" + pointer_part(key), member_of(*place.before, key), member_of(*place.after, key)});
}

void open_array(const PayloadPlace& place, std::vector<PayloadPlace>& open) {
  const auto element = [](const Json& array, std::size_t index) {
    return index < array.size() ? &array[index] : nullptr;
  };
  for (std::size_t index = 0; index < std::max(place.before->size(), place.after->size()); ++index) {
    open.push_back({place.path + "/" + std::to_string(index), element(*place.before, index),
                    element(*place.after, index)});
  }
}

/// Not recursive: payloads may nest deeply.
std::vector<PayloadPlace> different_places(const Json& before, const Json& after) {
  std::vector<PayloadPlace> different;
  std::vector<PayloadPlace> open = {{"", &before, &after}};
  while (!open.empty()) {
    const PayloadPlace place = std::move(open.back());
    open.pop_back();
    const bool both = place.before != nullptr && place.after != nullptr;
    if (both && place.before->is_object() && place.after->is_object()) {
      open_object(place, open);
    } else if (both && place.before->is_array() && place.after->is_array()) {
      open_array(place, open);
    } else if (!both || *place.before != *place.after) {
      different.push_back(place);
    }
  }
  std::sort(different.begin(), different.end(),
            [](const PayloadPlace& one, const PayloadPlace& other) { return one.path < other.path; });
  return different;
}

/// The value at a path as it may be seen; the redactor may have removed it.
Json visible_value(const Json& redacted, const std::string& path) {
  const Json::json_pointer pointer(path);
  if (!redacted.contains(pointer)) return "[redacted]";
  const Json& value = redacted.at(pointer);
  if (value.is_boolean() || value.is_number() || value.is_null()) return value;
  const std::string text = value.is_string() ? value.get<std::string>()
                                             : value.dump(-1, ' ', true, Json::error_handler_t::replace);
  return logging::sanitize_text(text, kMaxValueBytes);
}

}  // namespace

Json describe_changes(const Json& before, const Json& after, ShownValues values) {
  const auto places = different_places(before, after);
  Json seen_before;
  Json seen_after;
  if (values == ShownValues::Masked) {
    const auto redactor = logging::default_redactor();
    seen_before = redactor->redact(before);
    seen_after = redactor->redact(after);
  }
  Json changes = Json::array();
  for (std::size_t index = 0; index < std::min(places.size(), kMostChanges); ++index) {
    const PayloadPlace& place = places[index];
    Json change{{"path", place.path}};
    if (values == ShownValues::Masked) {
      if (place.before != nullptr) change["before"] = visible_value(seen_before, place.path);
      if (place.after != nullptr) change["after"] = visible_value(seen_after, place.path);
    }
    changes.push_back(std::move(change));
  }
  if (places.size() > kMostChanges) changes.push_back({{"more", places.size() - kMostChanges}});
  return changes;
}

Json paths_of(const Json& changes) {
  Json paths = Json::array();
  for (const Json& change : changes) {
    if (change.contains("path")) paths.push_back(change.at("path"));
  }
  return paths;
}

}  // namespace tidings::deadletter
