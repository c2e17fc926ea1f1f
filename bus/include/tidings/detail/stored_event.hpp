#pragma once

#include <tidings/detail/kept_metadata.hpp>
#include <tidings/event.hpp>
#include <tidings/event_context.hpp>
#include <tidings/metadata.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

// What the templates of bus.hpp need to erase types. Not for users; may change in any version.
namespace tidings::detail {

class StoredEvent;
struct Payload;

/// What a type asks for when its payloads are stored.
struct AtRest {
  bool store_payload = true;
  bool encrypt_payload = false;
  std::span<const std::string_view> masked_fields = {};
  std::span<const std::string_view> hashed_fields = {};

  [[nodiscard]] constexpr bool replaces_fields() const noexcept {
    return !masked_fields.empty() || !hashed_fields.empty();
  }
  /// Nothing.
  [[nodiscard]] constexpr bool is_usual() const noexcept {
    return store_payload && !encrypt_payload && !replaces_fields();
  }
};

/// What the bus needs to know about an event's C++ type. One constant per type.
struct PayloadType {
  Json (*encode)(const void* object);
  StoredEvent* (*copy)(const Payload& payload, KeptMetadata&& metadata);
  /// Makes an object of this type from JSON; throws what from_json throws.
  std::shared_ptr<const void> (*decode)(const Json& data);
  AtRest at_rest;
};

/// An event being dispatched: a pointer to the publisher's object, or into a StoredEvent.
struct Payload {
  const void* object = nullptr;
  const PayloadType* type = nullptr;
  std::string_view event_type;
  int schema_version = 1;
};

/// An event as it was written to storage, and the schema version of what was written.
struct StoredForm {
  EncodedData data;
  int schema_version = 1;
};

/// An event that outlives its publish call, shared by the deliveries that still need it.
class StoredEvent {
 public:
  explicit StoredEvent(KeptMetadata&& metadata) noexcept : metadata_(std::move(metadata)) {}
  StoredEvent(const StoredEvent&) = delete;
  StoredEvent& operator=(const StoredEvent&) = delete;
  virtual ~StoredEvent() = default;

  // Memory is reused (bus/src/event/event_memory.cpp): publishers make these objects and workers destroy
  // them, a pattern at which general-purpose allocators are slow.
  static void* operator new(std::size_t size);
  static void* operator new(std::size_t size, std::align_val_t alignment);
  static void operator delete(void* memory, std::size_t size) noexcept;
  static void operator delete(void* memory, std::size_t size, std::align_val_t alignment) noexcept;

  /// Refers to this object.
  [[nodiscard]] virtual Payload payload() const noexcept = 0;
  /// Set if the event was read back from storage; a letter of the event keeps this form.
  [[nodiscard]] virtual const StoredForm* stored_form() const noexcept { return nullptr; }
  /// As KeptMetadata::read.
  [[nodiscard]] const Metadata& metadata(std::string_view bus_source, Metadata& buffer) const {
    return metadata_.read(bus_source, buffer);
  }

 private:
  friend class EventPointer;
  [[no_unique_address]] const KeptMetadata metadata_;  // what follows may stand in its last bytes
  std::atomic<std::uint32_t> references_{1};
};

/// Shares a StoredEvent; as std::shared_ptr, but made from one allocation with the event itself.
class EventPointer {
 public:
  EventPointer() noexcept = default;
  explicit EventPointer(StoredEvent* adopted) noexcept : event_(adopted) {}
  EventPointer(const EventPointer& other) noexcept : event_(other.event_) {
    if (event_ != nullptr) event_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  EventPointer(EventPointer&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  EventPointer& operator=(EventPointer other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }
  ~EventPointer() {
    if (event_ != nullptr && is_last()) delete event_;
  }
  const StoredEvent& operator*() const noexcept { return *event_; }
  const StoredEvent* operator->() const noexcept { return event_; }
  [[nodiscard]] const StoredEvent* get() const noexcept { return event_; }
  explicit operator bool() const noexcept { return event_ != nullptr; }

 private:
  /// Releases this reference. The only reference can be released without a locked operation: no other thread
  /// has one to copy.
  [[nodiscard]] bool is_last() noexcept {
    return event_->references_.load(std::memory_order_acquire) == 1 ||
           event_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }

  StoredEvent* event_ = nullptr;
};

/// The name and the schema version of an event's type: a struct's are constant, and JSON comes with its own.
template <class E>
struct TypeOf {
  explicit TypeOf(const Payload& payload)
      : name(payload.event_type), schema_version(payload.schema_version) {}
  std::string name;
  int schema_version;
};
template <class E>
requires requires { E::event_type; }
struct TypeOf<E> {
  explicit TypeOf(const Payload&) {}
  static constexpr std::string_view name = E::event_type;
  static constexpr int schema_version = schema_version_of<E>();
};

/// A JSON pointer (RFC 6901) to something below the root.
[[nodiscard]] constexpr bool is_field_pointer(std::string_view pointer) noexcept {
  if (pointer.empty() || pointer.front() != '/') return false;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] != '~') continue;
    if (i + 1 == pointer.size() || (pointer[i + 1] != '0' && pointer[i + 1] != '1')) return false;
  }
  return true;
}

[[nodiscard]] constexpr bool are_field_pointers(std::span<const std::string_view> pointers) noexcept {
  for (const std::string_view pointer : pointers) {
    if (!is_field_pointer(pointer)) return false;
  }
  return !pointers.empty();
}

template <class E>
[[nodiscard]] constexpr AtRest at_rest_of() noexcept {
  AtRest rules;
  if constexpr (requires { E::store_payload; }) rules.store_payload = E::store_payload;
  if constexpr (requires { E::encrypt_payload; }) rules.encrypt_payload = E::encrypt_payload;
  if constexpr (requires { E::masked_fields; }) {
    rules.masked_fields = E::masked_fields;
    static_assert(are_field_pointers(E::masked_fields),
                  "tidings: masked_fields are JSON pointers, such as \"/card/number\"");
  }
  if constexpr (requires { E::hashed_fields; }) {
    rules.hashed_fields = E::hashed_fields;
    static_assert(are_field_pointers(E::hashed_fields),
                  "tidings: hashed_fields are JSON pointers, such as \"/card/number\"");
  }
  return rules;
}

/// What is wrong with the combination; the template reports it where the type is published or subscribed to.
template <class E>
constexpr void require_at_rest() {
  constexpr AtRest rules = at_rest_of<E>();
  static_assert(rules.store_payload || !rules.encrypt_payload,
                "tidings: store_payload = false keeps no payload, so there is nothing for encrypt_payload to "
                "encrypt: leave one of them out");
  static_assert(rules.store_payload || !rules.replaces_fields(),
                "tidings: store_payload = false keeps no payload, so masked_fields and hashed_fields have "
                "nothing to replace: leave one of them out");
}

template <class E>
class StoredCopy;

template <class E>
inline constexpr PayloadType kPayloadType{
    [](const void* object) -> Json { return Json(*static_cast<const E*>(object)); },
    [](const Payload& payload, KeptMetadata&& metadata) -> StoredEvent* {
      return new StoredCopy<E>(payload, std::move(metadata));
    },
    [](const Json& data) -> std::shared_ptr<const void> { return std::make_shared<const E>(data.get<E>()); },
    (require_at_rest<E>(), at_rest_of<E>())};

template <class E>
class StoredCopy final : public StoredEvent {
 public:
  StoredCopy(const Payload& source, KeptMetadata&& metadata)
      : StoredEvent(std::move(metadata)), event_(*static_cast<const E*>(source.object)), type_(source) {}

  [[nodiscard]] Payload payload() const noexcept override {
    return {&event_, &kPayloadType<E>, type_.name, type_.schema_version};
  }

 private:
  const E event_;
  [[no_unique_address]] TypeOf<E> type_;
};

/// Whether a handler of E returns void. Also true if F is not a handler of E, which another assertion
/// reports.
template <class E, class F>
[[nodiscard]] constexpr bool returns_nothing() noexcept {
  if constexpr (std::is_invocable_v<F&, const E&, const EventContext&>) {
    return std::is_void_v<std::invoke_result_t<F&, const E&, const EventContext&>>;
  } else if constexpr (std::is_invocable_v<F&, const E&>) {
    return std::is_void_v<std::invoke_result_t<F&, const E&>>;
  } else {
    return true;
  }
}

/// A user's callable, owned, with its event type erased.
class HandlerFunction {
 public:
  template <class E, class F>
  static HandlerFunction make(F handler) {
    HandlerFunction result;
    result.object_ = new F(std::move(handler));
    result.invoke_ = [](void* object, const void* event, const EventContext& context) {
      F& function = *static_cast<F*>(object);
      const E& typed = *static_cast<const E*>(event);
      if constexpr (std::is_invocable_v<F&, const E&, const EventContext&>) {
        std::invoke(function, typed, context);
      } else {
        std::invoke(function, typed);
      }
    };
    result.destroy_ = [](void* object) { delete static_cast<F*>(object); };
    return result;
  }

  HandlerFunction() noexcept = default;
  HandlerFunction(HandlerFunction&& other) noexcept
      : object_(std::exchange(other.object_, nullptr)), invoke_(other.invoke_), destroy_(other.destroy_) {}
  HandlerFunction& operator=(HandlerFunction&& other) noexcept {
    std::swap(object_, other.object_);
    std::swap(invoke_, other.invoke_);
    std::swap(destroy_, other.destroy_);
    return *this;
  }
  ~HandlerFunction() { reset(); }

  void operator()(const void* event, const EventContext& context) const { invoke_(object_, event, context); }
  void reset() noexcept {
    if (object_ != nullptr) destroy_(std::exchange(object_, nullptr));
  }

 private:
  void* object_ = nullptr;
  void (*invoke_)(void*, const void*, const EventContext&) = nullptr;
  void (*destroy_)(void*) = nullptr;
};

}  // namespace tidings::detail
