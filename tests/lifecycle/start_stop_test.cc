// Processes that come and go, in order and not: what they leave behind in /dev/shm and in queues.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/wait.h>

#include <ctime>
#include <memory>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

using Processes = std::vector<std::unique_ptr<Process>>;

// Joins, publishes and holds messages, says "ready" and does what it is told.
std::unique_ptr<Process> busy_process(int index)
{
  return std::make_unique<Process>([index](Channel& channel) {
    Node node("busy_" + std::to_string(index));
    auto publisher = node.create_publisher<Report>("/busy", QoS(10));
    auto subscription = node.create_subscription<Report>("/busy", QoS(10));
    for (std::uint64_t i = 1; i <= 10; ++i) publish_report(*publisher, i);
    std::vector<ipc_shared_ptr<const Report>> held;
    for (int i = 0; i < 5; ++i) held.push_back(await_message(*subscription));
    auto loan = publisher->borrow_loaned_message();
    loan->values.resize(100'000);
    channel.say("ready");
    const auto order = channel.hear();
    if (order == "vanish") ::_exit(0);
  });
}

Processes ready_processes(int count)
{
  Processes processes;
  for (int i = 0; i < count; ++i) processes.push_back(busy_process(i));
  for (auto& process : processes) EXPECT_EQ(process->hear(), "ready");
  return processes;
}

TEST(StartStop, OneHundredProcessesThatStartAndStopAtOnceLeaveNothing)
{
  Processes processes;
  for (int i = 0; i < 100; ++i) {
    processes.push_back(std::make_unique<Process>([](Channel& channel) {
      const std::string outcome = outcome_of([] {
        Node node("short_lived");
        auto publisher = node.create_publisher<Report>("/crowd", QoS(1));
        auto subscription = node.create_subscription<Report>("/crowd", QoS(1));
        publish_report(*publisher, 1);
      });
      channel.say(outcome);
    }));
  }
  for (auto& process : processes) {
    EXPECT_EQ(process->hear(), "nothing thrown");
    EXPECT_EQ(process->wait(), 0);
    EXPECT_EQ(remains_of(process->pid()), "");
  }
  EXPECT_FALSE(registry_exists());
}

TEST(StartStop, TheLastOfSeveralProcessesRemovesTheRegistry)
{
  Processes processes = ready_processes(4);
  for (std::size_t i = 0; i < processes.size(); ++i) {
    EXPECT_TRUE(registry_exists()) << "while " << processes.size() - i << " are there";
    EXPECT_NE(remains_of(processes[i]->pid()), "");
    processes[i]->say("leave");
    EXPECT_EQ(processes[i]->wait(), 0);
    EXPECT_EQ(remains_of(processes[i]->pid()), "");
  }
  EXPECT_FALSE(registry_exists());
}

TEST(StartStop, AfterAKillOfEverybodyNewProcessesWorkAndRemoveTheLeftovers)
{
  Processes killed = ready_processes(10);
  for (auto& process : killed) {  // stopped first, or they clean up after each other
    process->signal(SIGSTOP);
    int status = 0;
    ASSERT_EQ(::waitpid(process->pid(), &status, WUNTRACED), process->pid());
    ASSERT_TRUE(WIFSTOPPED(status));
  }
  for (auto& process : killed) process->signal(SIGKILL);
  for (auto& process : killed) EXPECT_EQ(process->wait(), -SIGKILL);
  EXPECT_TRUE(registry_exists());

  Processes fresh = ready_processes(3);
  for (auto& process : killed) EXPECT_EQ(remains_of(process->pid()), "");
  for (auto& process : fresh) process->say("leave");
  for (auto& process : fresh) EXPECT_EQ(process->wait(), 0);
  EXPECT_FALSE(registry_exists());
}

TEST(StartStop, AProcessThatEndsWithoutCleaningUpIsCleanedUpByTheNext)
{
  auto process = busy_process(0);
  ASSERT_EQ(process->hear(), "ready");
  process->say("vanish");
  EXPECT_EQ(process->wait(), 0);
  EXPECT_TRUE(registry_exists()) << "or there is nothing to test";
  EXPECT_EQ(in_process([] { return outcome_of_joining(); }), "nothing thrown");
  EXPECT_EQ(remains_of(process->pid()), "");
}

TEST(StartStop, AProcessThatVanishesIsCleanedUpByALivingPeer)
{
  auto survivor = busy_process(0);
  ASSERT_EQ(survivor->hear(), "ready");
  auto vanishing = busy_process(1);
  ASSERT_EQ(vanishing->hear(), "ready");
  vanishing->kill();
  EXPECT_TRUE(eventually([&] { return remains_of(vanishing->pid()).empty(); }))
    << remains_of(vanishing->pid());
  survivor->say("leave");
  EXPECT_EQ(survivor->wait(), 0);
}

TEST(StartStop, WhatAProcessLeftThatDiedWhileItJoinedIsRemovedByTheNextJoinerOfABusyDomain)
{
  Process busy([](Channel& channel) {
    Node node("busy");
    auto publisher = node.create_publisher<Report>("/busy", QoS(1));
    channel.say("here");
    channel.hear();
  });
  ASSERT_EQ(busy.hear(), "here");
  // As a process does that is killed before its record is in the registry.
  Process died([](Channel& channel) {
    const std::string id = std::to_string(::getpid());
    const auto make = [](const std::string& path) {
      return ::close(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600)) == 0;
    };
    channel.say(make(area_path(::getpid())) && make("/dev/shm/agnocast_doorbell@" + id) ? "made"
                                                                                        : "failed");
    channel.hear();
  });
  ASSERT_EQ(died.hear(), "made");
  const pid_t pid = died.pid();
  died.kill();
  EXPECT_EQ(in_process([] { return outcome_of_joining("/quiet"); }), "nothing thrown");
  EXPECT_EQ(remains_of(pid), "");
  busy.say("end");
  EXPECT_EQ(busy.wait(), 0);
}

TEST(StartStop, IdsOfARegistryThatIsMadeAnewAreNewWhateverTheClockOfTheDaySays)
{
  std::uint64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    const std::uint64_t id = std::stoull(in_process([] {
      Node node("member");
      const auto publisher = node.create_publisher<Report>("/ids", QoS(1));
      const DomainSnapshot domain = DomainView().snapshot();
      require(domain.processes.size() == 1 && domain.endpoints.size() == 1, "a domain of one");
      return std::to_string(std::max(domain.processes[0].id, domain.endpoints[0].id));
    }));
    EXPECT_GT(id, last);
    last = id;
  }
  timespec since_boot = {};
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  // Not of the clock of the day, which may be set back between two registries.
  EXPECT_LT(last, (static_cast<std::uint64_t>(since_boot.tv_sec) + 1) * 1'000'000'000);
}

TEST(StartStop, AProcessThatOnlyBorrowsLeavesNothing)
{
  Process process([](Channel& channel) {
    {
      const SharedHeapScope scope;
      const std::vector<int> values(1000, 1);
      require(in_shared_heap(values.data()), "a vector in a scope lies in the shared heap");
    }
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
  EXPECT_EQ(remains_of(process.pid()), "");
}

TEST(StartStop, ANodeWithoutPublishersAndSubscriptionsTouchesNothing)
{
  Process process([](Channel& channel) {
    const Node node("quiet");
    channel.say(remains_of(::getpid()));
  });
  EXPECT_EQ(process.hear(), "");
  EXPECT_EQ(process.wait(), 0);
}

TEST(StartStop, ExitOutOfAThreadWithObjectsAliveLeavesNothing)
{
  Process process([](Channel& channel) {
    static auto* node = new Node("never_deleted");
    static auto publisher = node->create_publisher<Report>("/exit", QoS(3));
    static auto subscription = node->create_subscription<Report>("/exit", QoS(3));
    publish_report(*publisher, 1);
    static auto held = subscription->take();
    channel.say("ready");
    std::exit(5);
  });
  EXPECT_EQ(process.hear(), "ready");
  EXPECT_EQ(process.wait(), 5);
  EXPECT_EQ(remains_of(process.pid()), "");
}

}  // namespace
}  // namespace agnocast::test
