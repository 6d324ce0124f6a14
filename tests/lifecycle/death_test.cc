// Publishers, subscriptions and their processes that go while their messages are in use.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <memory>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

class Death : public ForcefulTest
{
};

constexpr std::size_t values = 20'000;  // of each report: blocks of their own, not a slab's

// Publishes the numbers from 1 to count to one subscription and waits for an order.
std::unique_ptr<Process> publisher_process(std::uint64_t count, std::size_t depth = 20)
{
  return std::make_unique<Process>([=](Channel& channel) {
    Node node("talker");
    auto publisher = node.create_publisher<Report>("/reports", QoS(depth));
    require(eventually([&] { return publisher->subscription_count() > 0; }), "a subscription");
    for (std::uint64_t i = 1; i <= count; ++i) publish_report(*publisher, i, values);
    channel.say("published");
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      if (*order == "drop") publisher.reset();
      if (*order == "fill") {
        auto loan = publisher->borrow_loaned_message();
        channel.say("filling");
        for (std::uint64_t i = 0;; ++i) fill(*loan, i % 100, i % 50'000);
      }
      if (*order == "publish") publish_report(*publisher, count + 1, values);
      if (*order == "reclaim") publisher->reclaim();
      if (*order == "retained") {
        channel.say(std::to_string(publisher->retained_count()));
      } else if (*order == "used") {
        channel.say(std::to_string(shared_heap_statistics().used_bytes));
      } else {
        channel.say("done");
      }
    }
  });
}

std::string ask(Process& process, const std::string& order)
{
  process.say(order);
  return process.hear();
}

// Takes two messages when told to, then obeys; holds them until told otherwise.
std::unique_ptr<Process> subscriber_process()
{
  return std::make_unique<Process>([](Channel& channel) {
    Node node("listener");
    auto subscription = node.create_subscription<Report>("/reports", QoS(20));
    channel.say("ready");
    std::vector<ipc_shared_ptr<const Report>> held;
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      if (*order == "release") held.clear();
      if (*order == "drop") subscription.reset();
      if (*order == "take") {
        for (int i = 0; i < 2; ++i) held.push_back(await_message(*subscription));
      }
      bool whole = true;
      for (std::size_t i = 0; i < held.size(); ++i) {
        whole = whole && held[i] && is_whole(*held[i], i + 1, values);
      }
      channel.say(whole ? std::to_string(held.size()) + " whole" : "broken");
    }
  });
}

TEST_F(Death, MessagesOfAKilledPublisherStayReadableAndItsAreaGoesWithTheLastHold)
{
  std::unique_ptr<Process> publisher;
  Process subscriber([](Channel& channel) {
    Node node("listener");
    auto subscription = node.create_subscription<Report>("/reports", QoS(20));
    channel.say("ready");
    const pid_t pid = static_cast<pid_t>(std::stol(channel.hear().value_or("0")));
    auto first = await_message(*subscription);
    auto second = await_message(*subscription);
    channel.say("holding");
    channel.hear();  // it is dead now
    require(eventually([&] { return subscription->publisher_count() == 0; }), "death is noticed");
    require(is_whole(*first, 1, values) && is_whole(*second, 2, values), "held messages are whole");
    for (std::uint64_t i = 3; i <= 10; ++i) {
      const auto message = subscription->take();
      require(message && is_whole(*message, i, values), "unread message " + std::to_string(i));
    }
    require(!subscription->take(), "and that was all");
    require(subscription->lost_count() == 0, "none is lost");
    first.reset();
    require(mappings_of(pid) > 0 && is_whole(*second, 2, values),
            "mapped while the second is held");
    second.reset();
    require(eventually([&] { return mappings_of(pid) == 0; }), "unmapped after the last hold");
    channel.say("all well");
  });
  ASSERT_EQ(subscriber.hear(), "ready");
  publisher = publisher_process(10);
  subscriber.say(std::to_string(publisher->pid()));
  ASSERT_EQ(publisher->hear(), "published");
  ASSERT_EQ(subscriber.hear(), "holding");
  publisher->kill();
  subscriber.say("killed");
  EXPECT_EQ(subscriber.hear(), "all well");
  EXPECT_EQ(subscriber.wait(), 0);
}

TEST_F(Death, MessagesOutliveSubscriptionNodeAndPublisher)
{
  auto publisher = std::unique_ptr<Process>();
  Process subscriber([](Channel& channel) {
    ipc_shared_ptr<const Report> message;
    {
      Node node("listener");
      auto subscription = node.create_subscription<Report>("/reports", QoS(20));
      channel.say("ready");
      message = await_message(*subscription);
    }
    channel.say("holding");
    channel.hear();
    require(is_whole(*message, 1, values), "the message is whole");
    channel.say("all well");
  });
  ASSERT_EQ(subscriber.hear(), "ready");
  publisher = publisher_process(3);
  ASSERT_EQ(publisher->hear(), "published");
  ASSERT_EQ(subscriber.hear(), "holding");
  publisher->say("leave");
  EXPECT_EQ(publisher->wait(), 0);
  subscriber.say("gone");
  EXPECT_EQ(subscriber.hear(), "all well");
  EXPECT_EQ(subscriber.wait(), 0);
}

TEST_F(Death, APublisherFreesWhatADeadSubscriberHeld)
{
  auto subscriber = subscriber_process();
  ASSERT_EQ(subscriber->hear(), "ready");
  auto publisher = publisher_process(10);
  ASSERT_EQ(publisher->hear(), "published");
  ASSERT_EQ(ask(*subscriber, "take"), "2 whole");
  EXPECT_EQ(ask(*publisher, "retained"), "10");
  const auto used = std::stoull(ask(*publisher, "used"));
  subscriber->kill();
  EXPECT_TRUE(eventually([&] { return ask(*publisher, "retained") == "0"; }))
    << ask(*publisher, "retained");
  EXPECT_TRUE(eventually([&] { return std::stoull(ask(*publisher, "used")) + 1'500'000 < used; }))
    << "ten messages of 160,000 bytes and more are free";
  publisher->say("leave");
  EXPECT_EQ(publisher->wait(), 0);
}

TEST_F(Death, MessagesOfADestroyedSubscriptionStayUntilTheyAreReleased)
{
  auto subscriber = subscriber_process();
  ASSERT_EQ(subscriber->hear(), "ready");
  auto publisher = publisher_process(2, 1);
  ASSERT_EQ(publisher->hear(), "published");
  ASSERT_EQ(ask(*subscriber, "take"), "2 whole");
  EXPECT_EQ(ask(*subscriber, "drop"), "2 whole");
  for (int i = 0; i < 30; ++i) {
    ask(*publisher, "publish");
    ask(*publisher, "reclaim");
  }
  EXPECT_EQ(ask(*subscriber, "look"), "2 whole");
  EXPECT_GE(std::stoi(ask(*publisher, "retained")), 2);
  EXPECT_EQ(ask(*subscriber, "release"), "0 whole");
  EXPECT_TRUE(eventually([&] { return ask(*publisher, "retained") == "0"; }))
    << ask(*publisher, "retained");
}

TEST_F(Death, MessagesOfADestroyedPublisherAreFreedOnlyWhenNobodyHoldsThem)
{
  auto subscriber = subscriber_process();
  ASSERT_EQ(subscriber->hear(), "ready");
  auto publisher = publisher_process(2);
  ASSERT_EQ(publisher->hear(), "published");
  ASSERT_EQ(ask(*subscriber, "take"), "2 whole");
  const auto used = std::stoull(ask(*publisher, "used"));
  ASSERT_EQ(ask(*publisher, "drop"), "done");
  EXPECT_EQ(ask(*subscriber, "look"), "2 whole");
  EXPECT_EQ(ask(*subscriber, "release"), "0 whole");
  EXPECT_TRUE(eventually([&] { return std::stoull(ask(*publisher, "used")) + 300'000 < used; }))
    << "the memory returns: " << used << " before, " << ask(*publisher, "used") << " now";
}

TEST_F(Death, APublisherThatIsRestartedFiftyTimesReachesTheSameSubscriber)
{
  Process subscriber([](Channel& channel) {
    Node node("listener");
    auto subscription = node.create_subscription<Report>("/reports", QoS(20));
    channel.say("ready");
    for (int round = 0; round < 50; ++round) {
      for (std::uint64_t i = 1; i <= 5; ++i) {
        const auto message = await_message(*subscription);
        require(message && is_whole(*message, i, values),
                "round " + std::to_string(round) + ", message " + std::to_string(i));
      }
      channel.say("round");
    }
    require(subscription->lost_count() == 0, "none is lost");
    std::ifstream maps("/proc/self/maps");
    int areas = 0;
    for (std::string line; std::getline(maps, line);) {
      areas += line.find("/agnocast@") != std::string::npos ? 1 : 0;
    }
    channel.say(std::to_string(areas));
  });
  ASSERT_EQ(subscriber.hear(), "ready");
  for (int round = 0; round < 50; ++round) {
    auto publisher = publisher_process(5);
    ASSERT_EQ(publisher->hear(), "published") << round;
    // An orderly leave takes along what a subscription that is not connected yet has not seen; the
    // killed ones are killed before, at any point of being read.
    if (round % 2 == 0) publisher->kill();
    ASSERT_EQ(subscriber.hear(), "round") << round;
    if (round % 2 == 0) continue;
    publisher->say("leave");
    EXPECT_EQ(publisher->wait(), 0);
  }
  EXPECT_LT(std::stoi(subscriber.hear()), 10) << "mappings of areas do not accumulate";
  EXPECT_EQ(subscriber.wait(), 0);
}

TEST_F(Death, APublisherKilledWhileItFillsALoanHurtsNobody)
{
  auto subscriber = subscriber_process();
  ASSERT_EQ(subscriber->hear(), "ready");
  for (int i = 0; i < 5; ++i) {
    auto victim = publisher_process(0);
    ASSERT_EQ(victim->hear(), "published");
    ASSERT_EQ(ask(*victim, "fill"), "filling");
    victim->kill();
  }
  auto publisher = publisher_process(2);
  ASSERT_EQ(publisher->hear(), "published");
  EXPECT_EQ(ask(*subscriber, "take"), "2 whole");
}

TEST_F(Death, ASubscriberKilledInSpinDoesNotDisturbItsPublisher)
{
  Process sleeper([](Channel& channel) {
    auto node = std::make_shared<Node>("sleeper");
    auto subscription = node->create_subscription<Report>(
      "/reports", QoS(20), [&](const ipc_shared_ptr<const Report>& message) {
        channel.say(std::to_string(message->number));
      });
    channel.say("ready");
    spin(node);
  });
  ASSERT_EQ(sleeper.hear(), "ready");
  auto subscriber = subscriber_process();
  ASSERT_EQ(subscriber->hear(), "ready");
  auto publisher = publisher_process(1);
  ASSERT_EQ(publisher->hear(), "published");
  ASSERT_EQ(sleeper.hear(), "1");
  sleeper.kill();
  EXPECT_EQ(ask(*publisher, "publish"), "done");
  EXPECT_EQ(ask(*subscriber, "take"), "2 whole");
  EXPECT_EQ(ask(*subscriber, "release"), "0 whole");
  EXPECT_TRUE(eventually([&] { return ask(*publisher, "retained") == "0"; }));
}

}  // namespace
}  // namespace agnocast::test
