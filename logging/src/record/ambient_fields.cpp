#include <tidings/logging/ambient_fields.hpp>

#include "record/field_list.hpp"

#include <utility>

namespace tidings::logging {

namespace {

thread_local constinit const AmbientFields* innermost = nullptr;

}  // namespace

const detail::FieldList* detail::ambient_fields() noexcept {
  return innermost == nullptr ? nullptr : innermost->fields_.list_.get();
}

CapturedFields capture_fields() noexcept {
  return innermost == nullptr ? CapturedFields() : innermost->fields_;
}

AmbientFields::AmbientFields(std::initializer_list<Field> fields)
    : AmbientFields(std::span<const Field>(fields.begin(), fields.size())) {}

AmbientFields::AmbientFields(std::span<const Field> fields) : previous_(innermost) {
  fields_.list_ = detail::extended(detail::ambient_fields(), fields);
  innermost = this;
}

AmbientFields::AmbientFields(CapturedFields captured) noexcept
    : fields_(std::move(captured)), previous_(innermost) {
  innermost = this;
}

AmbientFields::~AmbientFields() { innermost = previous_; }

}  // namespace tidings::logging
