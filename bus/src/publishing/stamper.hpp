#pragma once

#include "subscriptions/bus_setup.hpp"

#include <tidings/bus.hpp>
#include <tidings/clock.hpp>
#include <tidings/metadata.hpp>

#include <string_view>

namespace tidings::detail {

/// Stamps events. Thread-safe.
class Stamper {
 public:
  explicit Stamper(const BusSetup& setup) noexcept
      : clock_(setup.clock), ids_(setup.ids), source_(setup.source) {}

  /// Also fills in the result's ids. Throws Error(InvalidArgument) for options that no event may have.
  [[nodiscard]] Metadata stamp(const PublishOptions& options, PublishResult& result) const;

 private:
  // Each is one load away: stamping is a good part of a publish.
  Clock& clock_;
  IdSource& ids_;
  const std::string_view source_;
};

}  // namespace tidings::detail
