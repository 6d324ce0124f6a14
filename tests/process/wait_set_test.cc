// Wait sets: no wake-up is lost, whoever waits, for however many subscriptions.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using namespace std::chrono_literals;

struct Ball
{
  int round;
  std::vector<int> content;
};

constexpr int rounds = 10'000;
constexpr int topics = 4;

void hit(Publisher<Ball>& publisher, int round)
{
  auto message = publisher.borrow_loaned_message();
  message->round = round;
  message->content.assign(16, round);
  publisher.publish(std::move(message));
}

/// One of two players: reads `in`0..3, answers each ball on `out`0..3, always on another topic.
void play(Channel& channel, const std::string& in, const std::string& out, bool begins,
          std::chrono::nanoseconds spin_for)
{
  const auto node = std::make_shared<Node>("player");
  WaitSet wait_set;
  std::vector<Publisher<Ball>::SharedPtr> publishers;
  std::vector<Subscription<Ball>::SharedPtr> subscriptions;
  for (int i = 0; i < topics; ++i) {
    publishers.push_back(node->create_publisher<Ball>(out + std::to_string(i), 1));
    subscriptions.push_back(node->create_subscription<Ball>(in + std::to_string(i), 1));
    wait_set.add(*subscriptions.back());
  }
  channel.say("ready");
  require(channel.hear() == "go", "both are ready");
  if (begins) hit(*publishers.front(), 0);
  for (int round = begins ? 1 : 0; round < rounds; round += 2) {
    require(wait_set.wait(patience, spin_for), "round " + std::to_string(round) + " comes");
    const auto topic = static_cast<std::size_t>(round % topics);
    const auto ball = subscriptions[topic]->take();
    require(ball && ball->round == round, "it is on its topic");
    require(ball->content == std::vector<int>(16, round), "content");
    hit(*publishers[static_cast<std::size_t>((round + 1) % topics)], round + 1);
  }
  channel.say("done");
  channel.hear();
}

void ping_pong(std::chrono::nanoseconds spin_for)
{
  Process ping([=](Channel& channel) { play(channel, "/pong", "/ping", true, spin_for); });
  Process pong([=](Channel& channel) { play(channel, "/ping", "/pong", false, spin_for); });
  ASSERT_EQ(ping.hear(), "ready");
  ASSERT_EQ(pong.hear(), "ready");
  pong.say("go");
  ping.say("go");
  EXPECT_EQ(ping.hear(), "done");
  EXPECT_EQ(pong.hear(), "done");
  for (Process* process : {&ping, &pong}) {
    process->say("end");
    EXPECT_EQ(process->wait(), 0);
  }
}

TEST(WaitSet, LosesNoWakeUpInTenThousandRoundsOverSeveralSubscriptions)
{
  ping_pong(0ns);
}

TEST(WaitSet, LosesNoWakeUpWhenItSpinsForAWhileFirst)
{
  ping_pong(20us);
}

TEST(WaitSet, ReturnsTrueAtOnceWhileAMessageIsUnread)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Ball>("/ball", 1);
    const auto subscription = node->create_subscription<Ball>("/ball", 1);
    WaitSet wait_set;
    require(!subscription->has_message(), "nothing yet");
    hit(*publisher, 1);
    wait_set.add(*subscription);
    for (int i = 0; i < 3; ++i) require(wait_set.wait(), "the message is still there");
    require(subscription->has_message(), "and is seen without a wait");
    require(subscription->take()->round == 1, "content");
    require(!wait_set.wait(0ns) && !subscription->has_message(), "nothing is left");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(WaitSet, ReturnsFalseAfterItsTimeOutAndNotBefore)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const auto subscription = node->create_subscription<Ball>("/ball", 1);
    WaitSet wait_set;
    wait_set.add(*subscription);
    for (const auto timeout : {0ms, 1ms, 30ms}) {
      for (const auto spin_for : {0ms, 5ms}) {
        const auto start = std::chrono::steady_clock::now();
        require(!wait_set.wait(timeout, spin_for), "no message");
        require(std::chrono::steady_clock::now() - start >= timeout, "it waited as long");
      }
    }
    require(!wait_set.wait(-5ms), "a time-out in the past is none");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(WaitSet, WakeEndsTheRunningWaitOrElseTheNext)
{
  Process process([](Channel& channel) {
    WaitSet wait_set;
    wait_set.wake();
    require(!wait_set.wait(), "the next wait returned");
    require(!wait_set.wait(1ms), "one wake, one return");
    for (int i = 0; i < 500; ++i) {
      std::thread waker([&] { wait_set.wake(); });
      require(!wait_set.wait(patience), "woken");
      waker.join();
    }
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(WaitSet, NoticesASubscriptionThatIsAddedWithAMessageWhileItWaits)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Ball>("/ball", 1);
    const auto subscription = node->create_subscription<Ball>("/ball", 1);
    hit(*publisher, 1);
    WaitSet wait_set;
    std::thread adder([&] { wait_set.add(*subscription); });
    require(wait_set.wait(patience), "the message is noticed");
    adder.join();
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(WaitSet, HearsOfAPublisherThatAppearsWhileItSleeps)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Ball>("/ball", 1);
    WaitSet wait_set;
    wait_set.add(*subscription);
    for (int i = 0; i < 20; ++i) {
      channel.say("waiting");
      require(wait_set.wait(patience), "a message of a new publisher");
      require(subscription->take()->round == i, "content");
      channel.say("got");
    }
  });
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(reader.hear(), "waiting");
    Process writer([i](Channel& channel) {
      const auto node = std::make_shared<Node>("writer");
      const auto publisher = node->create_publisher<Ball>("/ball", 1);
      hit(*publisher, i);
      channel.hear();
    });
    EXPECT_EQ(reader.hear(), "got");
    writer.say("end");
    EXPECT_EQ(writer.wait(), 0);
  }
  EXPECT_EQ(reader.wait(), 0);
}

TEST(WaitSet, GivesASubscriptionAwayWhenItIsAddedToAnother)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Ball>("/ball", 1);
    auto subscription = node->create_subscription<Ball>("/ball", 1);
    WaitSet first;
    WaitSet second;
    first.add(*subscription);
    second.add(*subscription);
    hit(*publisher, 1);
    require(second.wait(), "it is the second's");
    require(!first.wait(0ns), "it is not the first's any more");
    second.remove(*subscription);
    require(!second.wait(0ns), "it is nobody's");
    first.add(*subscription);
    require(first.wait(), "it is the first's again");
    subscription.reset();
    require(!first.wait(0ns), "a destroyed one leaves");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(WaitSet, WakesForASubscriptionWhoseFormerWaitSetIsGone)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Ball>("/ball", 1);
    WaitSet second;
    {
      WaitSet first;
      first.add(*subscription);
      second.add(*subscription);
    }
    channel.say("ready");
    for (int i = 0; i < 10; ++i) {
      require(second.wait(5s), "woken for message " + std::to_string(i));
      require(subscription->take()->round == i, "content");
      channel.say("got");
    }
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto publisher = node->create_publisher<Ball>("/ball", 1);
    for (int i = 0; channel.hear() == "publish"; ++i) hit(*publisher, i);
  });
  for (int i = 0; i < 10; ++i) {
    writer.say("publish");
    ASSERT_EQ(reader.hear(), "got");
  }
  EXPECT_EQ(reader.wait(), 0);
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

TEST(WaitSet, WakesForSeveralThreadsThatPublishWhileItComesAndGoes)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Ball>("/ball", 20'000);
    channel.say("ready");
    int got = 0;
    while (got < 8000) {
      WaitSet wait_set;  // a new one again and again, while messages come
      wait_set.add(*subscription);
      require(wait_set.wait(patience), "more come");
      if (subscription->take()) ++got;
    }
    require(subscription->lost_count() == 0, "nothing is lost");
    channel.say("done");
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto publisher = node->create_publisher<Ball>("/ball", 1);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 2000; ++i) hit(*publisher, i);
      });
    }
    for (std::thread& thread : threads) thread.join();
    channel.hear();
  });
  EXPECT_EQ(reader.hear(), "done");
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

// One that wakes up, for whatever reason, says for itself alone that it does not sleep.
TEST(WaitSet, WakesEachOfSeveralThreadsThatSpinOneNode)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    std::atomic<int> got{0};
    const auto subscription = node->create_subscription<Ball>(
      "/ball", 100, [&](const Subscription<Ball>::MessagePtr&) { ++got; });
    std::thread sleeper([&] { spin(node); });
    channel.say("ready");
    // If no sleeper were rung, each would wait for its own look, a second later.
    for (int i = 1; i <= 100; ++i) {
      static_cast<void>(spin_once(node, std::chrono::microseconds(500)));
      channel.say("publish");
      const auto deadline = std::chrono::steady_clock::now() + patience;
      while (got < i) require(std::chrono::steady_clock::now() < deadline, "it is heard");
    }
    shutdown();
    sleeper.join();
    channel.say("done");
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto publisher = node->create_publisher<Ball>("/ball", 1);
    for (int i = 0; channel.hear() == "publish"; ++i) hit(*publisher, i);
  });
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(reader.hear(), "publish");
    writer.say("publish");
  }
  EXPECT_EQ(reader.hear(), "done");
  EXPECT_LT(std::chrono::steady_clock::now(), deadline) << "they were rung";
  EXPECT_EQ(reader.wait(), 0);
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test
