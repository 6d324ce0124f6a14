// The library with the registry in the kernel, and which registry it takes. Runs as root where the
// kernel module is loaded; scripts/test --kmod boots such a machine.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

struct Message
{
  int value;
};

bool has_registry_file()
{
  const std::string domain = std::getenv("AGNOCAST_DOMAIN_ID");
  return access(("/dev/shm/agnocast_registry." + domain).c_str(), F_OK) == 0;
}

/// It is waiting for a word.
void end(Process& process)
{
  process.say("end");
  EXPECT_EQ(process.wait(), 0);
}

/// Whether a process that joins with that setting makes a registry in /dev/shm.
std::string joins_with(const char* setting, uid_t user = 0)
{
  Process process([setting, user](Channel& channel) {
    setenv("AGNOCAST_REGISTRY", setting, 1);
    if (user != 0) require(setgid(user) == 0 && setuid(user) == 0, "another user");
    try {
      const WaitSet joins;
      channel.say(has_registry_file() ? "file" : "kernel");
    } catch (const Error& error) {
      channel.say(error.what());
    }
  });
  return process.hear();
}

TEST(SecondHost, IsTakenIfItIsThereUnlessTheSettingSaysOtherwise)
{
  EXPECT_EQ(joins_with("auto"), "kernel");
  EXPECT_EQ(joins_with("kernel"), "kernel");
  EXPECT_EQ(joins_with("user"), "file");
  EXPECT_NE(joins_with("kernal").find("'auto', 'user' or 'kernel'"), std::string::npos);
}

TEST(SecondHost, IsNotForUsersThatMayNotOpenItsDevice)
{
  ASSERT_EQ(chmod("/dev/agnocast", 0600), 0);
  constexpr uid_t stranger = 65'533;
  EXPECT_EQ(joins_with("auto", stranger), "file");
  EXPECT_NE(joins_with("kernel", stranger).find("this user may not"), std::string::npos);
}

TEST(SecondHost, TellsADomainOfAnotherUserFromAFailure)
{
  ASSERT_EQ(chmod("/dev/agnocast", 0666), 0);
  Process owner([](Channel& channel) {
    const WaitSet joins;
    channel.say("joined");
    channel.hear();
  });
  ASSERT_EQ(owner.hear(), "joined");
  EXPECT_NE(joins_with("auto", 65'533).find("belongs to another user"), std::string::npos);
  end(owner);
  ASSERT_EQ(chmod("/dev/agnocast", 0600), 0);
}

TEST(SecondHost, IsSeenByTools)
{
  Process process([](Channel& channel) {
    Node node("seen");
    const auto publisher = node.create_publisher<Message>("/seen", QoS(1));
    channel.say("there");
    channel.hear();
  });
  ASSERT_EQ(process.hear(), "there");
  const DomainSnapshot domain = DomainView().snapshot();
  ASSERT_EQ(domain.processes.size(), 1U);
  EXPECT_EQ(domain.processes[0].pid, process.pid());
  ASSERT_EQ(domain.topics.size(), 1U);
  EXPECT_EQ(domain.topics[0].name, "/seen");
  ASSERT_EQ(domain.endpoints.size(), 1U);
  EXPECT_EQ(domain.endpoints[0].node, "/seen");
  end(process);
}

TEST(SecondHost, IsLeftWithoutARemnantByAProcessThatIsKilled)
{
  Process watching([](Channel& channel) {
    Node node("watching");
    const auto subscription = node.create_subscription<Message>("/topic", QoS(1));
    require(eventually([&] { return subscription->publisher_count() == 1; }), "a publisher came");
    channel.say("connected");
    require(eventually([&] { return subscription->publisher_count() == 0; }), "it went");
    channel.say("gone");
    channel.hear();
  });
  Process victim([](Channel& channel) {
    Node node("victim");
    const auto publisher = node.create_publisher<Message>("/topic", QoS(1));
    channel.say("there");
    channel.hear();
  });
  EXPECT_EQ(watching.hear(), "connected");
  const std::string area = "/dev/shm/agnocast@" + std::to_string(victim.pid());
  EXPECT_EQ(access(area.c_str(), F_OK), 0);
  victim.kill();
  EXPECT_EQ(watching.hear(), "gone");
  EXPECT_TRUE(eventually([&] { return access(area.c_str(), F_OK) != 0; }));
  end(watching);
}

// Run once the module has been unloaded.
TEST(WithoutTheModule, TheFileServesUnlessTheModuleIsAskedFor)
{
  if (access("/dev/agnocast", F_OK) == 0) GTEST_SKIP() << "the module is loaded";
  EXPECT_EQ(joins_with("auto"), "file");
  EXPECT_EQ(joins_with("user"), "file");
  EXPECT_NE(joins_with("kernel").find("load it with 'modprobe agnocast'"), std::string::npos);
}

// Run once a module is loaded that says it is of another release (tests/kmod/run builds one).
TEST(AnotherRelease, OfTheModuleIsNotUsed)
{
  std::string release;
  std::getline(std::ifstream("/sys/module/agnocast/version") >> std::ws, release);
  if (release != "99.0.0") GTEST_SKIP() << "the module is of release '" << release << "'";
  EXPECT_EQ(joins_with("auto"), "file");
  EXPECT_EQ(joins_with("user"), "file");
  const std::string error = joins_with("kernel");
  EXPECT_NE(error.find("interface version 99"), std::string::npos) << error;
  EXPECT_NE(error.find("load the one of the same release"), std::string::npos) << error;
  EXPECT_TRUE(DomainView().snapshot().processes.empty());
}

double microseconds_of(const std::function<void()>& work)
{
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
    .count();
}

// No test of anything but that it works; what it prints stands in docs/kernel-module.md.
TEST(Figures, JoiningAndCreatingUnderBothRegistries)
{
  constexpr int repetitions = 15;
  for (int i = 0; i < 3; ++i) {
    std::vector<double> medians;
    const char* const what[] = {"join", "create a publisher", "create a subscription"};
    for (const char* const setting : {"user", "kernel"}) {
      std::vector<double> costs;
      // Somebody is there already, as in most domains.
      Process resident([setting](Channel& channel) {
        setenv("AGNOCAST_REGISTRY", setting, 1);
        const WaitSet joins;
        channel.say("there");
        channel.hear();
      });
      EXPECT_EQ(resident.hear(), "there");
      for (int repetition = 0; repetition < repetitions; ++repetition) {
        Process process([setting, i](Channel& channel) {
          setenv("AGNOCAST_REGISTRY", setting, 1);
          double cost = 0;
          std::unique_ptr<WaitSet> joins;
          const double join = microseconds_of([&] { joins = std::make_unique<WaitSet>(); });
          Node node("measured");
          if (i == 0) cost = join;
          if (i == 1) {
            cost = microseconds_of([&] { node.create_publisher<Message>("/measured", QoS(1)); });
          }
          if (i == 2) {
            cost = microseconds_of([&] { node.create_subscription<Message>("/measured", QoS(1)); });
          }
          channel.say(std::to_string(cost));
        });
        costs.push_back(std::stod(process.hear()));
        process.wait();
      }
      std::nth_element(costs.begin(), costs.begin() + repetitions / 2, costs.end());
      medians.push_back(costs[repetitions / 2]);
      end(resident);
    }
    std::cout << "figure: " << what[i] << ": user " << medians[0] << " us, kernel " << medians[1]
              << " us" << std::endl;
    EXPECT_GT(medians[0], 0);
    EXPECT_GT(medians[1], 0);
  }
}

}  // namespace
}  // namespace agnocast::test
