#include <tidings/context_fields.hpp>

#include <tidings/detail/context_json.hpp>
#include <tidings/detail/json_string.hpp>
#include <tidings/detail/parse_json.hpp>
#include <tidings/detail/quoted.hpp>
#include <tidings/error.hpp>

#include "text/attribute_text.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace tidings {
namespace {

constexpr std::size_t kBytesOfNumber = 8;

[[noreturn]] void refuse_context(const std::string& problem) {
  throw Error(ErrorCode::InvalidArgument, problem);
}

[[noreturn]] void refuse_context_field(std::string_view name, const std::string& rule) {
  refuse_context("context field " + detail::quoted(name) + " " + rule);
}

bool is_context_name(std::string_view name) noexcept {
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

void validate_entry(std::string_view name, const ContextValue& value) {
  if (!is_context_name(name))
    refuse_context_field(name, "has a bad name: use [a-z0-9_], the first one a letter");
  if (const std::string* text = value.text(); text != nullptr && !detail::is_attribute_text(*text)) {
    refuse_context_field(name,
                         "has a bad value: use UTF-8 text without control characters and noncharacters");
  }
  if (const auto* number = std::get_if<double>(&value.storage()); number && !std::isfinite(*number))
    refuse_context_field(name, "has a bad value: use a finite number");
}

std::size_t bytes_of(const ContextFields::Entry& entry) noexcept {
  const std::string* text = entry.value.text();
  return entry.name.size() + (text != nullptr ? text->size() : kBytesOfNumber);
}

std::size_t bytes_of(std::span<const ContextFields::Entry> fields) noexcept {
  std::size_t bytes = 0;
  for (const auto& entry : fields) bytes += bytes_of(entry);
  return bytes;
}

/// What it was before, where that was too much already: stored by an older version, or sent by another
/// system.
std::string of_before(bool too_much, std::size_t before, const char* unit) {
  if (!too_much) return "";
  return ", and this one has " + std::to_string(before) + unit + " that were stored or received, which stay";
}

/// `added` names what made the fields too many or too large. What they were `before` stays valid.
void validate_size(std::span<const ContextFields::Entry> fields, std::string_view added,
                   std::span<const ContextFields::Entry> before = {}) {
  if (fields.size() > ContextFields::kMaxFields && fields.size() > before.size()) {
    refuse_context_field(added, "is one too many: a context has at most " +
                                    std::to_string(ContextFields::kMaxFields) + " fields" +
                                    of_before(before.size() > ContextFields::kMaxFields, before.size(), "") +
                                    "; put further data into the event");
  }
  const std::size_t bytes = bytes_of(fields);
  if (bytes <= ContextFields::kMaxBytes) return;
  const std::size_t bytes_before = bytes_of(before);
  if (bytes > bytes_before) {
    refuse_context_field(added,
                         "makes a context of " + std::to_string(bytes) + " bytes: at most " +
                             std::to_string(ContextFields::kMaxBytes) + " are allowed" +
                             of_before(bytes_before > ContextFields::kMaxBytes, bytes_before, " bytes") +
                             "; put larger data into the event");
  }
}

bool comes_before(const ContextFields::Entry& entry, std::string_view name) noexcept {
  return entry.name < name;
}

void put(std::vector<ContextFields::Entry>& entries, std::string_view name, ContextValue value) {
  const auto place = std::lower_bound(entries.begin(), entries.end(), name, comes_before);
  if (place != entries.end() && place->name == name) {
    place->value = std::move(value);
  } else {
    entries.insert(place, {std::string(name), std::move(value)});
  }
}

void append_value(std::string& json, const ContextValue& value) {
  if (const std::string* text = value.text()) return detail::append_json_string(json, *text);
  json += value.to_json().dump();
}

}  // namespace

std::string ContextValue::to_string() const {
  const std::string* own = text();
  return own != nullptr ? *own : to_json().dump();
}

Json ContextValue::to_json() const {
  return std::visit([](const auto& value) { return Json(value); }, storage_);
}

std::optional<ContextValue> ContextValue::from_json(const Json& json) {
  switch (json.type()) {
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_integer:
      return json.get<std::int64_t>();
    case Json::value_t::number_unsigned:
      return json.get<std::uint64_t>();
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string:
      return json.get<std::string>();
    default:
      return std::nullopt;
  }
}

ContextFields::ContextFields(Entries&& entries) {
  if (!entries.empty()) shared_ = new Shared{.entries = std::move(entries)};
}

ContextFields::ContextFields(std::initializer_list<ContextField> fields) {
  *this = ContextFields().with(fields);
}

void ContextFields::release() noexcept {
  if (shared_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared_;
}

ContextFields ContextFields::of_stored(std::vector<Entry> entries) {
  const auto by_name = [](const Entry& left, const Entry& right) { return left.name < right.name; };
  std::stable_sort(entries.begin(), entries.end(), by_name);
  Entries ordered;
  ordered.reserve(entries.size());
  for (Entry& entry : entries) {
    if (!ordered.empty() && ordered.back().name == entry.name) ordered.pop_back();  // the last one holds
    ordered.push_back(std::move(entry));
  }
  return ContextFields(std::move(ordered));
}

ContextFields ContextFields::with(std::string_view name, ContextValue value) const {
  return with({{name, std::move(value)}});
}

ContextFields ContextFields::with(std::initializer_list<ContextField> fields) const {
  if (fields.size() == 0) return *this;
  Entries entries;
  entries.reserve(size() + fields.size());
  entries.assign(begin(), end());
  for (const ContextField& field : fields) {
    validate_entry(field.name, field.value);
    put(entries, field.name, field.value);
  }
  validate_size(entries, (fields.end() - 1)->name, {begin(), end()});
  return ContextFields(std::move(entries));
}

ContextFields ContextFields::with(const ContextFields& fields) const {
  if (fields.empty()) return *this;
  validate_context_fields(fields);  // they may have come from outside
  if (empty()) return fields;
  Entries entries = shared_->entries;
  for (const Entry& field : fields) put(entries, field.name, field.value);
  validate_size(entries, (fields.end() - 1)->name, {begin(), end()});
  return ContextFields(std::move(entries));
}

ContextFields ContextFields::without(std::string_view name) const {
  if (find(name) == nullptr) return *this;
  Entries entries = shared_->entries;
  std::erase_if(entries, [name](const Entry& entry) { return entry.name == name; });
  return ContextFields(std::move(entries));
}

const ContextValue* ContextFields::find(std::string_view name) const noexcept {
  const Entry* place = std::lower_bound(begin(), end(), name, comes_before);
  return place != end() && place->name == name ? &place->value : nullptr;
}

bool operator==(const ContextFields& left, const ContextFields& right) noexcept {
  return left.shared_ == right.shared_ || std::equal(left.begin(), left.end(), right.begin(), right.end());
}

void validate_context_fields(const ContextFields& fields) {
  for (const auto& [name, value] : fields) validate_entry(name, value);
  if (!fields.empty()) validate_size({fields.begin(), fields.end()}, (fields.end() - 1)->name);
}

std::string detail::context_to_json(const ContextFields& fields) {
  std::string json = "{";
  for (const auto& [name, value] : fields) {
    if (json.size() > 1) json += ',';
    append_json_string(json, name);
    json += ':';
    append_value(json, value);
  }
  return json += '}';
}

ContextFields detail::context_from_json(std::string_view text) {
  return text == "{}" ? ContextFields() : context_of_json(parse_json(text));  // most events have none
}

ContextFields detail::context_of_json(const Json& json) {
  if (!json.is_object()) throw Error(ErrorCode::NotDecodable, "context fields are a JSON object");
  std::vector<ContextFields::Entry> entries;
  for (const auto& [name, value] : json.items()) {
    auto scalar = ContextValue::from_json(value);
    if (!scalar) {
      throw Error(ErrorCode::NotDecodable,
                  "context field " + detail::quoted(name) + " is neither text nor a number nor a Boolean");
    }
    entries.push_back({name, *std::move(scalar)});
  }
  return ContextFields::of_stored(std::move(entries));
}

}  // namespace tidings
