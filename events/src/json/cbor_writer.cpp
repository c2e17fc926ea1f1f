#include "json/cbor.hpp"
#include "json/cbor_major_type.hpp"
#include "json/json_walk.hpp"

#include <bit>
#include <cstddef>

namespace tidings::detail {
namespace {

class CborWriter {
 public:
  bool open(const Json& container) {
    head(container.is_array() ? CborMajorType::Array : CborMajorType::Map, container.size());
    return true;
  }
  void close(const Json&) {}
  void element(bool) {}
  void key(const std::string& name, bool) { text(name); }
  bool scalar(const Json& value);

  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  void big_endian(std::uint64_t value, unsigned size) {
    while (size-- > 0) bytes_ += static_cast<char>(value >> (8U * size));
  }
  void first_byte(CborMajorType type, unsigned low_bits) {
    bytes_ += static_cast<char>(static_cast<unsigned>(type) << 5U | low_bits);
  }
  void head(CborMajorType type, std::uint64_t argument);
  void integer(std::int64_t value) {
    if (value >= 0) return head(CborMajorType::Unsigned, static_cast<std::uint64_t>(value));
    head(CborMajorType::Negative, ~static_cast<std::uint64_t>(value));  // -1 - value
  }
  void number(double value) {
    first_byte(CborMajorType::Simple, kCborDouble);
    big_endian(std::bit_cast<std::uint64_t>(value), 8);
  }
  void text(const std::string& value) {
    head(CborMajorType::Text, value.size());
    bytes_ += value;
  }
  void binary(const Json::binary_t& value) {
    if (value.has_subtype()) head(CborMajorType::Tag, value.subtype());
    head(CborMajorType::Bytes, value.size());
    bytes_.append(value.begin(), value.end());
  }

  std::string bytes_;
};

void CborWriter::head(CborMajorType type, std::uint64_t argument) {
  if (argument < 24) return first_byte(type, static_cast<unsigned>(argument));
  const unsigned size_code = argument <= 0xff         ? 0U
                             : argument <= 0xffff     ? 1U
                             : argument <= 0xffffffff ? 2U
                                                      : 3U;
  first_byte(type, 24 + size_code);
  big_endian(argument, 1U << size_code);
}

bool CborWriter::scalar(const Json& value) {
  switch (value.type()) {
    case Json::value_t::boolean:
      first_byte(CborMajorType::Simple, value.get<bool>() ? kCborTrue : kCborFalse);
      break;
    case Json::value_t::number_integer:
      integer(value.get<std::int64_t>());
      break;
    case Json::value_t::number_unsigned:
      head(CborMajorType::Unsigned, value.get<std::uint64_t>());
      break;
    case Json::value_t::number_float:
      number(value.get<double>());
      break;
    case Json::value_t::string:
      text(value.get_ref<const std::string&>());
      break;
    case Json::value_t::binary:
      binary(value.get_binary());
      break;
    default:
      first_byte(CborMajorType::Simple, kCborNull);
  }
  return true;
}

}  // namespace

std::string write_cbor(const Json& value) {
  CborWriter writer;
  walk_json(value, writer);
  return writer.take();
}

}  // namespace tidings::detail
