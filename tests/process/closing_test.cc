// The end of a subscription, a publisher or a node while others are at it: in the callback of
// another, in its own, and in another thread. The rule is:
//
//   When the destructor of a subscription has returned, its callback neither runs nor will run,
//   unless the destructor was called inside of that callback; then it will not run again.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using namespace std::chrono_literals;

using IntPtr = ipc_shared_ptr<const int>;

void send(Publisher<int>& publisher, int number)
{
  auto message = publisher.borrow_loaned_message();
  *message = number;
  publisher.publish(std::move(message));
}

/// A process of its own that has to come to its end.
void in_a_process(const std::function<void()>& body)
{
  Process process([&](Channel&) { body(); });
  EXPECT_EQ(process.wait(), 0);
}

// The order of a node's subscriptions turns with each look; this many rounds meet all orders.
constexpr int rounds = 12;

TEST(Closing, ASubscriptionThatAnotherCallbackDestroyedInTheSameRoundIsNotCalled)
{
  in_a_process([] {
    const auto node = std::make_shared<Node>("subject");
    const auto plan = node->create_publisher<int>("/plan", 10);
    const auto command = node->create_publisher<int>("/command", 10);
    for (int round = 0; round < rounds; ++round) {
      std::vector<IntPtr> kept;
      bool is_gone = false;
      int late = 0;
      auto worker = node->create_subscription<int>("/plan", 10, [&](const IntPtr& message) {
        late += is_gone ? 1 : 0;
        kept.push_back(message);
      });
      const auto boss = node->create_subscription<int>("/command", 10, [&](const IntPtr&) {
        worker.reset();
        is_gone = true;
        send(*plan, 3);
        shutdown();
      });
      init();
      send(*plan, 1);
      spin_some(node);
      require(kept.size() == 1, "the worker holds a message, so that its core outlives it");
      send(*plan, 2);
      send(*command, 1);
      spin(node);
      require(is_gone && late == 0, "no callback of a subscription that is destroyed");
      for (const IntPtr& message : kept) require(*message == 1 || *message == 2, "what is held");
    }
  });
}

TEST(Closing, ASubscriptionThatAnotherThreadDestroyedWithinTheRoundIsNotCalled)
{
  in_a_process([] {
    const auto node = std::make_shared<Node>("subject");
    const auto first_end = node->create_publisher<int>("/first", 10);
    const auto second_end = node->create_publisher<int>("/second", 10);
    for (int round = 0; round < rounds; ++round) {
      std::vector<IntPtr> kept;
      std::atomic<bool> is_inside{false};
      std::atomic<bool> is_gone{false};
      std::atomic<int> late{0};
      auto second = node->create_subscription<int>("/second", 10, [&](const IntPtr& message) {
        late += is_gone ? 1 : 0;
        kept.push_back(message);
      });
      const auto first = node->create_subscription<int>("/first", 10, [&](const IntPtr&) {
        is_inside = true;
        require(eventually([&] { return is_gone.load(); }), "the other thread destroys it");
        shutdown();
      });
      init();
      send(*second_end, 1);
      spin_some(node);
      require(kept.size() == 1, "it holds a message, so that its core outlives it");
      send(*second_end, 2);
      send(*first_end, 1);
      std::thread destroyer([&] {
        eventually([&] { return is_inside.load(); });
        second.reset();
        send(*second_end, 3);
        is_gone = true;
      });
      spin(node);
      destroyer.join();
      require(late == 0, "no callback of a subscription that is destroyed");
    }
  });
}

TEST(Closing, TheDestructorWaitsForItsCallbackThatRunsInAnotherThread)
{
  in_a_process([] {
    const auto node = std::make_shared<Node>("subject");
    const auto publisher = node->create_publisher<int>("/topic", 10);
    for (int round = 0; round < rounds; ++round) {
      std::atomic<bool> is_inside{false};
      std::atomic<bool> is_called{false};
      std::atomic<bool> has_returned{false};
      std::atomic<bool> was_early{false};
      auto subscription = node->create_subscription<int>("/topic", 10, [&](const IntPtr&) {
        is_inside = true;
        eventually([&] { return is_called.load(); });
        // It cannot be seen that it waits; only that it does not, for a moment.
        was_early = eventually([&] { return has_returned.load(); }, 20ms);
      });
      send(*publisher, 1);
      std::thread spinner([&] { spin_some(node); });
      require(eventually([&] { return is_inside.load(); }), "the callback runs");
      is_called = true;
      subscription.reset();
      has_returned = true;
      spinner.join();
      require(!was_early, "the destructor returned while the callback ran");
    }
  });
}

TEST(Closing, ACallbackMayDestroyItsOwnSubscriptionAndIsNotCalledAgain)
{
  in_a_process([] {
    const auto node = std::make_shared<Node>("subject");
    const auto publisher = node->create_publisher<int>("/topic", 10);
    for (const bool keeps : {false, true}) {
      int calls = 0;
      IntPtr kept;
      Subscription<int>::SharedPtr subscription;
      // A large capture, which the callback still has after the subscription is gone.
      const std::string captured(1'000, 'x');
      subscription = node->create_subscription<int>(
        "/topic", 10, [&calls, &kept, &subscription, keeps, captured](const IntPtr& message) {
          ++calls;
          if (keeps) kept = message;
          subscription.reset();
          require(captured == std::string(1'000, 'x'), "the callback's own captures");
          require(*message == 1, "the message");
        });
      for (int i = 1; i <= 5; ++i) send(*publisher, i);
      spin_some(node);
      require(!spin_once(node, 0ns), "nothing is left to be called");
      require(calls == 1, "one call");
      require(!keeps || *kept == 1, "what is held stays");
    }
  });
}

TEST(Closing, ACallbackInsideOfAnotherMayDestroyTheOuterOnesSubscription)
{
  in_a_process([] {
    const auto node = std::make_shared<Node>("subject");
    const auto outer_end = node->create_publisher<int>("/outer", 10);
    const auto inner_end = node->create_publisher<int>("/inner", 10);
    int outer_calls = 0;
    int inner_calls = 0;
    Subscription<int>::SharedPtr outer;
    const auto inner = node->create_subscription<int>("/inner", 10, [&](const IntPtr&) {
      ++inner_calls;
      outer.reset();
    });
    outer = node->create_subscription<int>("/outer", 10, [&](const IntPtr&) {
      ++outer_calls;
      send(*inner_end, 1);
      spin_some(node);
    });
    send(*outer_end, 1);
    spin_some(node);
    send(*outer_end, 2);
    spin_some(node);
    require(outer_calls == 1 && inner_calls == 1, "each once");
  });
}

// How a node is spun whose last reference one of its callbacks drops.
using Spin = void (*)(const std::shared_ptr<Node>&);
void spin_to_the_end(const std::shared_ptr<Node>& node)
{
  spin(node);
}
void spin_what_is_there(const std::shared_ptr<Node>& node)
{
  spin_some(node);
}
void spin_until_one_came(const std::shared_ptr<Node>& node)
{
  spin_once(node, 10ms);
}

class ClosingANode : public testing::TestWithParam<Spin>
{
};

TEST_P(ClosingANode, ThatIsSpunIsForItsCallbacksToDoAndSoAreItsPublishers)
{
  in_a_process([spin_it = GetParam()] {
    init();
    struct Application
    {
      std::shared_ptr<Node> node = std::make_shared<Node>("subject");
      Publisher<int>::SharedPtr publisher;
      Subscription<int>::SharedPtr subscription, other;
      std::vector<std::unique_ptr<char[]>> memory;
    } application;
    const std::weak_ptr<Node> seen = application.node;
    std::atomic<bool> is_dropped{false};
    application.publisher = application.node->create_publisher<int>("/reset", 10);
    application.other =
      application.node->create_subscription<int>("/reset", 10, [](const IntPtr&) {});
    application.subscription =
      application.node->create_subscription<int>("/reset", 10, [&](const IntPtr& message) {
        application.publisher.reset();
        application.other.reset();
        application.subscription.reset();
        application.node.reset();
        // What lay in freed memory is not there any more.
        for (std::size_t size = 16; size <= 1'024; size += 16) {
          for (int i = 0; i < 8; ++i) {
            application.memory.push_back(std::make_unique<char[]>(size));
            std::memset(application.memory.back().get(), 0x11, size);
          }
        }
        require(*message == 1, "the message");
        is_dropped = true;
      });
    send(*application.publisher, 1);
    std::thread stopper([&] {
      eventually([&] { return is_dropped.load(); });
      shutdown();
    });
    while (!is_dropped) spin_it(application.node);
    stopper.join();
    require(seen.expired(), "the node is gone with the spin");
  });
}

INSTANTIATE_TEST_SUITE_P(, ClosingANode,
                         testing::Values(spin_to_the_end, spin_what_is_there, spin_until_one_came));

}  // namespace
}  // namespace agnocast::test
