#include "check_dead_letters/standard_output.hpp"

#include "tools/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>
#include <array>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::milliseconds;

std::chrono::steady_clock::time_point within(milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

TEST(StandardOutput, GetsAllOfTheText) {
  const TemporaryFolder folder;
  const std::string text(100'000, 'x');
  const int file = ::open(folder.path("out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  EXPECT_EQ(write_and_close(file, text, within(milliseconds(0))), std::nullopt);
  EXPECT_EQ(read_file(folder.path("out")), text);
}

TEST(StandardOutput, FullDeviceIsAnError) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  EXPECT_EQ(write_and_close(full, "text", within(milliseconds(1'000))), "No space left on device");
  ::close(full);
}

TEST(StandardOutput, PipeThatNobodyReadsIsAnErrorAfterTheDeadline) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  EXPECT_EQ(write_and_close(ends[1], std::string(1'000'000, 'x'), within(milliseconds(50))),
            "nobody reads it");
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(StandardOutput, DescriptorThatIsNotOpenIsAnError) {
  EXPECT_EQ(write_and_close(9'999, "text", within(milliseconds(0))), "Bad file descriptor");
}

}  // namespace
}  // namespace tidings::check_dead_letters
