#include "letters/payload_value.hpp"

#include <tidings/deadletter/operations.hpp>
#include <tidings/detail/parse_json.hpp>

#include "file/sqlite_error.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <nlohmann/json.hpp>

#include <exception>
#include <optional>
#include <string>

namespace tidings::deadletter {
namespace {

bool is_value(const Json& found, std::string_view value) {
  if (found.is_string() && found.get_ref<const std::string&>() == value) return true;
  const auto meant = tidings::detail::find_json(value);
  return meant && *meant == found;
}

std::string_view bytes_of(sqlite3_value* value) {
  const void* bytes = sqlite3_value_blob(value);
  const int size = sqlite3_value_bytes(value);
  return bytes == nullptr ? std::string_view()
                          : std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

void payload_has_function(sqlite3_context* context, int, sqlite3_value** values) noexcept {
  try {
    const auto encoding = parse_data_encoding(bytes_of(values[1]));
    const EncodedData data{std::string(bytes_of(values[0])), encoding.value_or(DataEncoding::None), {}};
    sqlite3_result_int(context, payload_has(data, bytes_of(values[2]), bytes_of(values[3])) ? 1 : 0);
  } catch (const std::bad_alloc&) {
    sqlite3_result_error_nomem(context);
  } catch (...) {
    sqlite3_result_int(context, 0);
  }
}

}  // namespace

void define_payload_condition(SQLite::Database& database) {
  const int result = sqlite3_create_function_v2(database.getHandle(), "tidings_payload_has", 4,
                                                SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
                                                nullptr, &payload_has_function, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) throw SQLite::Exception(database.getHandle(), result);
}

bool payload_has(const EncodedData& data, std::string_view pointer, std::string_view value) {
  if (data.encoding == DataEncoding::None) return false;
  try {
    const Json payload = decode_data(data.bytes, data.encoding);
    const Json::json_pointer place{std::string(pointer)};
    return payload.contains(place) && is_value(payload.at(place), value);
  } catch (const Error&) {
    return false;
  } catch (const Json::exception&) {
    return false;
  }
}

void require_pointer(std::string_view pointer) {
  try {
    static_cast<void>(Json::json_pointer{std::string(pointer)});
  } catch (const Json::exception&) {
    throw Error(
        ErrorCode::InvalidArgument,
        "\"" + printable(pointer.substr(0, 100)) +
            "\" is not a JSON pointer; write /field, /field/field or /field/0, with ~0 for ~ and ~1 for /");
  }
}

}  // namespace tidings::deadletter
