#include "architecture/room_rules.hpp"

#include "architecture/classes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidings::architecture {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const RoomOrder kRooms = {
    {"events", {"text", "time", "json", "ids", "event"}},
    {"encryption", {"keys", "cipher"}},
    {"logging", {"text", "redaction", "record", "destinations", "output"}},
    {"bus",
     {"threads", "event", "queue", "counting", "subscriptions", "log", "observing", "letters", "ledger",
      "redriving", "ending", "running", "publishing", "recovery", "redelivery", "bus"}},
    {"telemetry",
     {"metrics", "otlp", "settings", "sampling", "sending", "exporting", "records", "tracing", "service"}},
    {"deadletter",
     {"file", "sqlite", "schema", "copies", "letters", "spill", "journal", "redrive", "minutes", "store",
      "reading", "operations"}},
};

TEST(RoomRule, RoomsIncludeOnlyThoseBeforeThem) {
  EXPECT_THAT(forbidden_between_rooms(kRooms, tree_files()), IsEmpty());
}

TEST(RoomRule, WhatARoomDeclaresIsDefinedThere) {
  EXPECT_THAT(defined_in_other_rooms(classes_of_modules()), IsEmpty());
}

// The proof that the rule can be broken, with trees that are made up.

std::vector<std::string> broken_rooms(const std::string& path, const std::string& text) {
  const std::vector<TreeFile> files = {
      {"bus/include/tidings/bus.hpp", ""}, {"bus/src/event/memory.hpp", ""},
      {"bus/src/event/part.hpp", ""},      {"bus/src/queue/lanes.hpp", "#include \"event/memory.hpp\"\n"},
      {"bus/src/loose.hpp", ""},           {path, text}};
  return forbidden_between_rooms({{"bus", {"event", "queue"}}}, files);
}

TEST(RoomRule, AllowsWhatIsBeforeBesideOrPublic) {
  EXPECT_THAT(
      broken_rooms("bus/src/queue/a.cpp",
                   "#include \"event/memory.hpp\"\n#include \"lanes.hpp\"\n#include \"queue/lanes.hpp\"\n"
                   "#include <tidings/bus.hpp>\n"),
      IsEmpty());
}

TEST(RoomRule, RefusesAnInclusionOfALaterRoom) {
  EXPECT_THAT(broken_rooms("bus/src/event/a.cpp", "#include \"queue/lanes.hpp\"\n#include \"part.hpp\"\n"),
              ElementsAre("bus/src/event/a.cpp includes bus/src/queue/lanes.hpp"));
}

TEST(RoomRule, LetsWhatIsInNoRoomYetIncludeAndBeIncluded) {
  EXPECT_THAT(broken_rooms("bus/src/event/a.cpp", "#include \"loose.hpp\"\n"), IsEmpty());
  EXPECT_THAT(broken_rooms("bus/src/a.cpp", "#include \"queue/lanes.hpp\"\n"), IsEmpty());
}

TEST(RoomRule, RefusesADefinitionInAnotherRoom) {
  EXPECT_THAT(defined_in_other_rooms(classes_of({
                  {"bus/src/event/turn.hpp", "struct Turn { void end(); };"},
                  {"bus/src/queue/trial.cpp", "void Turn::end() {}"},
              })),
              ElementsAre("Turn (bus/src/event/turn.hpp) is defined in bus/src/queue/trial.cpp"));
}

TEST(RoomRule, AllowsADefinitionBesideOrOfAPublicHeader) {
  EXPECT_THAT(defined_in_other_rooms(classes_of({
                  {"bus/src/event/turn.hpp", "struct Turn { void end(); };"},
                  {"bus/src/event/turn.cpp", "void Turn::end() {}"},
                  {"bus/include/tidings/bus.hpp", "class Bus { void stop(); };"},
                  {"bus/src/queue/bus.cpp", "void Bus::stop() {}"},
              })),
              IsEmpty());
}

TEST(RoomRule, KnowsEveryRoom) {
  EXPECT_THAT(broken_rooms("bus/src/cellar/a.cpp", ""),
              ElementsAre("bus/src/cellar is not in the list of rooms"));
  EXPECT_THAT(broken_rooms("events/src/cellar/a.cpp", ""),
              ElementsAre("events/src/cellar is not in the list of rooms"));
}

}  // namespace
}  // namespace tidings::architecture
