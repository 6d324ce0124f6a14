// Which callbacks may run when a gate is closed, with several threads.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "node/callback_gate.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <random>
#include <vector>

namespace agnocast::internal {
namespace {

TEST(CallbackGate, LetsNobodyInOnceItIsClosed)
{
  CallbackGate gate;
  {
    const CallbackGate::Run outer(gate);
    EXPECT_TRUE(outer.is_allowed());
    const CallbackGate::Run inner(gate);  // a callback that spins its own node
    EXPECT_TRUE(inner.is_allowed());
    gate.close();  // from inside: does not wait for itself
    const CallbackGate::Run late(gate);
    EXPECT_FALSE(late.is_allowed());
    EXPECT_FALSE(gate.is_empty());
  }
  EXPECT_TRUE(gate.is_empty());
}

TEST(CallbackGate, ClosesWhenTheCallbackOfAnotherThreadHasReturned)
{
  for (int round = 0; round < 200; ++round) {
    CallbackGate gate;
    std::latch inside(1);
    std::atomic<bool> returned{false};
    std::jthread runner([&] {
      const CallbackGate::Run run(gate);
      inside.count_down();
      std::this_thread::yield();
      returned = true;
    });
    inside.wait();
    gate.close();
    EXPECT_TRUE(returned);
    runner.join();
  }
}

// Each of n callbacks, each in a thread of its own, closes the gate of the next one.
TEST(CallbackGate, IsNotWaitedForInACircle)
{
  for (const std::size_t count : {2u, 3u, 5u}) {
    for (int round = 0; round < 100; ++round) {
      std::vector<CallbackGate> gates(count);
      std::latch all_inside(static_cast<std::ptrdiff_t>(count));
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
          const CallbackGate::Run run(gates[i]);
          all_inside.arrive_and_wait();
          gates[(i + 1) % count].close();
        });
      }
      threads.clear();  // joins: ends only if one of them did not wait
      for (CallbackGate& gate : gates) EXPECT_TRUE(gate.is_empty());
    }
  }
}

TEST(CallbackGate, ManyThreadsThatRunAndCloseAtRandomAllEnd)
{
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  struct Slot
  {
    std::mutex mutex;
    std::shared_ptr<CallbackGate> gate = std::make_shared<CallbackGate>();
    std::shared_ptr<CallbackGate> get(bool replace)
    {
      const std::lock_guard lock(mutex);
      auto here = gate;
      if (replace) gate = std::make_shared<CallbackGate>();
      return here;
    }
  };
  std::vector<Slot> slots(4);
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < 7; ++i) {
    threads.emplace_back([&, i] {
      std::minstd_rand random(seed + i);
      for (int step = 0; step < 2000; ++step) {
        const auto gate = slots[random() % slots.size()].get(false);
        const CallbackGate::Run run(*gate);
        if (random() % 4 == 0) slots[random() % slots.size()].get(true)->close();
      }
    });
  }
  threads.clear();
  for (Slot& slot : slots) EXPECT_TRUE(slot.gate->is_empty());
}

}  // namespace
}  // namespace agnocast::internal
