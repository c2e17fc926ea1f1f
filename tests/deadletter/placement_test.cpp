#include "file/placement.hpp"
#include "deadletter/store_fixture.hpp"

#include <tidings/deadletter/operations.hpp>

#include <sched.h>
#include <sys/mount.h>

namespace tidings::deadletter {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PlacementTest : public StoreTest {
 protected:
  /// A database in another folder, bound over an empty file in this process's own view of the file system.
  /// False: this user may not mount.
  [[nodiscard]] bool bind_file(const std::filesystem::path& from) const {
    write_file(database(), "");
    return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount(from.c_str(), database().c_str(), nullptr, MS_BIND, nullptr) == 0;
  }
};

TEST_F(PlacementTest, AFileThatIsAMountPointIsRefusedByAllWhoOpenIt) {
  std::filesystem::create_directory(folder_.path("host"));
  const auto host = folder_.path("host") / "orders.db";
  static_cast<void>(Store::open(host));
  const int status = run_in_child([&] {
    if (!bind_file(host)) return ::geteuid() != 0 || errno == EPERM;
    const auto wanted =
        AllOf(HasSubstr("the file itself is a mount point"), HasSubstr("mount its directory"));
    const auto refuses = [&](const std::function<void()>& call) {
      EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, call), wanted);
    };
    refuses([&] { static_cast<void>(open()); });
    refuses([&] { static_cast<void>(Reader::open(database())); });
    refuses([&] { static_cast<void>(Operations::open(database(), {"mary", "host"})); });
    return !HasFailure();
  });
  EXPECT_TRUE(succeeded(status));
}

/// Also where the test above may not mount.
TEST_F(PlacementTest, AStoreIsNotOpenedOnAMountPoint) {
  StoreInternals internals;
  internals.placement = [](const std::filesystem::path&) { return Placement{true, {}}; };
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable,
                       [&] { static_cast<void>(open_store(database(), {}, internals)); }),
              HasSubstr("mount its directory instead"));
  EXPECT_FALSE(std::filesystem::exists(database()));
}

TEST_F(PlacementTest, MountPointsAreToldFromOtherPlaces) {
  EXPECT_TRUE(placement_of("/proc").is_mount_point);
  EXPECT_FALSE(placement_of(folder_.path()).is_mount_point);
  EXPECT_FALSE(placement_of(folder_.path("missing")).is_mount_point);
}

TEST_F(PlacementTest, TheKernelsListOfMountsIsReadToo) {
  const std::string mounts =
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
      "37 35 98:0 /x /data/my\\040orders.db rw - ext3 /dev/root rw\n\nshort line\n";
  EXPECT_TRUE(is_in_mounts(mounts, "/mnt2"));
  EXPECT_TRUE(is_in_mounts(mounts, "/data/my orders.db"));
  EXPECT_FALSE(is_in_mounts(mounts, "/data"));
  EXPECT_FALSE(is_in_mounts(mounts, "/mnt1"));
  EXPECT_FALSE(is_in_mounts("", "/mnt1"));
}

TEST_F(PlacementTest, ALocalFileSystemIsNoNetwork) { EXPECT_THAT(placement_of("/proc").network, IsEmpty()); }

}  // namespace
}  // namespace tidings::deadletter
