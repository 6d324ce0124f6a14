// Files that are removed from /dev/shm under those who use them, as systemd-logind does when a
// user's last session ends.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include "hostile/attacker.hpp"

namespace agnocast::test {
namespace {

std::unique_ptr<Process> process_on(const std::string& own, const std::string& other)
{
  return std::make_unique<Process>([=](Channel& channel) {
    const Complaints complaints;
    Node node("process");
    auto publisher = node.create_publisher<Flat>(own, QoS(10));
    auto subscription = node.create_subscription<Flat>(other, QoS(10));
    channel.say("here");
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      if (*order == "connected") {
        channel.say(eventually([&] { return subscription->publisher_count() == 1; }) ? "yes"
                                                                                     : "no");
      } else if (*order == "complaints" || *order == "complaints so far") {
        // The control thread looks by itself.
        eventually([&] { return complaints.count("RemoveIPC=no") != 0 || *order != "complaints"; });
        channel.say(std::to_string(complaints.count("RemoveIPC=no")) + " of " +
                    std::to_string(complaints.count("agnocast: ")));
      } else if (*order == "create") {
        channel.say(outcome_of([&] { node.create_publisher<Flat>("/new", QoS(1)); }));
      } else if (*order == "take") {
        const auto message = await_message(*subscription);
        channel.say(message && is_whole(*message) ? "whole" : "broken");
      } else {
        channel.say(outcome_of([&] { publish_flat(*publisher, std::stoull(*order)); }));
      }
    }
  });
}

std::string ask(Process& process, const std::string& order)
{
  process.say(order);
  return process.hear();
}

TEST(Removed, FilesLeaveTheConnectedAloneAndEachProcessSaysSoOnce)
{
  auto first = process_on("/one", "/two");
  ASSERT_EQ(first->hear(), "here");
  auto second = process_on("/two", "/one");
  ASSERT_EQ(second->hear(), "here");
  ASSERT_EQ(ask(*first, "connected"), "yes");
  ASSERT_EQ(ask(*second, "connected"), "yes");
  std::vector<std::string> files{registry_path(), registry_path() + ".lock"};
  for (const auto& process : {std::cref(*first), std::cref(*second)}) {
    files.push_back(area_path(process.get().pid()));
    files.push_back("/dev/shm/agnocast_doorbell@" + std::to_string(process.get().pid()));
  }
  for (const std::string& file : files) ASSERT_EQ(::unlink(file.c_str()), 0) << file;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    EXPECT_EQ(ask(*first, std::to_string(i)), "nothing thrown");
    EXPECT_EQ(ask(*second, "take"), "whole");
  }
  EXPECT_EQ(ask(*first, "complaints"), "1 of 1");
  EXPECT_EQ(ask(*second, "complaints"), "1 of 1");
  EXPECT_TRUE(contains(ask(*first, "create"), {"RegistryError", "removed", "restart"}));
  // A world of its own, which those who have lost theirs do not disturb.
  EXPECT_EQ(in_process([] { return outcome_of_joining(); }), "nothing thrown");
  auto next = process_on("/one", "/two");
  EXPECT_EQ(next->hear(), "here");
  for (const auto& process : {std::ref(*first), std::ref(*second)}) {
    process.get().say("leave");
    EXPECT_EQ(process.get().wait(), 0);
  }
  EXPECT_EQ(ask(*next, "create"), "nothing thrown");
  EXPECT_EQ(ask(*next, "complaints so far"), "0 of 0");
  next->say("leave");
  EXPECT_EQ(next->wait(), 0);
  EXPECT_FALSE(file_exists(registry_path()));
}

// It may hold what a publisher has that came later, and nobody can see it: nothing is freed, and
// who it is is said once.
TEST(Removed, AnAreaOfALiveSubscriberIsNamedOnceAndWhatItMayHoldIsKeptUntilItEnds)
{
  std::vector<std::unique_ptr<Process>> holders;
  for (int i = 0; i < 2; ++i) {
    holders.push_back(std::make_unique<Process>([](Channel& channel) {
      const Complaints complaints;
      Node node("holder");
      auto subscription = node.create_subscription<Flat>("/kept", QoS(1));
      channel.say("ready");
      channel.hear();
      const auto held = await_message(*subscription);
      const std::uint64_t number = held->number;
      channel.say("holds");
      channel.hear();
      channel.say(held->number == number && is_whole(*held) ? "whole" : "changed");
      channel.hear();
    }));
    ASSERT_EQ(holders.back()->hear(), "ready");
    ASSERT_EQ(::unlink(area_path(holders.back()->pid()).c_str()), 0);
  }
  Process publisher([](Channel& channel) {
    const Complaints complaints;
    Node node("publisher");
    auto kept = node.create_publisher<Flat>("/kept", QoS(1).best_effort());
    for (std::uint64_t i = 1; i <= 10; ++i) publish_flat(*kept, i);
    channel.say("published");
    channel.hear();
    for (std::uint64_t i = 11; i <= 100; ++i) publish_flat(*kept, i);
    const auto said = [&] { return complaints.count("frees no messages"); };
    eventually([&] { return said() == 2; });
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    channel.say(std::to_string(said()) + " said, " +
                std::to_string(complaints.count("restart it")) + " remedies, " +
                std::to_string(kept->retained_count()) + " kept");
    channel.hear();  // they have ended
    channel.say(eventually([&] {
      kept->reclaim();
      return kept->retained_count() <= 1;
    })
                  ? "freed"
                  : std::to_string(kept->retained_count()));
    channel.hear();
  });
  ASSERT_EQ(publisher.hear(), "published");
  for (const auto& holder : holders) {
    holder->say("take");
    EXPECT_EQ(holder->hear(), "holds");
  }
  publisher.say("go on");
  EXPECT_EQ(publisher.hear(), "2 said, 2 remedies, 100 kept");
  for (const auto& holder : holders) {
    holder->say("look");
    EXPECT_EQ(holder->hear(), "whole");
    holder->say("leave");
    EXPECT_EQ(holder->wait(), 0);
  }
  publisher.say("they have ended");
  EXPECT_EQ(publisher.hear(), "freed");
  publisher.say("leave");
  EXPECT_EQ(publisher.wait(), 0);
}

TEST(Removed, AProcessThatLeavesRemovesItsFilesItselfAndSaysNothing)
{
  const int said = ::memfd_create("said", MFD_CLOEXEC);
  for (int round = 0; round < 50; ++round) {
    Process process([said](Channel&) {
      require(::dup2(said, STDERR_FILENO) >= 0, "standard error into a file");
      require(outcome_of_joining() == "nothing thrown", "joins");
    });
    EXPECT_EQ(process.wait(), 0);
  }
  EXPECT_EQ(::lseek(said, 0, SEEK_END), 0);
  ::close(said);
}

}  // namespace
}  // namespace agnocast::test
