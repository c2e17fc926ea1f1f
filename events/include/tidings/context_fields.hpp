#pragma once

#include <tidings/event.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tidings {

/// The value of a context field: a Boolean, an integer, a floating-point number or text, as JSON has them.
/// Made implicitly from any of these, so that `{"items", 3}` is a field. Text is copied.
class ContextValue {
 public:
  /// An integer is a std::uint64_t only if a std::int64_t cannot hold it.
  using Storage = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

  // NOLINTBEGIN(google-explicit-constructor): a field is written {"name", value}.
  template <std::same_as<bool> T>
  ContextValue(T value) noexcept : storage_(std::in_place_type<bool>, value) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) ContextValue(T value)
  noexcept : storage_(integer(value)) {}
  template <std::floating_point T>
  ContextValue(T value) noexcept : storage_(std::in_place_type<double>, static_cast<double>(value)) {}
  template <class T>
  requires std::convertible_to<const T&, std::string_view> ContextValue(const T& text)
      : storage_(std::in_place_type<std::string>, std::string_view(text)) {}
  ContextValue(std::string&& text) noexcept : storage_(std::in_place_type<std::string>, std::move(text)) {}
  /// A pointer is not a Boolean.
  template <class T>
  requires(!std::convertible_to<T*, std::string_view>) ContextValue(T*)
  = delete;
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] const Storage& storage() const noexcept { return storage_; }
  /// The text; null if the value is none. Valid as long as this object.
  [[nodiscard]] const std::string* text() const noexcept { return std::get_if<std::string>(&storage_); }
  /// Text as it is, everything else as JSON spells it: `42`, `true`, `1.5`.
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] Json to_json() const;
  /// Returns nullopt for null, an array or an object, and whatever else is not a scalar of JSON.
  [[nodiscard]] static std::optional<ContextValue> from_json(const Json& json);

  friend bool operator==(const ContextValue&, const ContextValue&) = default;

 private:
  template <class T>
  static Storage integer(T value) noexcept {
    if (std::in_range<std::int64_t>(value))
      return Storage(std::in_place_type<std::int64_t>, static_cast<std::int64_t>(value));
    return Storage(std::in_place_type<std::uint64_t>, static_cast<std::uint64_t>(value));
  }

  Storage storage_;
};

/// One field as it is given; the name is copied by whatever keeps it.
struct ContextField {
  std::string_view name;
  ContextValue value;
};

/// The small facts of a request (user, tenant, account, path, method ...), ordered by name, each name once.
/// An immutable value: copies share one list, so copying costs no allocation. Thread-safe like an int.
///
/// A name is `[a-z][a-z0-9_]*`; text is UTF-8 without control characters; numbers are finite. At most
/// kMaxFields fields and kMaxBytes bytes together, where a number or a Boolean counts as 8. Fields that were
/// stored by another version, or came with a CloudEvent, may break these rules: they stay as they are, and
/// only adding to them is checked.
class ContextFields {
 public:
  static constexpr std::size_t kMaxFields = 32;
  static constexpr std::size_t kMaxBytes = 4096;

  struct Entry {
    std::string name;
    ContextValue value;

    friend bool operator==(const Entry&, const Entry&) = default;
  };

  constexpr ContextFields() noexcept = default;
  /// Of a name that is given twice the last value counts. Throws Error(InvalidArgument) that names the field
  /// and the rule.
  ContextFields(std::initializer_list<ContextField> fields);
  ContextFields(const ContextFields& other) noexcept : shared_(other.shared_) {
    if (shared_ != nullptr) retain();
  }
  ContextFields(ContextFields&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  ContextFields& operator=(const ContextFields& other) noexcept {
    if (shared_ != other.shared_) *this = ContextFields(other);
    return *this;
  }
  ContextFields& operator=(ContextFields&& other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
  }
  // constexpr, and the pointer its own, for constants and for the cost of a publish.
  constexpr ~ContextFields() {
    if (shared_ != nullptr) release();
  }
  /// What was stored or received: a later entry of the same name wins, nothing is refused.
  [[nodiscard]] static ContextFields of_stored(std::vector<Entry> entries);

  /// These fields and that one, which replaces one of the same name. Throws Error(InvalidArgument).
  [[nodiscard]] ContextFields with(std::string_view name, ContextValue value) const;
  [[nodiscard]] ContextFields with(std::initializer_list<ContextField> fields) const;
  [[nodiscard]] ContextFields with(const ContextFields& fields) const;

  /// These fields without the one of that name.
  [[nodiscard]] ContextFields without(std::string_view name) const;

  [[nodiscard]] bool empty() const noexcept { return shared_ == nullptr; }
  [[nodiscard]] std::size_t size() const noexcept { return empty() ? 0 : shared_->entries.size(); }
  [[nodiscard]] const Entry* begin() const noexcept { return empty() ? nullptr : shared_->entries.data(); }
  [[nodiscard]] const Entry* end() const noexcept { return begin() + size(); }
  /// Null if there is none; valid as long as this object or a copy of it.
  [[nodiscard]] const ContextValue* find(std::string_view name) const noexcept;

  friend bool operator==(const ContextFields& left, const ContextFields& right) noexcept;

 private:
  using Entries = std::vector<Entry>;
  struct Shared {
    Entries entries;
    std::atomic<std::uint32_t> references = 1;
  };

  explicit ContextFields(Entries&& entries);

  void retain() const noexcept { shared_->references.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;

  Shared* shared_ = nullptr;  // null: none; else not empty
};

/// Throws Error(InvalidArgument), naming the field, when a rule of ContextFields is broken.
void validate_context_fields(const ContextFields& fields);

}  // namespace tidings
