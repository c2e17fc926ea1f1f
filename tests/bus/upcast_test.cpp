#include "redrive_fixture.hpp"

namespace tidings::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Renamed {
  static constexpr std::string_view event_type = "orders.renamed";
  static constexpr int schema_version = 3;
  std::string customer_name{};
  std::string country{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Renamed, customer_name, country)
};

class UpcastTest : public RedriveTest {
 protected:
  /// A letter of the handler "handler" as an older, or newer, service has left it.
  void leave(int schema_version, const EncodedData& data) {
    DeadLetter letter;
    letter.event_type = Renamed::event_type;
    letter.schema_version = schema_version;
    letter.data = data;
    letter.metadata.event_id = ids_->next(clock_->now());
    letter.metadata.correlation_id = CorrelationId(letter.metadata.event_id);
    letter.service = "shop";
    letter.handler = "handler";
    static_cast<void>(letters_->store(std::vector{letter}, WhenBusy::Throw));
  }
  void leave(int schema_version, const Json& data) { leave(schema_version, encode_data(data)); }
  static void add_steps(Bus& bus) {
    bus.upcast<Renamed>(1, [](Json data) {
      data["customer_name"] = data.at("customer");
      return data;
    });
    bus.upcast<Renamed>(2, [](Json data) {
      data["country"] = "NL";
      return data;
    });
  }
  /// Redrives all for a handler of the struct, and returns what it was given.
  std::vector<std::string> redrive(Bus& bus) {
    std::vector<std::string> seen;
    auto handler = bus.subscribe<Renamed>("handler", [&](const Renamed& event, const EventContext& context) {
      seen.push_back(event.customer_name + "/" + event.country + "/" +
                     std::to_string(context.schema_version()));
    });
    static_cast<void>(bus.redrive({}));
    EXPECT_TRUE(bus.wait_idle(kLong));
    return seen;
  }
  std::string only_error() const {
    const auto letters = letters_->unresolved();
    EXPECT_EQ(letters.size(), 1U);
    EXPECT_EQ(letters.at(0).reason, Reason::Undecodable);
    EXPECT_EQ(letters.at(0).attempts.size(), 1U);
    return letters.at(0).error_message;
  }

  std::shared_ptr<IdSource> ids_ = sequential_id_source();
};

TEST_F(UpcastTest, ChainsStepsUpToTheStructsVersion) {
  Bus bus(options());
  add_steps(bus);
  bus.upcast("orders.renamed", 3, [](const Json&) -> Json { return "too far"; });
  leave(1, Json{{"customer", "Ada"}});
  leave(2, Json{{"customer_name", "Ben"}});
  leave(3, Json{{"customer_name", "Cy"}, {"country", "FR"}});
  EXPECT_THAT(redrive(bus), ElementsAre("Ada/NL/3", "Ben/NL/3", "Cy/FR/3"));
  EXPECT_THAT(unresolved(), IsEmpty());
}

TEST_F(UpcastTest, HandlersOfJsonGetTheLatestVersion) {
  Bus bus(options());
  add_steps(bus);
  leave(1, Json{{"customer", "Ada"}});
  Json seen;
  auto handler = bus.subscribe("orders.renamed", "handler", [&](const Json& data) { seen = data; });
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(seen.at("country"), "NL");
}

TEST_F(UpcastTest, OldDataWithoutStepsIsDecodedAsItIs) {
  Bus bus(options());
  leave(1, Json{{"customer_name", "Ada"}, {"country", "NL"}});
  EXPECT_THAT(redrive(bus), ElementsAre("Ada/NL/1"));
}

TEST_F(UpcastTest, AStepThatThrowsIsAFailedAttempt) {
  Bus bus(options());
  add_steps(bus);
  leave(1, Json{{"no customer", 1}});
  EXPECT_THAT(redrive(bus), IsEmpty());
  EXPECT_THAT(only_error(), HasSubstr("the upcaster from version 1 failed"));
  EXPECT_EQ(capture_.count("handler_failed"), 1U);
}

TEST_F(UpcastTest, AStepThatThrowsAnythingIsAFailedAttempt) {
  Bus bus(options());
  bus.upcast<Renamed>(2, [](const Json&) -> Json { throw 7; });
  leave(2, Json::object());
  EXPECT_THAT(redrive(bus), IsEmpty());
  EXPECT_THAT(only_error(), HasSubstr("the upcaster from version 2 threw something"));
}

TEST_F(UpcastTest, AStepThatIsMissingBetweenOthersIsSaid) {
  Bus bus(options());
  bus.upcast<Renamed>(2, [](Json data) { return data; });
  leave(1, Json::object());
  EXPECT_THAT(redrive(bus), IsEmpty());
  EXPECT_THAT(only_error(), HasSubstr("no upcaster from version 1"));
}

TEST_F(UpcastTest, ANewerVersionThanTheHandlersStaysPutAndSaysWhy) {
  Bus bus(options());
  leave(4, Json{{"customer_name", "Ada"}, {"country", "NL"}});
  EXPECT_THAT(redrive(bus), IsEmpty());
  EXPECT_THAT(only_error(), HasSubstr("schema version 4, and this handler knows versions up to 3"));
}

TEST_F(UpcastTest, DataThatIsDamagedIsAFailedAttempt) {
  for (const EncodedData& data :
       {EncodedData{"{\"customer_na", DataEncoding::Json, ""}, EncodedData{"\xFF", DataEncoding::Cbor, ""}}) {
    letters_ = std::make_shared<MemoryLetterSink>();
    Bus bus(options());
    leave(3, data);
    EXPECT_THAT(redrive(bus), IsEmpty());
    EXPECT_NE(only_error(), "");
  }
}

TEST_F(UpcastTest, ALetterWithoutDataKeepsItsCause) {
  Bus bus(options());
  leave(3, EncodedData{"", DataEncoding::None, "to_json failed"});
  EXPECT_THAT(redrive(bus), IsEmpty());
  EXPECT_THAT(letters_->unresolved().at(0).attempts, IsEmpty());
}

TEST_F(UpcastTest, DataThatDoesNotFitTheStructStaysALetter) {
  Bus bus(options());
  leave(3, Json{{"customer_name", 5}});
  EXPECT_THAT(redrive(bus), IsEmpty());
  EXPECT_NE(only_error(), "");
}

TEST_F(UpcastTest, RefusesStepsThatCannotBe) {
  Bus bus(options());
  const auto same = [](Json data) { return data; };
  bus.upcast<Renamed>(1, same);
  const auto refuses = [&](auto call) { EXPECT_EQ(error_code_of(call), ErrorCode::InvalidArgument); };
  refuses([&] { bus.upcast<Renamed>(1, same); });
  refuses([&] { bus.upcast<Renamed>(0, same); });
  refuses([&] { bus.upcast<Renamed>(3, same); });
  refuses([&] { bus.upcast("bad name", 1, same); });
  refuses([&] { bus.upcast("orders.other", 1, std::function<Json(Json)>()); });
}

}  // namespace
}  // namespace tidings::test
