#include "architecture/compiler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace tidings::architecture {
namespace {

using ::testing::HasSubstr;

constexpr const char* kPrelude = R"(struct Good {
  static constexpr std::string_view event_type = "orders.order_placed";
  int order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Good, order_id)
};
)";

/// A service's source: `declarations`, then `statements` in a function that has a bus.
Compilation compile_use(const std::string& declarations, const std::string& statements) {
  return compile_service(kPrelude + declarations +
                         "void use(tidings::Bus& bus);\nvoid use(tidings::Bus& bus) {\n" + statements +
                         "\n}\n");
}

/// A mistake a user makes, and what the compiler's messages say about it.
struct Mistake {
  std::string name;
  std::string declarations;
  std::string statements;
  std::string explanation;

  friend std::ostream& operator<<(std::ostream& stream, const Mistake& mistake) {
    return stream << mistake.name;
  }
};

class CompileError : public ::testing::TestWithParam<Mistake> {};

TEST_P(CompileError, SaysWhatIsMissing) {
  const auto compilation = compile_use(GetParam().declarations, GetParam().statements);
  EXPECT_FALSE(compilation.accepted);
  EXPECT_THAT(compilation.messages, HasSubstr(GetParam().explanation));
}

// The control: without the mistake the same service compiles.
TEST(CompileErrors, AreNotGivenForACorrectService) {
  const auto compilation = compile_use(R"(struct Acting : Good { void act() const {}
          NLOHMANN_DEFINE_TYPE_INTRUSIVE(Acting, order_id) };
      void handle(const Good&, const tidings::EventContext&);)",
                                       R"(bus.subscribe<Good>("by_event", [](const Good&) {}).keep();
             bus.subscribe<Good>("with_context", [](const Good&, const tidings::EventContext&) {}).keep();
             bus.subscribe<Good>("function", &handle).keep();
             bus.subscribe<Acting>("member", &Acting::act).keep();
             bus.publish(Good{.order_id = 42});)");
  EXPECT_TRUE(compilation.accepted) << compilation.messages;
}

const Mistake kEventMistakes[] = {
    {"NoEventType", "struct Bad { int id{}; NLOHMANN_DEFINE_TYPE_INTRUSIVE(Bad, id) };",
     "bus.publish(Bad{});", "an event needs a member `static constexpr std::string_view event_type"},
    {"NoJson", "struct Bad { static constexpr std::string_view event_type = \"bad\"; };",
     "bus.publish(Bad{});", "an event needs to_json and from_json"},
    {"NoJsonWhenSubscribing", "struct Bad { static constexpr std::string_view event_type = \"bad\"; };",
     "bus.subscribe<Bad>(\"handler\", [](const Bad&) {}).keep();", "an event needs to_json and from_json"},
    {"NoDefaultConstructor",
     R"(struct Bad {
          static constexpr std::string_view event_type = "bad";
          explicit Bad(int given) : id(given) {}
          int id;
          NLOHMANN_DEFINE_TYPE_INTRUSIVE(Bad, id)
        };)",
     "bus.publish(Bad{1});", "an event needs a default constructor"},
    {"NotCopyable",
     R"(struct Bad {
          static constexpr std::string_view event_type = "bad";
          std::unique_ptr<int> id;
          friend void to_json(tidings::Json&, const Bad&) {}
          friend void from_json(const tidings::Json&, Bad&) {}
        };)",
     "bus.publish(Bad{});", "an event must be copyable"},
    {"BadEventType",
     R"(struct Bad {
          static constexpr std::string_view event_type = "order placed";
          int id{};
          NLOHMANN_DEFINE_TYPE_INTRUSIVE(Bad, id)
        };)",
     "bus.publish(Bad{});", "event_type must be 1 to 200 visible ASCII characters"},
    {"NothingToEncrypt",
     R"(struct Bad : Good {
          static constexpr bool store_payload = false;
          static constexpr bool encrypt_payload = true;
        };)",
     "bus.publish(Bad{});", "there is nothing for encrypt_payload to encrypt"},
    {"NothingToMask",
     R"(struct Bad : Good {
          static constexpr bool store_payload = false;
          static constexpr std::array<std::string_view, 1> masked_fields = {"/order_id"};
        };)",
     R"(bus.subscribe<Bad>("handler", [](const Bad&) {}).keep();)", "masked_fields and hashed_fields have"},
    {"NoPointer",
     R"(struct Bad : Good {
          static constexpr std::array<std::string_view, 1> hashed_fields = {"order_id"};
        };)",
     "bus.publish(Bad{});", "hashed_fields are JSON pointers"},
    {"SchemaVersionZero",
     R"(struct Bad {
          static constexpr std::string_view event_type = "bad";
          static constexpr int schema_version = 0;
          int id{};
          NLOHMANN_DEFINE_TYPE_INTRUSIVE(Bad, id)
        };)",
     "bus.publish(Bad{});", "schema_version starts at 1"},
};

constexpr const char* kReturnsVoid =
    "a handler returns void: nobody looks at a bool, an error code or a future";

/// At every entrance, of every kind of callable.
const Mistake kReturningHandlers[] = {
    {"Bool", "", "bus.subscribe<Good>(\"handler\", [](const Good&) { return false; }).keep();", kReturnsVoid},
    {"BoolWithContext", "",
     "bus.subscribe<Good>(\"handler\", [](const Good&, const tidings::EventContext&) { return true; "
     "}).keep();",
     kReturnsVoid},
    {"Future", "#include <future>\n",
     "bus.subscribe<Good>(\"handler\", [](const Good&) { return std::async(std::launch::deferred, [] {}); })"
     ".keep();",
     kReturnsVoid},
    {"ErrorCode", "#include <system_error>\nstd::error_code handle(const Good&);\n",
     "bus.subscribe<Good>(\"handler\", &handle).keep();", kReturnsVoid},
    {"FunctionObject", "struct Handler { int operator()(const Good&) const { return 0; } };",
     "bus.subscribe<Good>(\"handler\", Handler{}).keep();", kReturnsVoid},
    {"StdFunction", "", "bus.subscribe<Good>(\"handler\", std::function<bool(const Good&)>{}).keep();",
     kReturnsVoid},
    {"MemberFunction",
     R"(struct Checked : Good { bool check() const { return false; }
          NLOHMANN_DEFINE_TYPE_INTRUSIVE(Checked, order_id) };)",
     "bus.subscribe<Checked>(\"handler\", &Checked::check).keep();", kReturnsVoid},
    {"BoundMemberFunction", "struct Shop { bool handle(const Good&) { return true; } };",
     "Shop shop; bus.subscribe<Good>(\"handler\", std::bind_front(&Shop::handle, &shop)).keep();",
     kReturnsVoid},
    {"ByTypeName", "",
     "bus.subscribe(\"orders.order_placed\", \"handler\", [](const tidings::Json&) { return false; "
     "}).keep();",
     kReturnsVoid},
    {"OfAllEvents", "", "bus.subscribe_all(\"handler\", [](const tidings::Json&) { return false; }).keep();",
     kReturnsVoid},
};

const Mistake kHandlerMistakes[] = {
    {"ThirdForm", "", "bus.subscribe<Good>(\"handler\", [](const Good&, int) {}).keep();",
     "a handler takes (const E&) or (const E&, const tidings::EventContext&)"},
    {"NoParameter", "", "bus.subscribe<Good>(\"handler\", [] {}).keep();",
     "a handler takes (const E&) or (const E&, const tidings::EventContext&)"},
    {"WouldChangeTheEvent", "",
     "bus.subscribe<Good>(\"handler\", [](Good& event) { event.order_id = 1; }).keep();",
     "a handler takes (const E&) or (const E&, const tidings::EventContext&)"},
    {"SubscriptionThrownAway", "", "bus.subscribe<Good>(\"handler\", [](const Good&) {});", "nodiscard"},
    {"SubscriptionCopied", "",
     "auto one = bus.subscribe<Good>(\"handler\", [](const Good&) {}); auto two = one;", "deleted"},
};

std::string test_name(const ::testing::TestParamInfo<Mistake>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Events, CompileError, ::testing::ValuesIn(kEventMistakes), test_name);
INSTANTIATE_TEST_SUITE_P(ReturningHandlers, CompileError, ::testing::ValuesIn(kReturningHandlers), test_name);
INSTANTIATE_TEST_SUITE_P(Handlers, CompileError, ::testing::ValuesIn(kHandlerMistakes), test_name);

}  // namespace
}  // namespace tidings::architecture
