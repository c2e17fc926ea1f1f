#include "delivery.hpp"

#include <string>
#include <utility>

namespace webhooks {
namespace {

tidings::Json parse_object(const Line& line) {
  if (line.too_long) {
    throw MalformedLine("longer than " + std::to_string(kMaxLineBytes / (1024 * 1024)) +
                        " MiB, which no delivery is");
  }
  try {
    auto json = tidings::decode_data(line.text, tidings::DataEncoding::Json);
    if (!json.is_object()) throw MalformedLine("not a JSON object");
    return json;
  } catch (const tidings::Error& error) {
    throw MalformedLine(error.what());
  }
}

std::string take_string(tidings::Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) throw MalformedLine(std::string("\"") + name + "\" is not a string");
  return std::move(found->get_ref<std::string&>());
}

}  // namespace

Delivery parse_delivery(const Line& line) {
  tidings::Json object = parse_object(line);
  Delivery delivery{.id = take_string(object, "id"),
                    .type = take_string(object, "type"),
                    .source = take_string(object, "source"),
                    .data = {}};
  if (delivery.type.empty()) throw MalformedLine("has no \"type\"");
  const auto data = object.find("data");
  if (data == object.end()) throw MalformedLine("has no \"data\"");
  delivery.data = std::move(*data);
  return delivery;
}

}  // namespace webhooks
