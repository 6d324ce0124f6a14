// What callbacks may do: throw, destroy their own subscription, create others, publish while
// another loan is open, and feed themselves.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using Numbers = std::vector<int>;

void send(Publisher<Numbers>& publisher, int number)
{
  auto message = publisher.borrow_loaned_message();
  message->assign(100, number);
  publisher.publish(std::move(message));
}

void check(const Numbers& message, int number)
{
  require(message == Numbers(100, number), "content");
}

/// A process that publishes 1, 2, … on /numbers, as many as it is told each time.
void send_on_command(Channel& channel)
{
  const auto node = std::make_shared<Node>("sender");
  const auto publisher = node->create_publisher<Numbers>("/numbers", 100);
  channel.say("ready");
  int number = 0;
  while (const auto line = channel.hear()) {
    if (*line == "end") return;
    for (int left = std::stoi(*line); left > 0; --left) send(*publisher, ++number);
    channel.say("sent");
  }
}

/// Runs `reader`, which says "ready", hears "sent" once five messages were sent, and says "done".
void receives_five(const std::function<void(Channel&)>& body)
{
  Process reader(body);
  ASSERT_EQ(reader.hear(), "ready");
  Process sender(send_on_command);
  ASSERT_EQ(sender.hear(), "ready");
  sender.say("5");
  ASSERT_EQ(sender.hear(), "sent");
  reader.say("sent");
  EXPECT_EQ(reader.hear(), "done");
  EXPECT_EQ(reader.wait(), 0);
  sender.say("end");
  EXPECT_EQ(sender.wait(), 0);
}

TEST(Callback, WhatItThrowsLeavesSpinWhichCanBeResumed)
{
  receives_five([](Channel& channel) {
    init();
    const auto node = std::make_shared<Node>("reader");
    int next = 1;
    const auto subscription = node->create_subscription<Numbers>(
      "/numbers", 10, [&](const ipc_shared_ptr<const Numbers>& message) {
        check(*message, next++);
        if (next == 3 || next == 4) throw std::out_of_range("from the callback");
        if (next == 6) shutdown();
      });
    channel.say("ready");
    channel.hear();
    int thrown = 0;
    while (ok()) {
      try {
        spin(node);
      } catch (const std::out_of_range& error) {
        require(error.what() == std::string("from the callback"), "the same exception");
        require(subscription->held_count() == 0, "its message is released");
        ++thrown;
      }
    }
    require(thrown == 2 && next == 6, "twice thrown, each message once");
    channel.say("done");
  });
}

TEST(Callback, MayThrowOutOfSpinSomeAndSpinOnceToo)
{
  receives_five([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    int next = 1;
    const auto subscription = node->create_subscription<Numbers>(
      "/numbers", 10, [&](const ipc_shared_ptr<const Numbers>& message) {
        check(*message, next++);
        if (next <= 3) throw 42;
      });
    channel.say("ready");
    channel.hear();
    for (const bool once : {true, false}) {
      try {
        if (once) {
          spin_once(node);
        } else {
          spin_some(node);
        }
        require(false, "nothing was thrown");
      } catch (int value) {
        require(value == 42, "the same exception");
      }
    }
    spin_some(node);
    require(next == 6, "the rest");
    channel.say("done");
  });
}

TEST(Callback, MayDestroyItsOwnSubscriptionAndKeepTheMessage)
{
  receives_five([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    int calls = 0;
    ipc_shared_ptr<const Numbers> kept;
    const auto marker = std::make_shared<int>(7);
    Subscription<Numbers>::SharedPtr subscription = node->create_subscription<Numbers>(
      "/numbers", 10, [&, marker](const ipc_shared_ptr<const Numbers>& message) {
        subscription.reset();  // the callback goes on: it and its captures must still be there
        check(*message, 1);
        require(*marker == 7, "captures live");
        kept = message;
        ++calls;
      });
    channel.say("ready");
    channel.hear();
    spin_some(node);
    require(calls == 1, "no call after the destruction");
    check(*kept, 1);
    kept.reset();
    spin_some(node);
    require(marker.use_count() == 1, "the callback is destroyed when it is over");
    channel.say("done");
  });
}

TEST(Callback, ThatOwnsWhereItKeepsItsMessageIsDestroyedWithItsSubscription)
{
  receives_five([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    struct Store
    {
      ipc_shared_ptr<const Numbers> latest;
    };
    auto store = std::make_shared<Store>();
    const std::weak_ptr<Store> watch = store;
    auto subscription = node->create_subscription<Numbers>(
      "/numbers", 10,
      [store](const ipc_shared_ptr<const Numbers>& message) { store->latest = message; });
    store.reset();
    channel.say("ready");
    channel.hear();
    spin_some(node);
    check(*watch.lock()->latest, 5);
    subscription.reset();
    spin_some(node);
    require(watch.expired(), "no cycle keeps the callback and its message for ever");
    channel.say("done");
  });
}

TEST(Callback, MayDestroyAndCreateOtherSubscriptions)
{
  receives_five([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    std::vector<Subscription<Numbers>::SharedPtr> others;
    int other_calls = 0;
    int calls = 0;
    const auto subscription = node->create_subscription<Numbers>(
      "/numbers", 10, [&](const ipc_shared_ptr<const Numbers>& message) {
        check(*message, ++calls);
        others.clear();
        for (int i = 0; i < 3; ++i) {
          others.push_back(node->create_subscription<Numbers>("/numbers", 10,
                                                              [&](const auto&) { ++other_calls; }));
        }
      });
    channel.say("ready");
    channel.hear();
    spin_some(node);
    require(calls == 5 && other_calls == 0, "late volatile subscriptions get nothing old");
    channel.say("done");
  });
}

TEST(Callback, MayPublishWhileAnotherLoanIsOpen)
{
  receives_five([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto sums = node->create_publisher<Numbers>("/sums", 10);
    const auto echoes = node->create_publisher<Numbers>("/echoes", 10);
    const auto from_sums = node->create_subscription<Numbers>("/sums", 10);
    const auto from_echoes = node->create_subscription<Numbers>("/echoes", 10);
    auto sum = sums->borrow_loaned_message();
    const auto subscription = node->create_subscription<Numbers>(
      "/numbers", 10, [&](const ipc_shared_ptr<const Numbers>& message) {
        sum->push_back(message->front());
        send(*echoes, message->front());
        sum->push_back(message->front() * 2);
        require(in_shared_heap(sum->data()), "the outer loan is still open");
      });
    channel.say("ready");
    channel.hear();
    spin_some(node);
    sums->publish(std::move(sum));
    require(*from_sums->take() == Numbers({1, 2, 2, 4, 3, 6, 4, 8, 5, 10}), "the outer message");
    for (int i = 1; i <= 5; ++i) check(*from_echoes->take(), i);
    require(!in_shared_heap(std::make_unique<int>().get()), "all windows are closed");
    channel.say("done");
  });
}

TEST(SpinSome, ReturnsAlthoughACallbackFeedsItsOwnTopic)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("loop");
    const auto publisher = node->create_publisher<Numbers>("/numbers", 10);
    int calls = 0;
    const auto subscription =
      node->create_subscription<Numbers>("/numbers", 10, [&](const ipc_shared_ptr<const Numbers>&) {
        ++calls;
        send(*publisher, calls);
      });
    for (int i = 1; i <= 3; ++i) send(*publisher, i);
    spin_some(node);
    require(calls == 3, "those that were there ran, not " + std::to_string(calls));
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(Spin, ServesManySubscriptionsOfOneNode)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("many");
    std::vector<int> order;
    std::vector<Publisher<int>::SharedPtr> publishers;
    std::vector<Subscription<int>::SharedPtr> subscriptions;
    for (int i = 0; i < 40; ++i) {
      const std::string topic = "/topic_" + std::to_string(i);
      publishers.push_back(node->create_publisher<int>(topic, 10));
      subscriptions.push_back(
        node->create_subscription<int>(topic, 10, [&](const auto& m) { order.push_back(*m); }));
    }
    for (int round = 0; round < 5; ++round) {
      for (const auto& publisher : publishers) {
        auto message = publisher->borrow_loaned_message();
        *message = round;
        publisher->publish(std::move(message));
      }
    }
    spin_some(node);
    require(order.size() == 200, "each message once");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test
