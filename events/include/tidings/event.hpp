#pragma once

#include <tidings/error.hpp>

#include <nlohmann/json.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace tidings {

/// How stored JSON is written.
enum class DataEncoding : std::uint8_t {
  Json,       ///< UTF-8 JSON text.
  Cbor,       ///< RFC 8949, for values that JSON cannot represent: invalid UTF-8, NaN and infinities.
  None,       ///< There is no data: to_json threw, or the value is discarded or nested too deeply;
              ///< `EncodedData::problem` says which.
  Encrypted,  ///< What a PayloadCipher made of the data of a type with `encrypt_payload`.
  Masked,     ///< JSON in which `masked_fields` or `hashed_fields` were replaced, as `EncodedData::problem`
              ///< says: to be read, and not to be delivered again.
};

/// `json`, `cbor`, `none`, `encrypted`, `masked`: as in the database.
[[nodiscard]] std::string_view to_string(DataEncoding encoding) noexcept;
[[nodiscard]] std::optional<DataEncoding> parse_data_encoding(std::string_view text) noexcept;

// After DataEncoding, whose enumerator GCC 12 would otherwise report as shadowing this name.
using Json = nlohmann::json;

/// The longest name, in bytes, that an event or handler may have; the shortest is 1.
inline constexpr std::size_t kMaxNameLength = 200;

/// Event types, handler names and services are 1 to 200 visible ASCII characters without quotes and
/// backslash, so that they can stand in a log line, a shell command and a metric label as they are.
[[nodiscard]] constexpr bool is_valid_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kMaxNameLength) return false;
  for (const char c : name) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\') return false;
  }
  return true;
}

/// Throws Error(InvalidArgument) that names `what` ("handler name", ...) and the rule, unless the name is
/// valid.
void validate_name(std::string_view name, std::string_view what);

namespace detail {

template <class E>
concept HasEventType = requires {
  { E::event_type } -> std::convertible_to<std::string_view>;
};

template <class E>
concept HasJson = requires(Json& json, const E& constant, E& mutable_event) {
  {nlohmann::adl_serializer<E>::to_json(json, constant)};
  {nlohmann::adl_serializer<E>::from_json(json, mutable_event)};
}
&&std::is_default_constructible_v<E>;

}  // namespace detail

/// An immutable fact: a copyable struct with `static constexpr std::string_view event_type`, optionally
/// `static constexpr int schema_version` (default 1), and nlohmann's to_json and from_json
/// (NLOHMANN_DEFINE_TYPE_INTRUSIVE makes both).
///
/// With `static constexpr bool store_payload = false` no payload of the type is written to disk, nor to
/// standard error: a dead letter has metadata and errors alone and cannot be redriven, and publishing the
/// event durably throws Error(NotEncodable). For payloads that must not rest anywhere, such as card
/// numbers.
///
/// With `static constexpr bool encrypt_payload = true` payloads of the type are stored encrypted: in letters,
/// in the journal, in the spill file and on standard error. Durable publishing, recovery and redrive work as
/// for any type; all of them need StoreOptions::encryption. Without it a durable publish throws
/// Error(NotEncodable), and a letter has no payload.
///
/// With `static constexpr std::array<std::string_view, N> masked_fields = {"/card/number", ...}` (JSON
/// pointers, RFC 6901) these fields are replaced in dead letters, which can then not be redriven; with
/// `hashed_fields` they are replaced by a hash under a key of StoreOptions::encryption, so that equal values
/// can be recognised (and masked if there is no key). The journal is not masked, since recovery delivers what
/// it has: add `encrypt_payload` for it.
///
/// All of this is about payloads. Context fields, ordering keys, ids and the error texts of handlers are
/// stored in the clear: do not put into them what must not rest.
template <class E>
concept Event =
    std::is_class_v<E> && std::copy_constructible<E> && detail::HasEventType<E> && detail::HasJson<E>;

/// Reports at compile time which requirement of Event a type does not meet. Instantiated by publish and
/// subscribe.
template <class E>
constexpr void require_event() {
  static_assert(std::is_class_v<E>, "tidings: an event is a struct");
  static_assert(detail::HasEventType<E>,
                "tidings: an event needs a member `static constexpr std::string_view event_type = \"...\";`");
  static_assert(std::copy_constructible<E>,
                "tidings: an event must be copyable, for queues and delayed retries");
  static_assert(std::is_default_constructible_v<E>,
                "tidings: an event needs a default constructor, to be decoded from JSON");
  static_assert(detail::HasJson<E>,
                "tidings: an event needs to_json and from_json; NLOHMANN_DEFINE_TYPE_INTRUSIVE(Type, "
                "members...) makes both");
  if constexpr (detail::HasEventType<E>) {
    static_assert(
        is_valid_name(E::event_type),
        "tidings: event_type must be 1 to 200 visible ASCII characters without quotes and backslash");
  }
}

/// `E::schema_version`, or 1.
template <class E>
[[nodiscard]] constexpr int schema_version_of() noexcept {
  if constexpr (requires { E::schema_version; }) {
    static_assert(E::schema_version >= 1, "tidings: schema_version starts at 1");
    return E::schema_version;
  } else {
    return 1;
  }
}

/// An event's payload, ready to be stored.
struct EncodedData {
  std::string bytes;
  DataEncoding encoding = DataEncoding::Json;
  /// Why the encoding is None, or which fields were replaced in Masked data.
  std::string problem;
};

/// Payloads nest at most this deep, wherever they come from. Copying and printing a Json recurse and must not
/// run out of stack, and a single deeper row makes SQLite's JSON functions fail for the whole table.
inline constexpr std::size_t kMaxJsonDepth = 1000;

/// Lossless: JSON text when JSON can carry the value, else CBOR. None, with a problem, for a value nested
/// deeper than kMaxJsonDepth and for a discarded one (which stands for the absence of data). Throws only
/// std::bad_alloc, at any depth.
[[nodiscard]] EncodedData encode_data(const Json& value);
/// The reverse. Reads any JSON (the last of duplicate keys wins). Of CBOR it reads what encode_data writes
/// (RFC 8949, definite lengths, text keys), and half and single floats. Throws Error(NotDecodable) on
/// malformed or undecodable data, saying where; never crashes on hostile bytes. Masked data is read as the
/// JSON that it is; encrypted data is not decodable here (PayloadCipher::decrypt).
[[nodiscard]] Json decode_data(std::string_view bytes, DataEncoding encoding);

/// How deeply arrays and objects nest in `value`; 0 for a scalar. Not recursive.
[[nodiscard]] std::size_t json_depth(const Json& value);

}  // namespace tidings
