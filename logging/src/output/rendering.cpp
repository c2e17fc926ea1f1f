#include "output/rendering.hpp"

#include "redaction/keyed_secret.hpp"
#include "text/json_text.hpp"
#include "text/utf8.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace tidings::logging {

namespace {

constexpr std::size_t kMaxDepth = 100;
constexpr std::size_t kSecondsLength = 19;  // 2026-11-21T09:30:00

struct SecondText {
  std::chrono::sys_seconds second{std::chrono::seconds::min()};
  std::array<char, kSecondsLength> text{};
};

template <class Number>
void append_visible_number(std::string& out, Number number, const Rendering& rendering) {
  if (hides(rendering, number)) {
    out += "\"[redacted]\"";
  } else {
    append_json_number(out, number);
  }
}

void append_value(std::string& out, const Json& value, const Rendering& rendering, std::size_t depth);

void append_object(std::string& out, const Json& object, const Rendering& rendering, std::size_t depth) {
  char separator = '{';
  std::optional<DeniedMembers> denied_members;
  if (rendering.redactor != nullptr) denied_members.emplace(*rendering.redactor, object);
  for (const auto& [key, value] : object.items()) {
    const bool denied = denied_members && denied_members->have(key, value);
    if (denied && rendering.redactor->action() == Redaction::Remove) continue;
    out.push_back(separator);
    separator = ',';
    append_json_string(out, key);
    out.push_back(':');
    if (denied) {
      out += "\"[redacted]\"";
    } else {
      append_value(out, value, rendering, depth + 1);
    }
  }
  if (separator == '{') out.push_back('{');
  out.push_back('}');
}

void append_array(std::string& out, const Json& array, const Rendering& rendering, std::size_t depth) {
  char separator = '[';
  for (const Json& element : array) {
    out.push_back(separator);
    separator = ',';
    append_value(out, element, rendering, depth + 1);
  }
  if (separator == '[') out.push_back('[');
  out.push_back(']');
}

void append_value(std::string& out, const Json& value, const Rendering& rendering, std::size_t depth) {
  if (value.is_structured() && depth >= kMaxDepth) {
    out += "\"[nested too deeply]\"";
  } else if (value.is_object()) {
    append_object(out, value, rendering, depth);
  } else if (value.is_array()) {
    append_array(out, value, rendering, depth);
  } else if (value.is_string()) {
    append_json_string(out, VisibleText(value.get_ref<const std::string&>(), rendering).view());
  } else if (value.is_number_float()) {
    append_visible_number(out, value.get<double>(), rendering);
  } else if (value.is_binary()) {
    out += "\"[" + std::to_string(value.get_binary().size()) + " bytes]\"";
  } else if (value.is_number_unsigned()) {
    append_visible_number(out, value.get<std::uint64_t>(), rendering);
  } else if (value.is_number_integer()) {
    append_visible_number(out, value.get<std::int64_t>(), rendering);
  } else {
    out += value.is_boolean() ? (value.get<bool>() ? "true" : "false") : "null";
  }
}

}  // namespace

VisibleText::VisibleText(std::string_view text, const Rendering& rendering, bool scan) : view_(text) {
  if (scan && rendering.redactor != nullptr && rendering.redactor->redact_text_into(text, buffer_))
    view_ = buffer_;
  if (view_.size() <= rendering.max_text_bytes) return;
  std::string cut(view_.substr(0, cut_size(view_, rendering.max_text_bytes)));
  append_cut_note(cut, text.size());
  buffer_ = std::move(cut);
  view_ = buffer_;
}

void append_timestamp(std::string& out, Timestamp time) {
  static thread_local SecondText last;  // records come in bursts: their seconds are written once
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  if (last.second != second) {
    const std::string text = to_rfc3339(Timestamp(second));
    text.copy(last.text.data(), last.text.size());
    last.second = second;
  }
  std::array<char, 8> fraction = {'.', '0', '0', '0', '0', '0', '0', 'Z'};
  auto micros = static_cast<std::uint32_t>((time - second).count());
  for (std::size_t digit = 6; digit > 0; --digit, micros /= 10)
    fraction[digit] = static_cast<char>('0' + micros % 10);
  out.append(last.text.data(), last.text.size()).append(fraction.data(), fraction.size());
}

void append_json(std::string& out, const Json& value, const Rendering& rendering) {
  append_value(out, value, rendering, 0);
}

}  // namespace tidings::logging
