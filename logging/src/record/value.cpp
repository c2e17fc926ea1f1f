#include <tidings/logging/value.hpp>

namespace tidings::logging {

namespace {

struct OwningCopy {
  Value::Storage operator()(std::string_view text) const { return std::string(text); }
  Value::Storage operator()(const Json* json) const { return std::make_shared<const Json>(*json); }
  template <class T>
  Value::Storage operator()(const T& value) const {
    return Value::Storage(std::in_place_type<T>, value);
  }
};

Json error_as_json(const ErrorDescription& error) {
  Json json = {{"error_type", error.type}, {"error", error.message}};
  if (!error.causes.empty()) json["error_chain"] = error.causes;
  return json;
}

struct AsJson {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(const Json* json) const { return *json; }
  Json operator()(const std::shared_ptr<const Json>& json) const { return *json; }
  Json operator()(const Value::Lazy& function) const { return function().to_json(); }
  Json operator()(const std::shared_ptr<const ErrorDescription>& error) const {
    return error_as_json(*error);
  }
  template <class T>
  Json operator()(const T& value) const {
    return value;
  }
};

}  // namespace

Value::Value(const Value& other) : storage_(std::visit(OwningCopy{}, other.storage_)) {}

Value& Value::operator=(const Value& other) {
  if (this != &other) *this = Value(other);
  return *this;
}

std::optional<std::string_view> Value::text() const noexcept {
  if (const auto* view = std::get_if<std::string_view>(&storage_)) return *view;
  if (const auto* owned = std::get_if<std::string>(&storage_)) return std::string_view(*owned);
  return std::nullopt;
}

Json Value::to_json() const { return std::visit(AsJson{}, storage_); }

Field error_of(const std::exception& error) { return {"error", describe_error(error)}; }

Field error_of(const std::exception_ptr& error) { return {"error", describe_error(error)}; }

}  // namespace tidings::logging
