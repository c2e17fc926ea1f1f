#include "subscriptions/bus_setup.hpp"

#include <tidings/error.hpp>
#include <tidings/metadata.hpp>

#include <cstddef>
#include <utility>

namespace tidings::detail {
namespace {

constexpr std::size_t kMaxSourceLength = 1024;

}  // namespace

bool is_valid_source(std::string_view source) noexcept {
  return source.size() <= kMaxSourceLength && is_uri_reference(source);
}

BusSetup::BusSetup(BusOptions given)
    : options(std::move(given)),
      source(options.source.empty() ? options.service : options.source),
      process_generation(fork_generation()),
      clock(*options.clock),
      ids(*options.ids),
      made_at(clock.now()) {}

void BusSetup::throw_forked() {
  throw Error(
      ErrorCode::ForkedChild,
      "this bus belongs to the parent process: its threads do not exist here; make a bus after fork()");
}

}  // namespace tidings::detail
