#include "event/misfit.hpp"

#include <cxxabi.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::detail {

namespace {

constexpr std::size_t kMostValues = 10'000;
constexpr std::size_t kDeepest = 64;
constexpr std::size_t kMostTries = 256;

/// What the library throws for this JSON; empty: nothing, or something else.
std::string complaint(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Json::type_error& known) {
    return known.what();
  } catch (const Json::out_of_range& known) {
    return known.what();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    return "";
  }
}

std::string complaint_of(const Json& data, const PayloadType& type) {
  try {
    static_cast<void>(type.decode(data));
    return "";
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    return complaint(std::current_exception());
  }
}

std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + before.size());
  return text.substr(0, text.find(after));
}

/// The kind that a complaint such as `type must be string, but is number` asks for.
std::string expected_of(std::string_view complaint) {
  const std::string_view kind = between(complaint, "type must be ", ", but is ");
  if (!kind.empty()) return std::string(kind) + " expected";
  return complaint.find("cannot use at()") != std::string_view::npos ? "object expected"
                                                                     : "another kind expected";
}

struct Place {
  Json* value;
  std::string pointer;
};

std::string escaped(std::string_view key) {  // RFC 6901
  std::string text;
  for (const char c : key) text += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return text;
}

/// Whether it is small, and may be copied: a copy of deep JSON needs more than a thread's stack.
bool is_searchable(const Json& root) {
  std::vector<std::pair<const Json*, std::size_t>> open = {{&root, 0}};
  std::size_t values = 0;
  while (!open.empty()) {
    const auto [value, depth] = open.back();
    open.pop_back();
    if (++values > kMostValues || depth > kDeepest || open.size() + value->size() > kMostValues) return false;
    if (!value->is_structured()) continue;
    for (const Json& child : *value) open.emplace_back(&child, depth + 1);
  }
  return true;
}

std::vector<Place> places_in(Json& root) {
  std::vector<Place> places = {{&root, ""}};
  for (std::size_t at = 0; at < places.size(); ++at) {
    const std::string pointer = places[at].pointer;
    Json& value = *places[at].value;
    if (value.is_object()) {
      for (auto& [key, child] : value.items()) places.push_back({&child, pointer + "/" + escaped(key)});
    } else if (value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i)
        places.push_back({&value[i], pointer + "/" + std::to_string(i)});
    }
  }
  return places;
}

std::string at_place(const std::string& pointer) {
  return "at " + (pointer.empty() ? "the top" : pointer) + ": ";
}

/// `[json.exception.type_error.302] type must be string, but is number`: the last word is what was found.
std::string describe_kind(Json& data, const PayloadType& type, const std::string& complaint) {
  const std::size_t last = complaint.rfind(' ');
  if (last == std::string::npos) return "";
  const std::string found = complaint.substr(last + 1);
  // Of a kind that no struct asks for, and payloads hardly have.
  const Json replacement = Json::binary(std::vector<std::uint8_t>());
  const std::string other = complaint.substr(0, last + 1) + replacement.type_name();
  std::size_t tries = 0;
  for (const auto& [value, pointer] : places_in(data)) {
    if (value->type_name() != found) continue;
    if (++tries > kMostTries) break;
    Json before = std::exchange(*value, replacement);
    const bool is_it = complaint_of(data, type) == other;
    *value = std::move(before);
    if (is_it) return at_place(pointer) + expected_of(complaint) + ", " + found + " found";
  }
  return "";
}

/// `[json.exception.out_of_range.403] key 'age' not found`: the object is the one to which adding it changes
/// the complaint.
std::string describe_missing(Json& data, const PayloadType& type, const std::string& complaint) {
  const std::string key(between(complaint, " key '", "' not found"));
  std::size_t tries = 0;
  for (const auto& [value, pointer] : places_in(data)) {
    if (!value->is_object() || value->contains(key)) continue;
    if (++tries > kMostTries) break;
    (*value)[key] = nullptr;
    const std::string then = complaint_of(data, type);
    value->erase(key);
    if (then == complaint) continue;
    const bool kind_is_known = then.ends_with(", but is null");
    return at_place(pointer + "/" + escaped(key)) + (kind_is_known ? expected_of(then) + ", " : "") +
           "nothing found";
  }
  return "";
}

}  // namespace

std::string describe_misfit(const Json& data, const PayloadType& type, const std::exception_ptr& error) {
  const std::string complaint_made = complaint(error);
  if (complaint_made.empty() || type.decode == nullptr || !is_searchable(data)) return "";
  Json copy = data;
  if (complaint_made.find("out_of_range.403]") != std::string::npos)
    return describe_missing(copy, type, complaint_made);
  if (complaint_made.find("type_error.30") == std::string::npos) return "";
  return describe_kind(copy, type, complaint_made);
}

}  // namespace tidings::detail
