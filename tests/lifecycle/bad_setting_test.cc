// Settings that cannot be used: what is thrown, what it says, and that the process works
// afterwards.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

using Environment = std::map<std::string, std::string>;

// Joins with bad settings, then, in the same process, without them.
std::string join_with(const Environment& environment)
{
  return in_process([&] {
    const char* former = std::getenv("AGNOCAST_WINDOW");  // sanitizers need one
    const std::string window = former != nullptr ? former : "";
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    std::string said = outcome_of_joining();
    for (const auto& [name, value] : environment) ::unsetenv(name.c_str());
    if (!window.empty()) ::setenv("AGNOCAST_WINDOW", window.c_str(), 1);
    if (said != "nothing thrown") {
      const std::string domain = std::to_string(2'000'000'000 + ::getpid());
      if (environment.count("AGNOCAST_DOMAIN_ID") != 0) {
        ::setenv("AGNOCAST_DOMAIN_ID", domain.c_str(), 1);
      }
      const std::string again = outcome_of_joining();
      if (again != "nothing thrown") said += " AND THEN " + again;
    }
    return said;
  });
}

TEST(BadSetting, EachIsRefusedByNameAndTheProcessCanGoOnWithAGoodOne)
{
  const std::vector<std::pair<std::string, std::string>> cases = {
    {"AGNOCAST_MEMPOOL_SIZE", "abc"},
    {"AGNOCAST_MEMPOOL_SIZE", "0"},
    {"AGNOCAST_MEMPOOL_SIZE", "-5"},
    {"AGNOCAST_MEMPOOL_SIZE", "1e9"},
    {"AGNOCAST_MEMPOOL_SIZE", ""},
    {"AGNOCAST_MEMPOOL_SIZE", "17000000000000"},
    {"MEMPOOL_SIZE", "many"},
    {"AGNOCAST_MEMPOOL_SIZE", "99999999999999999999999"},
    {"AGNOCAST_DOMAIN_ID", "one"},
    {"AGNOCAST_DOMAIN_ID", "-1"},
    {"AGNOCAST_DOMAIN_ID", "4294967296"},
    {"AGNOCAST_HEAP", "some"},
    {"AGNOCAST_REGISTRY", "file"},
    {"AGNOCAST_ACCESS", "everybody"},
    {"AGNOCAST_ACCESS", "group:"},
    {"AGNOCAST_ACCESS", "group:no-such-group"},
    {"AGNOCAST_WINDOW", "here"},
    {"AGNOCAST_WINDOW", "0x300000000000"},
    {"AGNOCAST_WINDOW", "0x300000000000:12"},
    {"AGNOCAST_WINDOW", "0x300000000000:0x10000000:0x1000"},
    {"AGNOCAST_WINDOW", "0x300000000001:0x10000000"},
    {"AGNOCAST_WINDOW", "0xfff000000000:0x10000000"}};
  for (const auto& [name, value] : cases) {
    const std::string said = join_with({{name, value}});
    EXPECT_TRUE(contains(said, {"SettingError", name})) << name << "=" << value;
    EXPECT_EQ(said.find("AND THEN"), std::string::npos) << said;
  }
}

TEST(BadSetting, TheNewNameOfTheMempoolWinsOverTheOld)
{
  EXPECT_EQ(join_with({{"AGNOCAST_MEMPOOL_SIZE", "1000000"}, {"MEMPOOL_SIZE", "abc"}}),
            "nothing thrown");
  EXPECT_EQ(join_with({{"MEMPOOL_SIZE", "1000000"}}), "nothing thrown");
}

TEST(BadSetting, DepthsAndHoldLimitsOutOfRangeAreRefused)
{
  EXPECT_EQ(in_process([] {
              Node node("strict");
              for (const std::size_t depth : {std::size_t{0}, QoS::depth_max + 1}) {
                std::string said =
                  outcome_of([&] { node.create_publisher<Report>("/strict", QoS(depth)); });
                if (!contains(said, {"SettingError", "/strict", "65536"})) return said;
                said = outcome_of([&] { node.create_subscription<Report>("/strict", QoS(depth)); });
                if (!contains(said, {"SettingError", "/strict", "65536"})) return said;
              }
              for (const std::size_t limit : {std::size_t{0}, std::size_t{4097}}) {
                SubscriptionOptions options;
                options.hold_limit = limit;
                const std::string said =
                  outcome_of([&] { node.create_subscription<Report>("/strict", QoS(1), options); });
                if (!contains(said, {"SettingError", "/strict", "hold_limit", "4096"})) return said;
              }
              return outcome_of_joining("/strict");
            }),
            "nothing thrown");
}

TEST(BadSetting, NamesAgainstTheRulesOfRos2AreRefusedWithAReason)
{
  EXPECT_EQ(
    in_process([]() -> std::string {
      const std::string too_long(300, 'a');
      for (const std::string& name :
           {"", "1st", "a-b", "a b", "a/b", "a__b", "ü", too_long.c_str()}) {
        const std::string said = outcome_of([&] { const Node node(name); });
        if (!contains(said, {"NameError: node name", "cannot be used: "}))
          return name + ": " + said;
      }
      for (const std::string& name : {"//", "/a//b", "/a/", "/1", "/a b", too_long.c_str()}) {
        const std::string said = outcome_of([&] { const Node node("good", name); });
        if (!contains(said, {"NameError: namespace", "cannot be used: "}))
          return name + ": " + said;
      }
      Node node("good", "/name/space");
      for (const std::string& name : {"", "/", "~", "~a", "~/", "a/", "a//b", "/a/1", "a__b", "a.b",
                                      "a/~/b", too_long.c_str()}) {
        const std::string said = outcome_of([&] { node.create_publisher<int>(name, QoS(1)); });
        if (!contains(said, {"NameError: topic name", "cannot be used: "}))
          return name + ": " + said;
      }
      for (const auto& [name, full] : Environment{{"a", "/name/space/a"},
                                                  {"/a/b_1", "/a/b_1"},
                                                  {"~/a", "/name/space/good/a"},
                                                  {"_a", "/name/space/_a"}}) {
        const std::string got = node.create_publisher<int>(name, QoS(1))->topic_name();
        if (got != full) return name + " became " + got;
      }
      return "all well";
    }),
    "all well");
}

}  // namespace
}  // namespace agnocast::test
