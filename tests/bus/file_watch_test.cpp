#include "letters/file_watch.hpp"
#include "bus/bus_fixture.hpp"

#include <gtest/gtest.h>

namespace tidings::detail {
namespace {

using test::BusTest;
using namespace std::chrono_literals;

struct SinkWithFiles final : LetterSink {
  std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy /*when_busy*/) override {
    return std::vector<LetterOutcome>(letters.size(), {LetterOutcome::Place::Stored, 1, {}});
  }
  std::vector<std::string> dead_keys(std::string_view /*service*/, std::string_view /*event_type*/,
                                     std::string_view /*handler*/) override {
    return {};
  }
  SinkFiles look_after_files() override {
    ++looks;
    return files;
  }
  SinkFiles files;
  int looks = 0;
};

class FileWatchTest : public BusTest {
 protected:
  void look(SinkFiles files) {
    sink_->files = std::move(files);
    now_ += 10s;
    watch_.tick(now_);
  }
  [[nodiscard]] std::size_t records(std::string_view event) const { return capture_.count(event); }

  std::shared_ptr<SinkWithFiles> sink_ = std::make_shared<SinkWithFiles>();
  BusLog log_{capture_.logger(), clock_};
  FileWatch watch_{sink_, log_};
  Instant now_{};
};

TEST_F(FileWatchTest, LooksEveryTenSeconds) {
  look({});
  watch_.tick(now_ + 9s);
  EXPECT_EQ(sink_->looks, 1);
  watch_.tick(now_ + 10s);
  EXPECT_EQ(sink_->looks, 2);
}

TEST_F(FileWatchTest, TellsOnceOfANetworkFileSystem) {
  for (int i = 0; i < 3; ++i) look({.network_file_system = "nfs"});
  EXPECT_EQ(capture_.only("database_on_network_file_system").at("file_system"), "nfs");
}

TEST_F(FileWatchTest, TellsOfAGrowingWalFileEachTimeThatItHasDoubled) {
  for (const std::uint64_t megabytes : {100U, 110U, 199U, 200U, 399U, 243U}) {
    look({.database_bytes = 108 << 10U, .wal_bytes = megabytes << 20U, .wal_is_held = true});
  }
  EXPECT_EQ(records("wal_growing"), 2U);
  EXPECT_EQ(records("wal_emptied"), 0U);
}

TEST_F(FileWatchTest, TellsWhenTheWalFileWasEmptiedAndOfTheNextOneAnew) {
  look({.wal_bytes = 100 << 20U, .wal_is_held = true});
  look({.wal_bytes = 100 << 20U, .wal_freed = 100 << 20U});
  EXPECT_EQ(records("wal_emptied"), 1U);
  look({.wal_bytes = 100 << 20U, .wal_is_held = true});
  EXPECT_EQ(records("wal_growing"), 2U);
}

TEST_F(FileWatchTest, ABusHasItsStoreLookAfterItsFiles) {
  sink_->files.network_file_system = "nfs";
  auto made = options();
  made.store = sink_;
  Bus bus(std::move(made));
  advance(1s);
  bus.stop(1s);
  EXPECT_GE(sink_->looks, 1);
  EXPECT_EQ(records("database_on_network_file_system"), 1U);
}

}  // namespace
}  // namespace tidings::detail
