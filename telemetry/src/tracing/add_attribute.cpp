#include "tracing/add_attribute.hpp"

#include <tidings/event.hpp>
#include <tidings/logging/redactor.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

namespace tidings::telemetry {

namespace {

bool is_denied_number(const logging::Redactor& redactor, const AttributeValue& value) {
  if (const auto* const number = std::get_if<std::int64_t>(&value)) return redactor.denies_number(*number);
  if (const auto* const number = std::get_if<double>(&value)) return redactor.denies_number(*number);
  return false;
}

bool stands_at_a_path(const logging::Redactor& redactor, std::string_view name) {
  Json any = nullptr;
  return redactor.has_path_below(name) && (!redactor.redact_below(name, any) || !any.is_null());
}

}  // namespace

void add_attribute(Attributes& attributes, std::uint32_t& dropped, std::string_view name,
                   AttributeValue value) {
  const auto redactor = logging::default_redactor();
  if (redactor->denies(name) || stands_at_a_path(*redactor, name)) return;
  if (auto* const text = std::get_if<std::string>(&value)) {
    *text = redactor->redact_text(*text);
    if (text->size() > kMaxTextBytes) text->resize(kMaxTextBytes);
  } else if (is_denied_number(*redactor, value)) {
    value = std::string("[redacted]");
  }
  const auto same = std::find_if(attributes.begin(), attributes.end(),
                                 [&](const Attribute& each) { return each.name == name; });
  if (same != attributes.end()) {
    same->value = std::move(value);
  } else if (attributes.size() < kMaxAttributes) {
    attributes.push_back({std::string(name), std::move(value)});
  } else {
    ++dropped;
  }
}

}  // namespace tidings::telemetry
