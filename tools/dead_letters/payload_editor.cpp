#include "dead_letters/payload_editor.hpp"

#include "dead_letters/exit_status.hpp"
#include "text/printable.hpp"

#include <tidings/detail/parse_json.hpp>
#include <tidings/logging/redactor.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <system_error>

namespace tidings::dead_letters {
namespace {

[[noreturn]] void refuse_place(const std::string& pointer, const std::string& problem) {
  throw Refusal(ExitStatus::Usage, "--set: the payload has no place " + tools::printable(pointer, 80) + ": " +
                                       problem + "; nothing was edited");
}

std::string depth_rule() { return "deeper than " + std::to_string(kMaxJsonDepth) + " levels"; }

/// Text that would be a JSON number if it were not outside the range of a double.
bool is_number_too_large(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc::result_out_of_range && end == text.data() + text.size();
}

Json value_meant(const std::string& pointer, const std::string& text) {
  auto value = tidings::detail::find_json(text);
  if (value) return *std::move(value);
  if (tidings::detail::bracket_depth(text) > kMaxJsonDepth) {
    throw Refusal(ExitStatus::Usage, "--set: the value for " + tools::printable(pointer, 80) + " nests " +
                                         depth_rule() + "; nothing was edited");
  }
  if (is_number_too_large(text)) {
    throw Refusal(ExitStatus::Usage, "--set: the number for " + tools::printable(pointer, 80) +
                                         " is too large for JSON's readers; as text, write it in quotes:"
                                         " '" +
                                         tools::printable(pointer, 80) + "=\"" + tools::printable(text, 80) +
                                         "\"'; nothing was edited");
  }
  return text;
}

std::vector<std::string> tokens_of(const std::string& pointer) {
  std::vector<std::string> tokens;
  for (Json::json_pointer rest(pointer); !rest.empty(); rest.pop_back()) tokens.push_back(rest.back());
  std::reverse(tokens.begin(), tokens.end());
  return tokens;
}

/// RFC 6901: digits without leading zeros.
std::optional<std::size_t> array_index(std::string_view token) {
  if (token.empty() || (token.size() > 1 && token.front() == '0')) return std::nullopt;
  std::size_t index = 0;
  const auto result = std::from_chars(token.data(), token.data() + token.size(), index);
  if (result.ec == std::errc::result_out_of_range) return static_cast<std::size_t>(-1);
  if (result.ec != std::errc() || result.ptr != token.data() + token.size()) return std::nullopt;
  return index;
}

Json& element(Json& array, const std::string& token, bool is_last, const std::string& pointer) {
  const auto index = token == "-" ? array.size() : array_index(token);
  if (!index) refuse_place(pointer, "an array is on the way; write its index (0, 1, ...) or, to append, -");
  const bool appends = *index == array.size() && is_last;
  if (*index >= array.size() && !appends) {
    refuse_place(pointer, "an array on the way has " + std::to_string(array.size()) + " elements");
  }
  if (appends) array.push_back(nullptr);
  return array[*index];
}

Json& member(Json& object, const std::string& token, bool is_last, const std::string& pointer) {
  const auto found = object.find(token);
  if (found != object.end()) return *found;
  if (!is_last) refuse_place(pointer, "there is no " + tools::printable(token, 80) + " to set a value in");
  return object[token];
}

Json& place_of(Json& payload, const std::string& pointer) {
  const auto tokens = tokens_of(pointer);
  Json* place = &payload;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool is_last = i + 1 == tokens.size();
    if (place->is_array()) {
      place = &element(*place, tokens[i], is_last, pointer);
    } else if (place->is_object()) {
      place = &member(*place, tokens[i], is_last, pointer);
    } else {
      refuse_place(pointer, "a value that is no object is on the way");
    }
  }
  return *place;
}

}  // namespace

Json with_changes(Json payload, const std::vector<std::pair<std::string, std::string>>& changes) {
  for (const auto& [pointer, text] : changes) place_of(payload, pointer) = value_meant(pointer, text);
  if (json_depth(payload) > kMaxJsonDepth) {
    throw Refusal(ExitStatus::Usage,
                  "--set: the payload would nest " + depth_rule() + "; nothing was edited");
  }
  return payload;
}

Json parse_payload(std::string_view text, const std::string& what) {
  try {
    return decode_data(text, DataEncoding::Json);
  } catch (const Error& error) {
    throw Refusal(ExitStatus::Data,
                  what + " is not a JSON document: " +
                      tools::printable(logging::default_redactor()->redact_text(error.what()), 300));
  }
}

}  // namespace tidings::dead_letters
