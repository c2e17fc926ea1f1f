#include "data_check.hpp"

#include <optional>

#include "fuzz_check.hpp"

namespace tidings::fuzz {
namespace {

std::optional<Json> decoded(std::string_view bytes, DataEncoding encoding) {
  try {
    return std::optional<Json>(std::in_place, decode_data(bytes, encoding));
  } catch (const Error& error) {
    FUZZ_CHECK(error.code() == ErrorCode::NotDecodable);
    for (const char* c = error.what(); *c != '\0'; ++c) FUZZ_CHECK(*c >= ' ' && *c <= '~');
    return std::nullopt;
  }
}

}  // namespace

void check_decoding(std::string_view bytes, DataEncoding encoding) {
  const auto value = decoded(bytes, encoding);
  if (!value) return;
  FUZZ_CHECK(json_depth(*value) <= kMaxJsonDepth);
  const EncodedData again = encode_data(*value);
  FUZZ_CHECK(again.encoding != DataEncoding::None &&
             (encoding == DataEncoding::Cbor || again.encoding == encoding));
  // Compared as bytes, since NaN is unequal to itself.
  FUZZ_CHECK(encode_data(decode_data(again.bytes, again.encoding)).bytes == again.bytes);
}

}  // namespace tidings::fuzz
