// The registry's lock: nothing that a process does beside a change of the registry drops it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <memory>
#include <thread>

#include "agnocast/introspection.hpp"
#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

using Processes = std::vector<std::unique_ptr<Process>>;

TEST(RegistryLock, ALookAtTheDomainLosesNoEndpointThatItsProcessOrAnotherMakesMeanwhile)
{
  constexpr int rounds = 2000;
  Processes processes;
  for (int i = 0; i < 3; ++i) {
    processes.push_back(std::make_unique<Process>([i](Channel& channel) {
      const auto node = std::make_shared<Node>("maker");
      const std::string topic = "/t" + std::to_string(i);
      const auto stay = node->create_publisher<int>("/stay", QoS(1));
      std::atomic<bool> stop{false};
      std::thread looker([&] {
        while (!stop) {
          try {
            static_cast<void>(DomainView().snapshot());
          } catch (const Error&) {
            // The other processes change what is being read.
          }
        }
      });
      int missed = 0;
      std::string thrown = outcome_of([&] {
        for (int round = 0; round < rounds; ++round) {
          const auto subscription = node->create_subscription<int>(topic, QoS(1));
          const auto publisher = node->create_publisher<int>(topic, QoS(1));
          missed += publisher->subscription_count() != 1 || subscription->publisher_count() != 1;
        }
      });
      stop = true;
      looker.join();
      channel.say(thrown + ", missed " + std::to_string(missed));
      channel.hear();
    }));
  }
  for (auto& process : processes) EXPECT_EQ(process->hear(), "nothing thrown, missed 0");
  for (auto& process : processes) process->say("leave");
  for (auto& process : processes) EXPECT_EQ(process->wait(), 0);
  EXPECT_FALSE(registry_exists());
}

}  // namespace
}  // namespace agnocast::test
