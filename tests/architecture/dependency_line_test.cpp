#include "architecture/compiler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace tidings::architecture {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

/// A source of `module` includes `header`.
struct Inclusion {
  std::string module;
  std::string header;

  [[nodiscard]] std::string source() const { return "#include <" + header + ">\n"; }
  friend std::ostream& operator<<(std::ostream& stream, const Inclusion& inclusion) {
    return stream << inclusion.module << " includes " << inclusion.header;
  }
};

class DownwardInclusion : public ::testing::TestWithParam<Inclusion> {};
class UpwardInclusion : public ::testing::TestWithParam<Inclusion> {};

TEST_P(DownwardInclusion, Compiles) {
  const auto compilation = compile_in(GetParam().module, GetParam().source());
  EXPECT_TRUE(compilation.accepted) << compilation.messages;
}

TEST_P(UpwardInclusion, DoesNotCompile) {
  const auto compilation = compile_in(GetParam().module, GetParam().source());
  EXPECT_FALSE(compilation.accepted) << GetParam()
                                     << ". Is an older tidings installed in a folder of the compiler's?";
  EXPECT_THAT(compilation.messages, AnyOf(HasSubstr(GetParam().header + ": No such file or directory"),
                                          HasSubstr("'" + GetParam().header + "' file not found")));
}

// The control: the same compilation works in the module that has the header, and in those that build on it.
INSTANTIATE_TEST_SUITE_P(Modules, DownwardInclusion,
                         ::testing::Values(Inclusion{"events", "tidings/event.hpp"},
                                           Inclusion{"logging", "tidings/event.hpp"},
                                           Inclusion{"logging", "tidings/logging/logger.hpp"},
                                           Inclusion{"bus", "tidings/logging/logger.hpp"},
                                           Inclusion{"bus", "tidings/bus.hpp"},
                                           Inclusion{"deadletter", "tidings/event.hpp"},
                                           Inclusion{"deadletter", "tidings/bus.hpp"},
                                           Inclusion{"deadletter", "tidings/deadletter/store.hpp"},
                                           Inclusion{"telemetry", "tidings/bus.hpp"},
                                           Inclusion{"telemetry", "tidings/telemetry/span.hpp"}));

INSTANTIATE_TEST_SUITE_P(Modules, UpwardInclusion,
                         ::testing::Values(Inclusion{"events", "tidings/logging/logger.hpp"},
                                           Inclusion{"events", "tidings/bus.hpp"},
                                           Inclusion{"events", "tidings/letter_sink.hpp"},
                                           Inclusion{"events", "tidings/deadletter/store.hpp"},
                                           Inclusion{"logging", "tidings/bus.hpp"},
                                           Inclusion{"logging", "tidings/retry.hpp"},
                                           Inclusion{"logging", "tidings/deadletter/store.hpp"},
                                           Inclusion{"bus", "tidings/deadletter/store.hpp"},
                                           Inclusion{"bus", "tidings/deadletter/reader.hpp"},
                                           Inclusion{"bus", "tidings/telemetry/span.hpp"},
                                           Inclusion{"deadletter", "tidings/telemetry/span.hpp"},
                                           Inclusion{"telemetry", "tidings/deadletter/store.hpp"}));

}  // namespace
}  // namespace tidings::architecture
