// The hold limit and wait sets: a hold that another thread releases wakes who waits for room.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using namespace std::chrono_literals;

// Nobody publishes any more when the waiting begins: only the release can end it.
TEST(HoldLimit, AWaitSetThatFoundItReachedWakesWhenAnotherThreadReleases)
{
  Process process([](Channel& channel) {
    constexpr std::size_t messages = 5'000;
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<int>("/held", messages);
    SubscriptionOptions options;
    options.hold_limit = 1;
    const auto subscription = node->create_subscription<int>("/held", QoS(messages), options);
    for (std::size_t i = 0; i < messages; ++i)
      publisher->publish(publisher->borrow_loaned_message());

    WaitSet wait_set;
    wait_set.add(*subscription);
    ipc_shared_ptr<const int> handed_over;
    std::atomic<int> state{0};  // 0: nothing, 1: a message to release, 2: end
    std::thread releaser([&] {
      for (;;) {
        int now = 0;
        while ((now = state.load()) == 0) std::this_thread::yield();
        if (now == 2) return;
        auto message = std::move(handed_over);
        state = 0;
        message.reset();
      }
    });
    bool woken = true;
    for (std::size_t i = 0; i < messages && woken; ++i) {
      woken = wait_set.wait(10s);
      if (!woken) break;
      auto message = subscription->take();
      while (state.load() != 0) std::this_thread::yield();
      handed_over = std::move(message);
      state = 1;
    }
    while (state.load() != 0) std::this_thread::yield();
    state = 2;
    releaser.join();
    require(woken, "no wake-up is lost");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(patience * 2), "done");
  EXPECT_EQ(process.wait(), 0);
}

// Room that is made while two threads wait for it on one publisher lets both go on.
TEST(KeepAll, TwoThreadsThatWaitOnOnePublisherBothGoOn)
{
  Process process([](Channel& channel) {
    constexpr int each = 500;
    const auto node = std::make_shared<Node>("node");
    PublisherOptions options;
    options.keep_all_timeout = 20s;
    const auto publisher =
      node->create_publisher<int>("/kept", QoS(1).keep_all(2).reliable(), options);
    const auto subscription =
      node->create_subscription<int>("/kept", QoS(1).keep_all(2).reliable());
    std::atomic<int> timed_out{0};
    const auto send = [&] {
      for (int i = 0; i < each; ++i) {
        if (publisher->publish(publisher->borrow_loaned_message()) != PublishStatus::published) {
          ++timed_out;
        }
      }
    };
    std::thread first(send);
    std::thread second(send);
    WaitSet wait_set;
    wait_set.add(*subscription);
    int got = 0;
    while (got < 2 * each && wait_set.wait(20s)) {
      while (subscription->take()) ++got;
    }
    first.join();
    second.join();
    require(timed_out == 0 && got == 2 * each, "all were published and taken");
    require(subscription->lost_count() == 0, "none was lost");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(patience * 2), "done");
  EXPECT_EQ(process.wait(), 0);
}

/// True if the thread of this process sleeps in the kernel.
bool is_asleep(pid_t thread)
{
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(") ");
  return name_end != std::string::npos && text[name_end + 2] == 'S';
}

// A subscription that looks at nothing does not connect to a publisher that came after it. The
// first message is kept for it until it leaves, which nobody but the registry tells.
TEST(KeepAll, ASubscriptionThatLeavesWithoutHavingConnectedWakesWhoWaitsForIt)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    auto subscription = node->create_subscription<int>("/kept", QoS(1).keep_all(1).reliable());
    PublisherOptions options;
    options.keep_all_timeout = patience;
    const auto publisher =
      node->create_publisher<int>("/kept", QoS(1).keep_all(1).reliable(), options);
    publisher->publish(publisher->borrow_loaned_message());
    std::atomic<pid_t> waiting{0};
    std::chrono::steady_clock::duration waited{};
    PublishStatus status{};
    std::thread second([&] {
      auto message = publisher->borrow_loaned_message();
      const auto start = std::chrono::steady_clock::now();
      waiting = ::gettid();
      status = publisher->publish(std::move(message));
      waited = std::chrono::steady_clock::now() - start;
    });
    require(eventually([&] { return waiting != 0 && is_asleep(waiting); }), "it waits");
    subscription.reset();
    second.join();
    require(status == PublishStatus::published && waited < patience / 2, "it went on at once");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(patience * 2), "done");
  EXPECT_EQ(process.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test
