// Processes that treat the library badly: closed descriptors, tight limits, stops, many threads.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <memory>
#include <thread>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

class HostileProcess : public ForcefulTest
{
};

TEST_F(HostileProcess, AProcessThatClosesAllDescriptorsWorksOnAndLeavesNothing)
{
  Process process([](Channel&) {
    Node node("closer");
    auto publisher = node.create_publisher<Report>("/closed", QoS(5));
    auto subscription = node.create_subscription<Report>("/closed", QoS(5));
    publish_report(*publisher, 1);
    require(::close_range(3, ~0u, 0) == 0, "everything is closed");
    for (std::uint64_t i = 1; i < 20; ++i) {
      const auto message = subscription->take();
      require(message && is_whole(*message, i), "message " + std::to_string(i));
      publish_report(*publisher, i + 1, 1000);
    }
    auto late = node.create_publisher<Report>("/closed_late", QoS(5));
    auto reader = node.create_subscription<Report>("/closed_late", QoS(5));
    publish_report(*late, 1, 2'000'000);
    require(static_cast<bool>(await_message(*reader)), "new ones work, and the heap grows");
  });
  EXPECT_EQ(process.wait(), 0);
  EXPECT_EQ(remains_of(process.pid()), "");
  EXPECT_FALSE(registry_exists());
}

TEST_F(HostileProcess, WithoutMessageQueuesAllWorks)
{
  Process reader([](Channel& channel) {
    const rlimit none{0, 0};
    require(::setrlimit(RLIMIT_MSGQUEUE, &none) == 0, "a limit");
    Node node("no_queue");
    auto subscription = node.create_subscription<Report>("/queueless", QoS(5));
    channel.say(remains_of(::getpid()));
    const auto message = await_message(*subscription);
    channel.say(message && is_whole(*message, 4) ? "whole" : "broken");
  });
  EXPECT_EQ(reader.hear(), "area doorbell ");
  Process writer([](Channel& channel) {
    Node node("writer");
    auto publisher = node.create_publisher<Report>("/queueless", QoS(5));
    publish_report(*publisher, 4);
    channel.hear();
  });
  EXPECT_EQ(reader.hear(), "whole");
  writer.say("leave");
  EXPECT_EQ(reader.wait(), 0);
  EXPECT_EQ(writer.wait(), 0);
}

TEST_F(HostileProcess, AProcessWithoutDescriptorsIsToldSoAndCanJoinLater)
{
  EXPECT_EQ(in_process([]() -> std::string {
              rlimit limit{};
              require(::getrlimit(RLIMIT_NOFILE, &limit) == 0, "a limit");
              const rlimit former = limit;
              limit.rlim_cur = 3;
              require(::setrlimit(RLIMIT_NOFILE, &limit) == 0, "a limit");
              const std::string said = outcome_of_joining();
              if (!contains(said, {"too many open files", "ulimit -n"})) return said;
              require(::setrlimit(RLIMIT_NOFILE, &former) == 0, "the former limit");
              return outcome_of_joining();
            }),
            "nothing thrown");
}

TEST_F(HostileProcess, AStoppedSubscriberReadsOnWhenItIsContinued)
{
  Process reader([](Channel& channel) {
    auto node = std::make_shared<Node>("reader");
    auto subscription = node->create_subscription<Report>(
      "/stopped", QoS(100), [&](const ipc_shared_ptr<const Report>& message) {
        require(is_whole(*message, message->number), "a whole message");
        channel.say(std::to_string(message->number));
      });
    channel.say("ready");
    spin(node);
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    Node node("writer");
    auto publisher = node.create_publisher<Report>("/stopped", QoS(5));
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      publish_report(*publisher, std::stoull(*order));
      channel.say("published");
    }
  });
  writer.say("1");
  ASSERT_EQ(writer.hear(), "published");
  ASSERT_EQ(reader.hear(), "1");
  reader.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(reader.pid(), &status, WUNTRACED), reader.pid());
  for (int i = 2; i <= 50; ++i) {
    writer.say(std::to_string(i));
    ASSERT_EQ(writer.hear(), "published") << "a stopped subscriber blocks nobody";
  }
  reader.signal(SIGCONT);
  for (int i = 2; i <= 50; ++i) ASSERT_EQ(reader.hear(), std::to_string(i));
  writer.say("leave");
  EXPECT_EQ(writer.wait(), 0);
}

TEST_F(HostileProcess, TwentyThreadsCanCreateAndDestroyEndpointsAtOnce)
{
  EXPECT_EQ(
    in_process([]() -> std::string {
      Node node("crowd");
      std::atomic<int> failed{0};
      std::vector<std::thread> threads;
      for (int t = 0; t < 20; ++t) {
        threads.emplace_back([&, t] {
          for (std::uint64_t i = 1; i <= 15; ++i) {
            const std::string outcome = outcome_of([&] {
              auto subscription = node.create_subscription<Report>("/crowd", QoS(100));
              auto publisher = node.create_publisher<Report>("/crowd", QoS(2));
              publish_report(*publisher, i, 10);
              auto other = node.create_publisher<int>("/own_" + std::to_string(t % 5), QoS(1));
              const auto message = await_message(*subscription);
              require(message && is_whole(*message, message->number, 10), "a whole message");
            });
            if (outcome != "nothing thrown") ++failed;
          }
        });
      }
      for (auto& thread : threads) thread.join();
      return failed == 0 ? "all well" : std::to_string(failed) + " failed";
    }),
    "all well");
}

}  // namespace
}  // namespace agnocast::test
