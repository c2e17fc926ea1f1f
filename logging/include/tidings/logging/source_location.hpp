#pragma once

#include <cstdint>
#include <string_view>

namespace tidings::logging {

/// A place in the source: as a function's last argument, which defaults to current(), the place that the
/// function is called from.
struct SourceLocation {
  /// As the compiler was given it; static. Null: not known.
  const char* file = nullptr;
  std::uint32_t line = 0;
  /// The name alone, without its class and parameters, which is what compilers give without macros; of a
  /// lambda `operator()`. Static. Null: not known.
  const char* function = nullptr;

  [[nodiscard]] static constexpr SourceLocation current(
      const char* at_file = __builtin_FILE(),
      std::uint32_t at_line = static_cast<std::uint32_t>(__builtin_LINE()),
      const char* in_function = __builtin_FUNCTION()) noexcept {
    return {at_file, at_line, in_function};
  }

  /// The file with the folder it is in, `import/catalogue.cpp`: enough to find it, and nothing of the machine
  /// that it was compiled on. Part of `file`; empty if not known.
  [[nodiscard]] std::string_view short_file() const noexcept;
};

}  // namespace tidings::logging
