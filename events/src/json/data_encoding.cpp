#include <tidings/event.hpp>

#include "json/cbor.hpp"
#include "json/json_text.hpp"
#include "json/json_traits.hpp"

#include <string>

namespace tidings {

EncodedData encode_data(const Json& value) {
  const detail::JsonTraits traits = detail::examine_json(value);
  if (traits.has_discarded) {
    return {.bytes = {}, .encoding = DataEncoding::None, .problem = "the event holds a discarded JSON value"};
  }
  if (traits.depth > kMaxJsonDepth) {
    return {.bytes = {},
            .encoding = DataEncoding::None,
            .problem = "the event nests deeper than " + std::to_string(kMaxJsonDepth) + " levels"};
  }
  if (traits.fits_json()) {
    return {.bytes = detail::write_json_text(value), .encoding = DataEncoding::Json, .problem = {}};
  }
  return {.bytes = detail::write_cbor(value), .encoding = DataEncoding::Cbor, .problem = {}};
}

Json decode_data(std::string_view bytes, DataEncoding encoding) {
  switch (encoding) {
    case DataEncoding::Json:
    case DataEncoding::Masked:
      return detail::read_json_text(bytes, kMaxJsonDepth, detail::Duplicates::LastWins);
    case DataEncoding::Cbor:
      return detail::read_cbor(bytes, kMaxJsonDepth);
    case DataEncoding::Encrypted:
      throw Error(ErrorCode::NotDecodable, "the data is encrypted: it takes a PayloadCipher to read it");
    case DataEncoding::None:
      break;
  }
  throw Error(ErrorCode::NotDecodable, "there is no data to decode: its encoding is none");
}

}  // namespace tidings
