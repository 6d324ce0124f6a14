// Registries and windows that cannot be used, types that differ, and domains that are full.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <memory>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

class BadRegistry : public ForcefulTest
{
};

constexpr const char* four_slots = "0x552000000000:0x10000000:0x4000000";

// A process that joins and says how that went; then obeys "talk" until "leave".
std::unique_ptr<Process> member(const std::string& window = "")
{
  return std::make_unique<Process>([=](Channel& channel) {
    if (!window.empty()) ::setenv("AGNOCAST_WINDOW", window.c_str(), 1);
    Node node("member");
    std::shared_ptr<Publisher<Report>> publisher;
    channel.say(outcome_of([&] { publisher = node.create_publisher<Report>("/member", QoS(1)); }));
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      channel.say(outcome_of([&] {
        auto subscription = node.create_subscription<Report>("/member", QoS(1));
        publish_report(*publisher, 5);
        const auto message = await_message(*subscription);
        require(message && is_whole(*message, 5), "a message to itself");
      }));
    }
  });
}

std::string talk(Process& process)
{
  process.say("talk");
  return process.hear();
}

void write_registry(const std::string& content)
{
  std::ofstream file(registry_path(), std::ios::binary);
  file << content;
}

TEST_F(BadRegistry, GarbageOfAnotherSizeIsRefusedAndLeftAlone)
{
  write_registry(std::string(5000, 'x'));
  const std::string said = in_process([] { return outcome_of_joining(); });
  EXPECT_TRUE(contains(said, {"RegistryError", registry_path(), "5000 bytes", "remove the file"}));
  EXPECT_TRUE(file_exists(registry_path()));
  ::unlink(registry_path().c_str());
}

TEST_F(BadRegistry, GarbageOfTheRightSizeAndAnotherVersionAreRefused)
{
  auto first = member();
  ASSERT_EQ(first->hear(), "nothing thrown");
  std::ifstream file(registry_path(), std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  first->say("leave");
  ASSERT_EQ(first->wait(), 0);

  write_registry(std::string(content.size(), 'x'));
  std::string said = in_process([] { return outcome_of_joining(); });
  EXPECT_TRUE(contains(said, {"RegistryError", registry_path(), "not an Agnocast registry"}));

  content[8] = 99;  // the version follows the magic
  write_registry(content);
  said = in_process([] { return outcome_of_joining(); });
  EXPECT_TRUE(contains(said, {"RegistryError", registry_path(), "version 99", "remove the file"}));
  ::unlink(registry_path().c_str());
}

TEST_F(BadRegistry, AnEmptyFileInItsPlaceIsTakenForOneThatIsBeingMade)
{
  write_registry("");
  EXPECT_EQ(in_process([] { return outcome_of_joining(); }), "nothing thrown");
}

TEST_F(BadRegistry, AMappingInTheWindowIsNamed)
{
  const std::string said = in_process([] {
    ::setenv("AGNOCAST_WINDOW", "0x551000000000:0x10000000", 1);
    const int fd = ::open("/proc/self/exe", O_RDONLY);
    void* place = reinterpret_cast<void*>(0x551000100000);
    require(::mmap(place, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0) == place,
            "a mapping");
    return outcome_of_joining();
  });
  EXPECT_TRUE(
    contains(said, {"ResourceError", "0x551000000000", "lifecycle_tests", "AGNOCAST_WINDOW"}));
}

TEST_F(BadRegistry, ASecondProcessWithAMappingInTheWayDoesNotDisturbTheFirst)
{
  auto first = member("0x551000000000:0x10000000");
  ASSERT_EQ(first->hear(), "nothing thrown");
  const std::string said = in_process([] {
    void* place = reinterpret_cast<void*>(0x551000100000);
    require(::mmap(place, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                   0) == place,
            "a mapping");
    return outcome_of_joining();
  });
  EXPECT_TRUE(contains(said, {"ResourceError", "in the way", "AGNOCAST_WINDOW"}));
  EXPECT_EQ(talk(*first), "nothing thrown");
  first->say("leave");
  EXPECT_EQ(first->wait(), 0);
}

TEST_F(BadRegistry, TheFirstProcessChoosesTheWindowForAll)
{
  auto first = member(four_slots);
  ASSERT_EQ(first->hear(), "nothing thrown");
  auto second = member();
  ASSERT_EQ(second->hear(), "nothing thrown");
  EXPECT_EQ(talk(*second), "nothing thrown");
  second->say("leave");
  EXPECT_EQ(second->wait(), 0);
}

TEST_F(BadRegistry, AFullWindowRefusesTheNextProcessUntilOneLeavesOrIsKilled)
{
  std::vector<std::unique_ptr<Process>> members;
  for (int i = 0; i < 4; ++i) {
    members.push_back(member(four_slots));
    ASSERT_EQ(members.back()->hear(), "nothing thrown");
  }
  const auto refused = [] { return in_process([] { return outcome_of_joining(); }); };
  EXPECT_TRUE(contains(refused(), {"ResourceError", "full", "4 processes", "AGNOCAST_DOMAIN_ID"}));
  members[0]->say("leave");
  ASSERT_EQ(members[0]->wait(), 0);
  members[0] = member();
  EXPECT_EQ(members[0]->hear(), "nothing thrown");
  EXPECT_TRUE(contains(refused(), {"ResourceError"}));
  members[1]->kill();
  members[1] = member();
  EXPECT_EQ(members[1]->hear(), "nothing thrown");
  for (auto& process : members) EXPECT_EQ(talk(*process), "nothing thrown");
}

TEST_F(BadRegistry, TypesThatDifferAreRefusedWithBothNamesUntilTheFirstLeaves)
{
  auto first = member();
  ASSERT_EQ(first->hear(), "nothing thrown");
  const auto other = [] {
    return in_process([] {
      return outcome_of([] {
        Node node("other");
        auto subscription = node.create_subscription<std::vector<int>>("/member", QoS(1));
      });
    });
  };
  EXPECT_TRUE(contains(
    other(), {"TypeMismatchError", "/member", "Report", "std::vector<int", "use the same type"}));
  EXPECT_EQ(talk(*first), "nothing thrown");
  first->say("leave");
  EXPECT_EQ(first->wait(), 0);
  EXPECT_EQ(other(), "nothing thrown");
}

TEST_F(BadRegistry, AFullTableOfTopicsRefusesTheNextAndKeepsWhatThereIs)
{
  const std::string said = in_process([] {
    Node node("many");
    std::vector<std::shared_ptr<Publisher<int>>> publishers;
    std::string outcome;
    while ((outcome = outcome_of([&] {
              publishers.push_back(
                node.create_publisher<int>("/t" + std::to_string(publishers.size()), QoS(1)));
            })) == "nothing thrown") {
    }
    require(publishers.size() == 1024, "1024 topics, not " + std::to_string(publishers.size()));
    require(outcome_of([&] { publishers[0]->publish(publishers[0]->borrow_loaned_message()); }) ==
              "nothing thrown",
            "the first works on");
    publishers.pop_back();
    require(outcome_of_joining() == "nothing thrown", "there is room again");
    return outcome;
  });
  EXPECT_TRUE(contains(said, {"ResourceError", "1024", "topics", "AGNOCAST_DOMAIN_ID"}));
}

TEST_F(BadRegistry, AFullTableOfEndpointsRefusesTheNextAndKeepsWhatThereIs)
{
  const std::string said = in_process([] {
    Node node("many");
    std::vector<std::shared_ptr<Subscription<int>>> subscriptions;
    std::string outcome;
    SubscriptionOptions options;
    options.hold_limit = 1;
    while ((outcome = outcome_of([&] {
              subscriptions.push_back(node.create_subscription<int>(
                "/t" + std::to_string(subscriptions.size() % 500), QoS(1), options));
            })) == "nothing thrown") {
    }
    require(subscriptions.size() == 4096, "4096, not " + std::to_string(subscriptions.size()));
    subscriptions.resize(4090);
    require(outcome_of_joining() == "nothing thrown", "there is room again");
    return outcome;
  });
  EXPECT_TRUE(contains(said, {"ResourceError", "4096", "publishers and subscriptions"}));
}

}  // namespace
}  // namespace agnocast::test
