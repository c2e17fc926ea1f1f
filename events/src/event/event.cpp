#include <tidings/event.hpp>

#include <tidings/detail/quoted.hpp>

namespace tidings {

void validate_name(std::string_view name, std::string_view what) {
  if (is_valid_name(name)) return;
  const std::string problem =
      name.empty() ? "is empty"
                   : "is " + detail::quoted(name) + " (" + std::to_string(name.size()) + " bytes)";
  throw Error(ErrorCode::InvalidArgument,
              std::string(what) + " " + problem + ": use 1 to " + std::to_string(kMaxNameLength) +
                  " visible ASCII characters without spaces, quotes and backslash");
}

std::string_view to_string(DataEncoding encoding) noexcept {
  switch (encoding) {
    case DataEncoding::Json:
      return "json";
    case DataEncoding::Cbor:
      return "cbor";
    case DataEncoding::None:
      return "none";
    case DataEncoding::Encrypted:
      return "encrypted";
    case DataEncoding::Masked:
      return "masked";
  }
  return "unknown";
}

std::optional<DataEncoding> parse_data_encoding(std::string_view text) noexcept {
  for (const DataEncoding encoding : {DataEncoding::Json, DataEncoding::Cbor, DataEncoding::None,
                                      DataEncoding::Encrypted, DataEncoding::Masked}) {
    if (text == to_string(encoding)) return encoding;
  }
  return std::nullopt;
}

}  // namespace tidings
