#include "json/json_text.hpp"

#include "json/json_walk.hpp"

#include <tidings/detail/json_string.hpp>
#include <tidings/detail/parse_json.hpp>

#include "json/cbor.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace tidings::detail {
namespace {

template <class Integer>
void append_integer(std::string& text, Integer value) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), end);
}

/// Writes what nlohmann's dump() writes, but walks instead of recursing, copies plain strings whole, and
/// makes no serializer for each scalar.
struct TextWriter {
  std::string text;

  bool open(const Json& container) {
    text += container.is_array() ? '[' : '{';
    return true;
  }
  void close(const Json& container) { text += container.is_array() ? ']' : '}'; }
  void element(bool first) {
    if (!first) text += ',';
  }
  void key(const std::string& name, bool first) {
    element(first);
    append_json_string(text, name);
    text += ':';
  }
  bool scalar(const Json& value) {
    if (value.is_string()) {
      append_json_string(text, value.get_ref<const std::string&>());
    } else if (value.is_number_unsigned()) {
      append_integer(text, value.get<std::uint64_t>());
    } else if (value.is_number_integer()) {
      append_integer(text, value.get<std::int64_t>());
    } else if (value.is_boolean()) {
      text += value.get<bool>() ? "true" : "false";
    } else {
      text += value.dump();
    }
    return true;
  }
};

[[noreturn]] void refuse_text(const std::string& problem) {
  throw Error(ErrorCode::NotDecodable, "the text " + problem);
}

std::string parse_problem(const Json::exception& error, std::size_t position) {
  constexpr int kOutOfRange = 406;
  return error.id == kOutOfRange ? "holds a number that no double can hold"
                                 : "is not valid JSON at byte " + std::to_string(position);
}

std::string too_deep(std::size_t max_depth) {
  return "nests deeper than " + std::to_string(max_depth) + " levels";
}

/// JSON has no NUL byte anywhere, and nlohmann's lexer takes one for the end.
void refuse_nul(std::string_view text) {
  const auto nul = text.find('\0');
  if (nul != std::string_view::npos)
    refuse_text("is not valid JSON at byte " + std::to_string(nul + 1) + ": it holds a NUL byte");
}

/// Receives nlohmann's events; remembers why it stopped them.
class TextReader final : public nlohmann::json_sax<Json> {
 public:
  TextReader(std::size_t max_depth, Duplicates duplicates)
      : max_depth_(max_depth), builder_(max_depth, duplicates) {}

  bool null() override { return scalar(nullptr); }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(number_integer_t value) override { return scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(value); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(value); }
  bool string(string_t& value) override { return scalar(std::move(value)); }
  bool binary(binary_t&) override { return stop("holds binary data"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    builder_.key(std::move(name));
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception& error) override {
    return stop(parse_problem(error, position));
  }

  [[nodiscard]] Json take() { return builder_.take(); }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  bool open(Json container) { return builder_.open(std::move(container)) || stop(too_deep(max_depth_)); }
  bool close() { return builder_.close() || refuse_duplicate(); }
  bool scalar(Json value) { return builder_.scalar(std::move(value)) || refuse_duplicate(); }
  bool refuse_duplicate() { return stop("has an object with the same key twice"); }
  bool stop(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  std::size_t max_depth_;
  JsonBuilder builder_;
  std::string problem_;
};

}  // namespace

/// Written to memory that is used again, and copied once it is whole: a text that grows is copied as often as
/// it doubles.
std::string write_json_text(const Json& value) {
  constexpr std::size_t kMostKept = std::size_t{64} << 10;
  thread_local std::string scratch;
  TextWriter writer;
  writer.text = std::exchange(scratch, {});
  writer.text.clear();
  walk_json(value, writer);
  std::string text = writer.text;
  if (writer.text.capacity() <= kMostKept) scratch = std::move(writer.text);
  return text;
}

Json read_json_text(std::string_view text, std::size_t max_depth, Duplicates duplicates) {
  refuse_nul(text);
  TextReader reader(max_depth, duplicates);
  if (!Json::sax_parse(text, &reader)) refuse_text(reader.problem());
  return reader.take();
}

Json parse_json(std::string_view text, std::size_t max_depth) {
  return read_json_text(text, max_depth, Duplicates::LastWins);
}

std::optional<Json> find_json(std::string_view text) try {
  return std::optional<Json>(std::in_place, parse_json(text));
} catch (const Error&) {
  return std::nullopt;
}

nlohmann::ordered_json parse_ordered_json(std::string_view text, std::size_t max_depth) {
  refuse_nul(text);
  if (bracket_depth(text) > max_depth) refuse_text(too_deep(max_depth));
  try {
    return nlohmann::ordered_json::parse(text);
  } catch (const nlohmann::ordered_json::parse_error& error) {
    refuse_text(parse_problem(error, error.byte));
  } catch (const nlohmann::ordered_json::exception& error) {
    refuse_text(parse_problem(error, 0));
  }
}

std::size_t bracket_depth(std::string_view text) noexcept {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

namespace {

bool is_cbor_within(std::string_view bytes, std::size_t max_depth) {
  try {
    static_cast<void>(read_cbor(bytes, max_depth));
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

bool nests_too_deeply(const EncodedData& data) {
  if (data.bytes.size() <= kMaxJsonDepth) return false;  // each level takes a byte
  if (data.encoding == DataEncoding::Json || data.encoding == DataEncoding::Masked)
    return bracket_depth(data.bytes) > kMaxJsonDepth;
  return data.encoding == DataEncoding::Cbor && !is_cbor_within(data.bytes, kMaxJsonDepth) &&
         is_cbor_within(data.bytes, std::numeric_limits<std::size_t>::max());
}

}  // namespace tidings::detail
