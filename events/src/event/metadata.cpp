#include <tidings/metadata.hpp>

#include <tidings/detail/quoted.hpp>
#include <tidings/error.hpp>

#include "text/attribute_text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace tidings {
namespace {

constexpr std::size_t kMaxAttributes = 16;
constexpr std::size_t kMaxAttributeName = 20;
constexpr std::size_t kMaxAttributeValue = 1024;

// What CloudEvents 1.0 and its documented extensions, and tidings itself, give a meaning to.
constexpr std::array<std::string_view, 16> kReservedNames = {
    "id",         "source",       "specversion",   "type",          "datacontenttype", "dataschema",
    "subject",    "time",         "data",          "correlationid", "causationid",     "traceparent",
    "tracestate", "partitionkey", "schemaversion", "sampledrate"};

[[noreturn]] void refuse(std::string_view name, const std::string& rule) {
  throw Error(ErrorCode::InvalidArgument, "attribute " + detail::quoted(name) + " " + rule);
}

void validate_attribute_name(std::string_view name) {
  if (!detail::is_attribute_name(name) || name.size() > kMaxAttributeName || name[0] < 'a') {
    refuse(name, "has a bad name: use 1 to 20 characters of [a-z0-9], the first one a letter");
  }
  if (std::find(kReservedNames.begin(), kReservedNames.end(), name) != kReservedNames.end()) {
    refuse(name, "has a name that CloudEvents or tidings gives a meaning: choose another name");
  }
}

void validate_attribute_value(std::string_view name, std::string_view value) {
  if (value.size() > kMaxAttributeValue) {
    refuse(name, "has a value of " + std::to_string(value.size()) +
                     " bytes: at most 1024 are allowed; put larger data into the event");
  }
  if (!detail::is_attribute_text(value)) {
    refuse(name, "has a bad value: use UTF-8 text without control characters and noncharacters");
  }
}

}  // namespace

void validate_attributes(const Attributes& attributes) {
  if (attributes.size() > kMaxAttributes) {
    throw Error(ErrorCode::InvalidArgument, "an event has at most 16 attributes, not " +
                                                std::to_string(attributes.size()) +
                                                "; put further data into the event");
  }
  for (auto current = attributes.begin(); current != attributes.end(); ++current) {
    const std::string& name = current->first;
    validate_attribute_name(name);
    validate_attribute_value(name, current->second);
    const auto has_name = [&name](const auto& earlier) { return earlier.first == name; };
    if (std::any_of(attributes.begin(), current, has_name))
      refuse(name, "is given twice: give each one once");
  }
}

}  // namespace tidings
