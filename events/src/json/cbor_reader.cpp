#include "json/cbor.hpp"
#include "json/cbor_major_type.hpp"
#include "json/json_builder.hpp"

#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace tidings::detail {
namespace {

/// IEEE 754 binary16, as in RFC 8949, appendix D.
double half_to_double(std::uint64_t bits) {
  const int exponent = static_cast<int>(bits >> 10U & 0x1fU);
  const auto mantissa = static_cast<int>(bits & 0x3ffU);
  double magnitude = 0;
  if (exponent == 0) {
    magnitude = std::ldexp(mantissa, -24);
  } else if (exponent != 31) {
    magnitude = std::ldexp(mantissa + 1024, exponent - 25);
  } else {
    magnitude =
        mantissa == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  return (bits & 0x8000U) != 0 ? -magnitude : magnitude;
}

class CborReader {
 public:
  CborReader(std::string_view bytes, std::size_t max_depth)
      : bytes_(bytes), builder_(max_depth, Duplicates::Refuse) {}

  Json read() {
    do {
      read_item();
      close_finished();
    } while (builder_.depth() > 0);
    if (position_ != bytes_.size()) fail("has bytes left over");
    return builder_.take();
  }

 private:
  struct Head {
    CborMajorType type;
    std::uint8_t low_bits;
    std::uint64_t argument;
  };
  /// What an open container still lacks.
  struct Open {
    std::uint64_t items;
    bool is_map;
  };

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(ErrorCode::NotDecodable,
                "the CBOR data " + problem + " (at byte " + std::to_string(position_) + ")");
  }
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - position_) fail("ends too early");
    const std::string_view taken = bytes_.substr(position_, static_cast<std::size_t>(count));
    position_ += taken.size();
    return taken;
  }
  std::uint64_t big_endian(std::uint64_t size) {
    std::uint64_t value = 0;
    for (const char c : take(size)) value = value << 8U | static_cast<std::uint8_t>(c);
    return value;
  }

  Head read_head();
  void read_item();
  void read_container(const Head& head);
  Json read_scalar(const Head& head);
  Json read_negative(std::uint64_t argument);
  Json read_simple(const Head& head);
  Json read_bytes(std::uint64_t length, std::optional<std::uint64_t> subtype);
  Json read_tagged(std::uint64_t tag);
  void read_key();
  void close_finished();
  void require(bool unique_key) const {
    if (!unique_key) fail("has a map with the same key twice");
  }

  std::string_view bytes_;
  std::size_t position_ = 0;
  JsonBuilder builder_;
  std::vector<Open> open_;
};

CborReader::Head CborReader::read_head() {
  const auto first = static_cast<std::uint8_t>(take(1)[0]);
  Head head{static_cast<CborMajorType>(first >> 5U), static_cast<std::uint8_t>(first & 0x1fU), 0};
  if (head.low_bits < 24) {
    head.argument = head.low_bits;
  } else if (head.low_bits < 28) {
    head.argument = big_endian(std::uint64_t{1} << (head.low_bits - 24U));
  } else {
    fail(head.low_bits == 31 ? "uses an indefinite length, which is not supported" : "is malformed");
  }
  return head;
}

void CborReader::read_item() {
  if (!open_.empty()) {
    --open_.back().items;
    if (open_.back().is_map) read_key();
  }
  const Head head = read_head();
  if (head.type == CborMajorType::Array || head.type == CborMajorType::Map) {
    read_container(head);
  } else {
    require(builder_.scalar(read_scalar(head)));
  }
}

void CborReader::read_container(const Head& head) {
  const bool is_map = head.type == CborMajorType::Map;
  // Each item takes a byte at least: a longer claim is a lie, found out before it costs anything.
  if (head.argument > (bytes_.size() - position_) / (is_map ? 2U : 1U)) fail("ends too early");
  if (!builder_.open(is_map ? Json::object() : Json::array())) {
    fail("nests deeper than " + std::to_string(builder_.depth()) + " levels");
  }
  open_.push_back({head.argument, is_map});
}

void CborReader::close_finished() {
  while (!open_.empty() && open_.back().items == 0) {
    open_.pop_back();
    require(builder_.close());
  }
}

void CborReader::read_key() {
  const Head head = read_head();
  if (head.type != CborMajorType::Text) fail("has a map key that is not text");
  builder_.key(std::string(take(head.argument)));
}

Json CborReader::read_scalar(const Head& head) {
  switch (head.type) {
    case CborMajorType::Unsigned:
      return head.argument;
    case CborMajorType::Negative:
      return read_negative(head.argument);
    case CborMajorType::Bytes:
      return read_bytes(head.argument, std::nullopt);
    case CborMajorType::Text:
      return std::string(take(head.argument));
    case CborMajorType::Tag:
      return read_tagged(head.argument);
    default:
      return read_simple(head);
  }
}

Json CborReader::read_negative(std::uint64_t argument) {
  if (argument > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    fail("holds an integer below -2^63");
  }
  return -1 - static_cast<std::int64_t>(argument);
}

Json CborReader::read_bytes(std::uint64_t length, std::optional<std::uint64_t> subtype) {
  const std::string_view content = take(length);
  const Json::binary_t::container_type bytes(content.begin(), content.end());
  return subtype ? Json::binary(bytes, *subtype) : Json::binary(bytes);
}

Json CborReader::read_tagged(std::uint64_t tag) {
  const Head head = read_head();
  if (head.type != CborMajorType::Bytes) fail("has a tag before something that is not a byte string");
  return read_bytes(head.argument, tag);
}

Json CborReader::read_simple(const Head& head) {
  switch (head.low_bits) {
    case kCborFalse:
      return false;
    case kCborTrue:
      return true;
    case kCborNull:
      return nullptr;
    case kCborHalf:
      return half_to_double(head.argument);
    case kCborSingle:
      return double{std::bit_cast<float>(static_cast<std::uint32_t>(head.argument))};
    case kCborDouble:
      return std::bit_cast<double>(head.argument);
    default:
      fail("holds a simple value that JSON does not know");
  }
}

}  // namespace

Json read_cbor(std::string_view bytes, std::size_t max_depth) { return CborReader(bytes, max_depth).read(); }

}  // namespace tidings::detail
