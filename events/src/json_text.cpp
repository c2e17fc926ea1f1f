#include "json_text.hpp"

#include "json_walk.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace tidings::detail {
namespace {

constexpr std::uint64_t in_each_byte(std::uint64_t byte) { return byte * 0x0101010101010101U; }

/// Whether one of eight bytes is less than `bound`, which is at most 128 (S. E. Anderson, "Bit Twiddling
/// Hacks", "Determine if a word has a byte less than n").
constexpr bool any_less_than(std::uint64_t bytes, std::uint64_t bound) {
  return ((bytes - in_each_byte(bound)) & ~bytes & in_each_byte(0x80)) != 0;
}
constexpr bool any_equals(std::uint64_t bytes, char wanted) {
  return any_less_than(bytes ^ in_each_byte(static_cast<std::uint8_t>(wanted)), 1);
}

constexpr bool any_escaped(std::uint64_t bytes) {
  return any_less_than(bytes, ' ') || any_equals(bytes, '"') || any_equals(bytes, '\\');
}

/// Whether JSON text has the characters as they are: no control character, quote or backslash.
bool is_plain(std::string_view text) {
  std::uint64_t bytes = 0;
  for (; text.size() >= sizeof bytes; text.remove_prefix(sizeof bytes)) {
    std::memcpy(&bytes, text.data(), sizeof bytes);
    if (any_escaped(bytes)) return false;
  }
  bytes = in_each_byte(' ');
  std::memcpy(&bytes, text.data(), text.size());
  return !any_escaped(bytes);
}

void append_string(std::string& text, const std::string& value) {
  if (is_plain(value)) {
    (text += '"').append(value) += '"';
  } else {
    text += Json(value).dump();
  }
}

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
    append_string(text, name);
    text += ':';
  }
  bool scalar(const Json& value) {
    if (value.is_string()) {
      append_string(text, value.get_ref<const std::string&>());
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
    constexpr int kOutOfRange = 406;
    return stop(error.id == kOutOfRange ? "holds a number that no double can hold"
                                        : "is not valid JSON at byte " + std::to_string(position));
  }

  [[nodiscard]] Json take() { return builder_.take(); }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  bool open(Json container) {
    return builder_.open(std::move(container)) ||
           stop("nests deeper than " + std::to_string(max_depth_) + " levels");
  }
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

std::string write_json_text(const Json& value) {
  TextWriter writer;
  walk_json(value, writer);
  return std::move(writer.text);
}

Json read_json_text(std::string_view text, std::size_t max_depth, Duplicates duplicates) {
  TextReader reader(max_depth, duplicates);
  if (!Json::sax_parse(text, &reader)) {
    throw Error(ErrorCode::NotDecodable, "the text " + reader.problem());
  }
  return reader.take();
}

}  // namespace tidings::detail
