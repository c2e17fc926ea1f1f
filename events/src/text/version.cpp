#include <tidings/version.hpp>

#define TIDINGS_TEXT_OF(number) #number
#define TIDINGS_NUMBERS(major, minor, patch) \
  TIDINGS_TEXT_OF(major) "." TIDINGS_TEXT_OF(minor) "." TIDINGS_TEXT_OF(patch)

namespace tidings {

std::string_view version() noexcept { return TIDINGS_VERSION; }

std::string_view compiler() noexcept {
#ifdef __clang__
  return "Clang " TIDINGS_NUMBERS(__clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return "GCC " TIDINGS_NUMBERS(__GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

}  // namespace tidings
