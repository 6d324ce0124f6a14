// The registry's lock: nothing that a process does beside a change of the registry drops it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "abi/registry_layout.h"
#include "agnocast/introspection.hpp"
#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

using Processes = std::vector<std::unique_ptr<Process>>;

// How many processes of the domain are joining. The test process is in no domain, so it may read
// the registry's file.
int joining_processes()
{
  std::ifstream file(registry_path(), std::ios::binary);
  auto registry = std::make_unique<agnocast_registry>();
  file.read(reinterpret_cast<char*>(registry.get()), sizeof *registry);
  int count = 0;
  for (const auto& process : registry->processes) count += process.state == AGNOCAST_JOINING;
  return count;
}

// A process that is stopped while it secures its pool.
std::unique_ptr<Process> stopped_joiner()
{
  for (int attempt = 0; attempt < 20; ++attempt) {
    auto joiner = std::make_unique<Process>([](Channel& channel) {
      ::setenv("AGNOCAST_MEMPOOL_SIZE", "400000000", 1);
      channel.say(outcome_of_joining());
      channel.hear();
    });
    eventually([] { return joining_processes() != 0; });
    joiner->signal(SIGSTOP);
    int status = 0;
    EXPECT_EQ(::waitpid(joiner->pid(), &status, WUNTRACED), joiner->pid());
    if (joining_processes() == 1) return joiner;
    joiner->kill();  // it was faster
  }
  ADD_FAILURE() << "no joiner could be stopped in time";
  return nullptr;
}

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

class TwoStepJoin : public ForcefulTest
{
};

TEST_F(TwoStepJoin, WhoIsStoppedInTheMiddleOfItsJoinHoldsNobodyUp)
{
  Process here([](Channel& channel) {
    const auto node = std::make_shared<Node>("here");
    const auto publisher = node->create_publisher<Report>("/here", QoS(1));
    channel.say("here");
    while (channel.hear().value_or("leave") != "leave") {
      channel.say(outcome_of([&] { node->create_subscription<Report>("/other", QoS(1)); }));
    }
  });
  ASSERT_EQ(here.hear(), "here");
  const auto joiner = stopped_joiner();
  ASSERT_NE(joiner, nullptr);
  here.say("create");
  EXPECT_EQ(here.hear(), "nothing thrown");
  EXPECT_EQ(in_process([] { return outcome_of_joining("/next"); }), "nothing thrown");
  EXPECT_EQ(DomainView().snapshot().processes.size(), 1u) << "who joins is not seen";
  EXPECT_EQ(joining_processes(), 1) << "and not taken for dead";
  here.say("leave");
  EXPECT_EQ(here.wait(), 0);
  EXPECT_TRUE(registry_exists()) << "as long as somebody joins";
  joiner->signal(SIGCONT);
  EXPECT_EQ(joiner->hear(), "nothing thrown");
  joiner->say("leave");
  EXPECT_EQ(joiner->wait(), 0);
  EXPECT_FALSE(registry_exists());
}

TEST_F(TwoStepJoin, WhoDiesInTheMiddleOfItsJoinIsRemovedByTheNextJoiner)
{
  Process here([](Channel& channel) {
    channel.say(outcome_of_joining());
    channel.hear();
  });
  ASSERT_EQ(here.hear(), "nothing thrown");
  const auto joiner = stopped_joiner();
  ASSERT_NE(joiner, nullptr);
  joiner->kill();
  EXPECT_EQ(joining_processes(), 1) << "or there is nothing to test";
  EXPECT_EQ(in_process([] { return outcome_of_joining("/next"); }), "nothing thrown");
  EXPECT_EQ(joining_processes(), 0);
  EXPECT_EQ(remains_of(joiner->pid()), "");
  here.say("leave");
  EXPECT_EQ(here.wait(), 0);
}

struct FailingJoin
{
  const char* what;
  std::function<void()> prepare;
  const char* error;
};

// In the order in which a join comes to them; tests/out_of_memory fails it at each allocation.
const std::vector<FailingJoin>& failing_joins()
{
  static const std::vector<FailingJoin> joins{
    {"the area cannot be so large", [] { ::setenv("AGNOCAST_MEMPOOL_SIZE", "900000000000000", 1); },
     "AGNOCAST_MEMPOOL_SIZE"},
    {"no file can be so large",
     [] {
       const rlimit limit{16u << 20, RLIM_INFINITY};
       ::setrlimit(RLIMIT_FSIZE, &limit);
       ::setenv("AGNOCAST_MEMPOOL_SIZE", "200000000", 1);
     },
     "ulimit -f"},
    {"the control thread cannot run where it shall",
     [] { ::setenv("AGNOCAST_THREAD_AFFINITY", "1000", 1); }, "AGNOCAST_THREAD_AFFINITY"},
  };
  return joins;
}

TEST_F(TwoStepJoin, AJoinThatFailsLeavesNothing)
{
  for (const FailingJoin& join : failing_joins()) {
    SCOPED_TRACE(join.what);
    Process joiner([&](Channel& channel) {
      join.prepare();
      channel.say(outcome_of_joining());
      channel.hear();
    });
    EXPECT_TRUE(contains(joiner.hear(), {join.error}));
    // While it lives: what it left is not cleaned up by others.
    for (const std::string& file : {registry_path(), registry_path() + ".lock"}) {
      EXPECT_FALSE(file_exists(file)) << file;
    }
    EXPECT_EQ(remains_of(joiner.pid()), "");
    joiner.say("leave");
    EXPECT_EQ(joiner.wait(), 0);
  }
}

}  // namespace
}  // namespace agnocast::test
