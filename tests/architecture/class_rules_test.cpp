#include "architecture/class_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidings::architecture {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// May only shrink: a class that keeps to the rule is taken off, and no number is raised.
const ClassAllowances kLargeClasses = {};
const OptionAllowances kLargeOptions = {
    {"deadletter::Filter", "what letters can be asked for by: each field is a restriction of its own"},
    {"tools::CommandLine", "the options of all verbs of dead-letters"},
    {"tools::RawCommandLine", "the same, as they were typed"},
};

TEST(ClassRule, ClassesAreSmallAndDefinedInOneFile) {
  const auto classes = classes_of_modules();
  EXPECT_GT(classes.size(), 300U);
  EXPECT_THAT(oversized_classes(classes, kLargeClasses, kLargeOptions), IsEmpty());
}

// The proof that the rule can be broken, with classes that are made up.

ClassFacts facts(std::size_t methods, std::size_t fields, std::set<std::string> sources = {}) {
  return {"Core", "bus/src/core.hpp", methods, fields, std::move(sources)};
}

TEST(ClassRule, RefusesTooManyMethodsFieldsAndFiles) {
  EXPECT_THAT(oversized_classes({facts(30, 15, {"a.cpp"})}, {}, {}), IsEmpty());
  EXPECT_THAT(oversized_classes({facts(31, 1)}, {}, {}), ElementsAre(HasSubstr("31 methods of 30")));
  EXPECT_THAT(oversized_classes({facts(1, 16)}, {}, {}), ElementsAre(HasSubstr("16 fields of 15")));
  EXPECT_THAT(oversized_classes({facts(1, 1, {"a.cpp", "b.cpp"})}, {}, {}),
              ElementsAre(HasSubstr("defined in 2 of 1 .cpp files")));
}

TEST(ClassRule, AnAllowanceIsUsedUpToItsNumbersAndOnlyWhileItIsNeeded) {
  const ClassAllowances allowances = {{"bus::Core", {.methods = 40}}};
  EXPECT_THAT(oversized_classes({facts(40, 1)}, allowances, {}), IsEmpty());
  EXPECT_THAT(oversized_classes({facts(41, 1)}, allowances, {}), ElementsAre(HasSubstr("41 methods of 40")));
  EXPECT_THAT(oversized_classes({facts(40, 16)}, allowances, {}), ElementsAre(HasSubstr("16 fields of 15")));
  EXPECT_THAT(oversized_classes({facts(30, 15)}, allowances, {}),
              ElementsAre("bus::Core needs no allowance any more"));
  EXPECT_THAT(oversized_classes({}, allowances, {}), ElementsAre("bus::Core needs no allowance any more"));
}

TEST(ClassRule, OptionsNeedAReasonAndAreThreeAtMost) {
  EXPECT_THAT(oversized_classes({facts(0, 99)}, {}, {{"bus::Core", "why"}}), IsEmpty());
  EXPECT_THAT(oversized_classes({facts(31, 99)}, {}, {{"bus::Core", "why"}}),
              ElementsAre(HasSubstr("31 methods of 30")));
  EXPECT_THAT(oversized_classes({facts(0, 99)}, {}, {{"bus::Core", ""}}),
              ElementsAre("bus::Core has an allowance without a reason"));
  EXPECT_THAT(oversized_classes({facts(0, 1)}, {}, {{"bus::Core", "why"}}),
              ElementsAre("bus::Core needs no allowance any more"));
  EXPECT_EQ(oversized_classes({}, {}, {{"a", "r"}, {"b", "r"}, {"c", "r"}, {"d", "r"}}).back(),
            "too many aggregates of options are allowed");
}

// And that classes are read as they are written.

ClassFacts read_class(const std::string& body) {
  return classes_of({{"bus/src/core.hpp",
                      "namespace n {\nclass Core final : public Base<int, 2> {\n" + body + "};\n}\n"}})
      .back();
}

TEST(ClassReading, CountsMethods) {
  EXPECT_EQ(read_class("").methods, 0U);
  EXPECT_EQ(read_class("public:\n explicit Core(int a = {}) : a_{a}, b_(2) {}\n ~Core();\n").methods, 2U);
  EXPECT_EQ(read_class("Core(const Core&) = delete;\n Core& operator=(Core&&) = default;\n").methods, 0U);
  EXPECT_EQ(
      read_class("[[nodiscard]] bool f() const noexcept { if (x) { return g(); } return h({}); }\n").methods,
      1U);
  EXPECT_EQ(read_class("bool operator==(const Core&) const;\n void operator()(int);\n").methods, 2U);
  EXPECT_EQ(read_class("template <class F, class = void> void f(F) TIDINGS_REQUIRES(mutex_);\n").methods, 1U);
  EXPECT_EQ(
      read_class("static std::map<int, int> f(std::function<void(int)>);\n virtual void g() = 0;\n").methods,
      2U);
  EXPECT_EQ(read_class("// void f();\n/* void g(); */ friend void h();\n friend class X;\n using Y = Z();\n")
                .methods,
            0U);
}

TEST(ClassReading, CountsFields) {
  EXPECT_EQ(read_class("int a;\n int b = f(1);\n int c{2};\n int d[2];\n int e, f;\n").fields, 6U);
  EXPECT_EQ(read_class("std::function<void(int)> a;\n std::map<int, int> b;\n").fields, 2U);
  EXPECT_EQ(read_class("int a TIDINGS_GUARDED_BY(mutex_) = 0;\n alignas(64) int b;\n").fields, 2U);
  EXPECT_EQ(read_class("const char* a = \"};\";\n char b = '}';\n int c = 10'000;\n").fields, 3U);
  EXPECT_EQ(read_class("std::function<int()> a = [] { return 1; };\n").fields, 1U);
  EXPECT_EQ(read_class("static constexpr int kA = 1;\n enum class E { A, B };\n static_assert(x);\n").fields,
            0U);
  EXPECT_EQ(read_class("struct Inner { int a; void f(); };\n Inner b;\n").fields, 1U);
}

TEST(ClassReading, FindsNestedClasses) {
  const auto classes =
      classes_of({{"bus/src/core.hpp", "struct Core { class Part { int a; }; Part b, c; };"}});
  ASSERT_EQ(classes.size(), 2U);
  EXPECT_EQ(classes[0].name, "Core::Part");
  EXPECT_EQ(classes[0].fields, 1U);
  EXPECT_EQ(classes[1].name, "Core");
  EXPECT_EQ(classes[1].fields, 2U);
}

TEST(ClassReading, FindsWhereMembersAreDefined) {
  const auto classes = classes_of({
      {"bus/src/core.hpp", "namespace n { class Core { int f(); struct Part { ~Part(); }; }; class Other; }"},
      {"bus/src/a.cpp",
       "namespace n { Core::Core(X x) : x_{x}, y_(1) {} int g() { Other::f(); return 1; } }"},
      {"bus/src/b.cpp", "std::optional<n::Core::Part> n::Core::f(int) const { return {}; }"},
      {"bus/src/c.cpp",
       "Core::Part::~Part() = default;\nconst int x = Core::f();\nbool other(Core::Part) {}\n"},
      {"bus/src/d.cpp",
       "template <class T> [[gnu::cold]] bool Core::operator==(const T&) const { return true; }"},
      {"bus/src/inline.hpp", "inline int Core::h() { return 1; }"},
  });
  ASSERT_EQ(classes.size(), 2U);
  EXPECT_THAT(classes[0].defined_in, ElementsAre("bus/src/c.cpp"));
  EXPECT_THAT(classes[1].defined_in, ElementsAre("bus/src/a.cpp", "bus/src/b.cpp", "bus/src/d.cpp"));
}

}  // namespace
}  // namespace tidings::architecture
