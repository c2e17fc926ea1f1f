#include <tidings/dead_letter.hpp>

#include <array>

namespace tidings {
namespace {

constexpr std::array kReasons = {Reason::Exhausted,   Reason::Permanent, Reason::CausationLoop,
                                 Reason::Unhandled,   Reason::Shutdown,  Reason::Parked,
                                 Reason::Undecodable, Reason::Crashed};

}  // namespace

std::string_view to_string(Reason reason) noexcept {
  switch (reason) {
    case Reason::Exhausted:
      return "exhausted";
    case Reason::Permanent:
      return "permanent";
    case Reason::CausationLoop:
      return "causation_loop";
    case Reason::Unhandled:
      return "unhandled";
    case Reason::Shutdown:
      return "shutdown";
    case Reason::Parked:
      return "parked";
    case Reason::Undecodable:
      return "undecodable";
    case Reason::Crashed:
      return "crashed";
  }
  return "unknown";
}

std::optional<Reason> parse_reason(std::string_view text) noexcept {
  for (const Reason reason : kReasons) {
    if (text == to_string(reason)) return reason;
  }
  return std::nullopt;
}

}  // namespace tidings
