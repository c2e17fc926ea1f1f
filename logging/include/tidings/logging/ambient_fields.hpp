#pragma once

#include <tidings/logging/value.hpp>

#include <initializer_list>
#include <memory>
#include <span>

namespace tidings::logging {

namespace detail {
struct FieldList;
/// Those of the calling thread, or null.
[[nodiscard]] const FieldList* ambient_fields() noexcept;
}  // namespace detail

/// The ambient fields of one moment: a cheap value that can be passed to another thread.
class CapturedFields {
 public:
  CapturedFields() noexcept = default;

 private:
  friend class AmbientFields;
  friend CapturedFields capture_fields() noexcept;
  friend const detail::FieldList* detail::ambient_fields() noexcept;

  std::shared_ptr<const detail::FieldList> list_;
};

/// The ambient fields of the calling thread; empty outside any AmbientFields.
[[nodiscard]] CapturedFields capture_fields() noexcept;

/// Adds fields to every record that the calling thread logs, through any logger, until the object is
/// destroyed:
///
///     const AmbientFields fields({{"request", request_id}, {"user", user}});
///
/// Objects nest (inner ones add to and hide outer ones) and are destroyed in reverse order, on the thread
/// that made them; so they can be neither copied nor moved. Values are copied; lazy ones are evaluated for
/// each record. Facts that an event's handlers need everywhere, also on other threads and after a restart,
/// belong in the event's attributes.
class AmbientFields {
 public:
  AmbientFields(std::initializer_list<Field> fields);
  explicit AmbientFields(std::span<const Field> fields);
  /// Replaces the ambient fields of this thread by those that were captured, on any thread, until the object
  /// is destroyed.
  explicit AmbientFields(CapturedFields captured) noexcept;
  AmbientFields(const AmbientFields&) = delete;
  AmbientFields& operator=(const AmbientFields&) = delete;
  ~AmbientFields();

 private:
  friend CapturedFields capture_fields() noexcept;
  friend const detail::FieldList* detail::ambient_fields() noexcept;

  CapturedFields fields_;
  const AmbientFields* previous_;
};

}  // namespace tidings::logging
