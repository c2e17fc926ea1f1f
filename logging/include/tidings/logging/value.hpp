#pragma once

#include <tidings/event.hpp>
#include <tidings/logging/error_description.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace tidings::logging {

class Value;

namespace detail {

template <class T>
concept JsonValue = std::same_as<std::remove_cvref_t<T>, Json>;

template <class T>
concept Integer =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

template <class T>
concept TextLike =
    !JsonValue<T> && !std::same_as<std::remove_cvref_t<T>, Value> &&
    !std::same_as<std::remove_cvref_t<T>, std::nullptr_t> && std::convertible_to<T, std::string_view>;

template <class T>
concept LazyFunction =
    !JsonValue<T> && !TextLike<T> && !std::same_as<std::remove_cvref_t<T>, Value> && requires(T & function) {
  { function() } -> std::convertible_to<Value>;
};

}  // namespace detail

/// The value of one field: null, a Boolean, a number, text, JSON, an error, or a function that makes one of
/// these when, and only when, the record is emitted.
///
/// Made implicitly from any of them, so that `{"items", 3}` and `{"total", [&] { return sum(cart); }}` are
/// fields. There is deliberately no value for durations: the unit belongs in the name (`duration_ms`).
///
/// Text and JSON given as lvalues (or views) are borrowed, as a record is finished before log() returns;
/// rvalues and every *copy* of a Value own what they hold, so a Value may be copied out of anywhere. Not
/// thread-safe by itself.
class Value {
 public:
  using Lazy = std::function<Value()>;
  /// Alternatives that borrow stand beside those that own. Read it with std::visit or through the functions
  /// below.
  using Storage =
      std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string_view, std::string,
                   const Json*, std::shared_ptr<const Json>, Lazy, std::shared_ptr<const ErrorDescription>>;

  // NOLINTBEGIN(google-explicit-constructor,bugprone-forwarding-reference-overload): a field is written
  // {"name", value}.
  Value() noexcept = default;
  Value(std::nullptr_t) noexcept {}
  template <std::same_as<bool> T>
  Value(T value) noexcept : storage_(std::in_place_type<bool>, value) {}
  template <detail::Integer T>
  Value(T value) noexcept : storage_(std::in_place_type<Widest<T>>, Widest<T>{value}) {}
  template <std::floating_point T>
  Value(T value) noexcept : storage_(std::in_place_type<double>, static_cast<double>(value)) {}
  /// Borrows; see above. A null `const char*` is null.
  template <detail::TextLike T>
  Value(const T& text) : storage_(borrow(text)) {}
  Value(std::string&& text) noexcept : storage_(std::in_place_type<std::string>, std::move(text)) {}
  /// Borrows; see above.
  template <std::same_as<Json> T>
  Value(const T& json) noexcept : storage_(std::in_place_type<const Json*>, &json) {}
  template <std::same_as<Json> T>
  Value(T&& json) : storage_(std::make_shared<const Json>(std::forward<T>(json))) {}
  template <detail::LazyFunction F>
  Value(F function) : storage_(std::in_place_type<Lazy>, std::move(function)) {}
  Value(ErrorDescription error) : storage_(std::make_shared<const ErrorDescription>(std::move(error))) {}
  /// Null if empty.
  template <class T>
  Value(const std::optional<T>& value) : Value(value.has_value() ? Value(*value) : Value()) {}
  /// A pointer is not a Boolean.
  template <class T>
  requires(!detail::TextLike<T*> && !std::is_function_v<T>) Value(T*)
  = delete;
  // NOLINTEND(google-explicit-constructor,bugprone-forwarding-reference-overload)

  Value(const Value& other);
  Value& operator=(const Value& other);
  Value(Value&&) noexcept = default;
  Value& operator=(Value&&) noexcept = default;
  ~Value() = default;

  [[nodiscard]] const Storage& storage() const noexcept { return storage_; }
  [[nodiscard]] bool is_lazy() const noexcept { return std::holds_alternative<Lazy>(storage_); }
  /// The text, if it is one; valid as long as this Value and what it borrows from.
  [[nodiscard]] std::optional<std::string_view> text() const noexcept;
  /// The value as JSON; a lazy one is evaluated, and its exceptions propagate.
  [[nodiscard]] Json to_json() const;

 private:
  template <class T>
  using Widest = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;

  template <class T>
  static Storage borrow(const T& text) {
    if constexpr (std::is_pointer_v<T>) {
      if (text == nullptr) return {};
    }
    return Storage(std::in_place_type<std::string_view>, std::string_view(text));
  }

  Storage storage_;
};

/// One named value of a record. Names are snake_case; numbers carry their unit in the name (`duration_ms`,
/// `size_bytes`). The name is borrowed, and what keeps fields (Logger::bind, Record::set)
/// copies it.
struct Field {
  std::string_view name;
  Value value;
};

/// The fields `error_type`, `error` and, if the exception was thrown from others, `error_chain`:
/// `log.error("payment_failed", {error_of(exception)})`. Errors of this form, and no other field, may set the
/// reserved names of that kind.
[[nodiscard]] Field error_of(const std::exception& error);
/// The same for anything thrown; inside a catch block: `error_of(std::current_exception())`.
[[nodiscard]] Field error_of(const std::exception_ptr& error);

}  // namespace tidings::logging
