#include "crash/shop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <sstream>

namespace tidings::crash {
namespace {

/// A folder that goes with the object.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tidings-crash-XXXXXX").native();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The kill points of this property: those that a durable publish and its deliveries come by.
std::vector<std::string> points_of(const std::string& file) {
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  std::ifstream source(root / file);
  std::stringstream text;
  text << source.rdbuf();
  const std::string all = text.str();
  const std::string call = "kill_point(\"";
  std::vector<std::string> names;
  for (auto at = all.find(call); at != std::string::npos; at = all.find(call, at)) {
    at += call.size();
    names.push_back(all.substr(at, all.find('"', at) - at));
  }
  return names;
}

std::vector<std::string> all_points() {
  std::vector<std::string> names;
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  for (const char* module : {"bus", "deadletter"}) {
    for (const auto& entry : std::filesystem::directory_iterator(root / module / "src")) {
      const auto found = points_of(std::filesystem::relative(entry.path(), root));
      names.insert(names.end(), found.begin(), found.end());
    }
  }
  return names;
}

std::vector<Order> orders(std::int64_t first, std::size_t count) {
  std::vector<Order> result;
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = first + static_cast<std::int64_t>(i);
    result.push_back({number, number % 5 == 2   ? Fate::FailsOnce
                              : number % 7 == 3 ? Fate::NeverWorks
                                                : Fate::Fine});
  }
  return result;
}

bool never_works(std::int64_t number) { return number % 5 != 2 && number % 7 == 3; }

/// What holds after any history of lives: nothing acknowledged is lost, nothing healthy is dead, nothing is
/// both handled and dead, keys keep their order.
void expect_nothing_lost(const Shop& shop, int kills) {
  const auto seen = shop.seen();
  const auto letters = shop.letters();
  RC_ASSERT(shop.journalled() == 0);
  for (const std::int64_t order : seen.acknowledged) {
    for (const char* handler : {"book", "ship", "mail"}) {
      const auto handled = seen.handled.find({handler, order});
      const bool dead = letters.contains({handler, order});
      RC_LOG() << handler << ' ' << order << " never works: " << never_works(order) << std::endl;
      RC_ASSERT(dead == never_works(order));
      RC_ASSERT((handled != seen.handled.end()) != dead);
      if (!dead) RC_ASSERT(handled->second <= 1 + kills);
    }
  }
  std::map<std::int64_t, std::int64_t> last;
  for (const std::int64_t order : seen.shipped) {
    RC_LOG() << "shipped " << order << std::endl;
    RC_ASSERT(last[order % 3] < order);
    last[order % 3] = order;
  }
}

/// How many processes were killed by this test program.
int total_kills = 0;

struct PrintKills : testing::Environment {
  void TearDown() override { std::cout << total_kills << " kills" << std::endl; }
};
[[maybe_unused]] const auto* const kPrintKills = testing::AddGlobalTestEnvironment(new PrintKills);

RC_GTEST_PROP(Crash, LosesNothingWhereverTheProcessIsKilled, ()) {
  static const std::vector<std::string> points = all_points();
  const Folder folder;
  const Shop shop(folder.path());
  const auto lives = *rc::gen::inRange(1, 4).as("processes");
  std::int64_t next = 1;
  int kills = 0;
  for (int life = 0; life < lives; ++life) {
    const auto count = *rc::gen::inRange<std::size_t>(1, 25).as("orders");
    const Kill kill{*rc::gen::elementOf(points), *rc::gen::inRange<std::size_t>(1, 12)};
    RC_LOG() << "killed at " << kill.point << ", time " << kill.nth << std::endl;
    kills += shop.live({.orders = orders(next, count),
                        .in_one_batch = *rc::gen::arbitrary<bool>(),
                        .durability = *rc::gen::element(Durability::ProcessCrash, Durability::PowerLoss),
                        .kill = kill})
                 ? 1
                 : 0;
    next += static_cast<std::int64_t>(count);
  }
  total_kills += kills;
  shop.recover(1);
  expect_nothing_lost(shop, kills);
}

TEST(Crash, ComesByEveryKillPointThatThereIs) {
  for (const std::string& point : all_points()) {
    const Folder folder;
    const Shop shop(folder.path());
    // Two lives: what recovers comes by other points than what begins.
    const bool first = shop.live({.orders = orders(1, 20), .kill = {point, 1}});
    if (!first) static_cast<void>(shop.live({.orders = orders(21, 20), .kill = {"publish.delivered", 10}}));
    const bool killed = first || shop.live({.orders = orders(41, 5), .kill = {point, 1}});
    EXPECT_TRUE(killed) << point << " was never reached";
    total_kills += killed ? 1 : 0;
    shop.recover(1);
    EXPECT_EQ(shop.journalled(), 0) << point;
  }
}

TEST(Crash, APoisonousEventEndsAsALetterAndNoBystanderDoes) {
  const Folder folder;
  const Shop shop(folder.path());
  auto some = orders(1, 12);
  some[5].fate = Fate::Poison;
  EXPECT_TRUE(shop.live({.orders = some, .kill = {}}));
  const std::size_t killed = shop.recover(20);
  total_kills += static_cast<int>(killed) + 1;
  const auto letters = shop.letters();
  ASSERT_TRUE(letters.contains({"ship", 6}));
  EXPECT_EQ(letters.at({"ship", 6}), "crashed");
  for (const auto& [delivery, reason] : letters) {
    const bool poisonous = delivery.first == "ship" && delivery.second == 6;
    EXPECT_TRUE(never_works(delivery.second) || poisonous) << delivery.first << ' ' << delivery.second;
  }
  const auto seen = shop.seen();
  for (const std::int64_t order : seen.acknowledged) {
    if (order == 6 || never_works(order)) continue;
    EXPECT_TRUE(seen.handled.contains({"ship", order})) << order;
    EXPECT_TRUE(seen.handled.contains({"mail", order})) << order;
  }
  EXPECT_EQ(shop.journalled(), 0);
}

}  // namespace
}  // namespace tidings::crash
