#pragma once

#include "subscriptions/bus_setup.hpp"

#include <tidings/bus.hpp>
#include <tidings/metadata.hpp>

namespace tidings::detail {

/// Stamps events. Thread-safe.
class Stamper {
 public:
  explicit Stamper(const BusSetup& setup) noexcept : setup_(setup) {}

  /// Also fills in the result's ids. Throws Error(InvalidArgument) for options that no event may have.
  [[nodiscard]] Metadata stamp(const PublishOptions& options, PublishResult& result) const;

 private:
  const BusSetup& setup_;
};

}  // namespace tidings::detail
