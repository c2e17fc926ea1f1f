#include "check_dead_letters/state.hpp"

namespace tidings::check_dead_letters {
namespace {

int severity(State state) noexcept {
  switch (state) {
    case State::Ok:
      return 0;
    case State::Unknown:
      return 1;
    case State::Warning:
      return 2;
    case State::Critical:
      return 3;
  }
  return 1;
}

}  // namespace

std::string_view to_string(State state) noexcept {
  switch (state) {
    case State::Ok:
      return "OK";
    case State::Warning:
      return "WARNING";
    case State::Critical:
      return "CRITICAL";
    case State::Unknown:
      return "UNKNOWN";
  }
  return "UNKNOWN";
}

State worse(State left, State right) noexcept { return severity(left) < severity(right) ? right : left; }

}  // namespace tidings::check_dead_letters
