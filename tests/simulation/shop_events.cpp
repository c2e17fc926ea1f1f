#include "simulation/shop_events.hpp"

#include <functional>
#include <map>

namespace tidings::simulation {
namespace {

/// The same on every machine: a plan that is printed is to mean the same elsewhere.
std::uint64_t mixed(std::int64_t number, std::string_view handler) {
  std::uint64_t value = 0xcbf29ce484222325ULL ^ static_cast<std::uint64_t>(number) * 0x9e3779b97f4a7c15ULL;
  for (const char letter : handler) value = (value ^ static_cast<unsigned char>(letter)) * 0x100000001b3ULL;
  return value ^ (value >> 29);
}

}  // namespace

Fate fate_of(std::int64_t number, std::string_view handler) {
  const std::uint64_t draw = mixed(number, handler) % 100;
  if (draw < 8) return Fate::FailsOnce;
  if (draw < 12) return Fate::AsksLater;
  if (draw < 18) return Fate::WorksLater;
  if (draw < 21) return Fate::NeverWorks;
  if (draw < 27) return Fate::Permanent;
  return handler == "ship" && number % 89 == 7 ? Fate::Poison : Fate::Fine;
}

bool never_works(std::int64_t number, std::string_view handler) {
  const Fate fate = fate_of(number, handler);
  return fate == Fate::NeverWorks || fate == Fate::Permanent;
}

const std::vector<std::string>& handlers_of(const std::string& kind) {
  static const std::map<std::string, std::vector<std::string>> handlers{
      {"order", {"book", "ship", "pack", "mail", "post"}},
      {"payment", {"desk", "ledger", "bank"}},
      {"receipt", {"file", "stamp"}},
      {"parcel", {"weigh", "load"}},
      {"stray", {""}}};
  return handlers.at(kind);
}

bool is_keyed(std::string_view handler) { return handler == "ship" || handler == "pack"; }

bool is_transactional(std::string_view handler) { return handler == "bank" || handler == "file"; }

}  // namespace tidings::simulation
