// The depth of a subscription bounds what it gets, and what it makes a publisher keep.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

struct Numbered
{
  std::uint64_t number;
  std::vector<std::uint8_t> content;
};

using NumberedPublisher = Publisher<Numbered>::SharedPtr;
using NumberedSubscription = Subscription<Numbered>::SharedPtr;

void publish(const NumberedPublisher& publisher, std::uint64_t number, std::size_t bytes = 100)
{
  auto message = publisher->borrow_loaned_message();
  message->number = number;
  message->content.assign(bytes, static_cast<std::uint8_t>(number));
  publisher->publish(std::move(message));
}

std::string take_all(const NumberedSubscription& subscription)
{
  std::string text;
  while (const auto message = subscription->take()) text += std::to_string(message->number) + " ";
  return text + "lost " + std::to_string(subscription->lost_count());
}

/// Runs the body in a process of its own; what it returns, or what it threw.
std::string in_process(const std::function<std::string()>& body)
{
  Process process([&](Channel& channel) { channel.say(body()); });
  return process.hear();
}

/// A process that subscribes with that depth, and then does nothing until it is told to end.
std::unique_ptr<Process> deep_reader(std::size_t depth)
{
  auto process = std::make_unique<Process>([depth](Channel& channel) {
    const auto node = std::make_shared<Node>("recorder");
    const auto subscription =
      node->create_subscription<Numbered>("/depth", QoS(depth).best_effort());
    channel.say("ready");
    channel.hear();
  });
  EXPECT_EQ(process->hear(), "ready");
  return process;
}

void end(Process& process)
{
  process.say("end");
  EXPECT_EQ(process.wait(), 0);
}

TEST(Depth, OfOthersDoesNotMakeASubscriptionGetOldMessages)
{
  const auto recorder = deep_reader(1000);
  EXPECT_EQ(in_process([] {
              const auto node = std::make_shared<Node>("controller");
              const auto publisher = node->create_publisher<Numbered>("/depth", 10);
              const auto subscription = node->create_subscription<Numbered>("/depth", QoS(1));
              for (std::uint64_t i = 1; i <= 50; ++i) publish(publisher, i);
              std::string text = take_all(subscription);
              for (std::uint64_t i = 51; i <= 53; ++i) publish(publisher, i);
              return text + ", " + take_all(subscription);
            }),
            "50 lost 49, 53 lost 51");
  end(*recorder);
}

TEST(Depth, BoundsTheUnreadMessagesOfAllPublishersTogether)
{
  EXPECT_EQ(in_process([] {
              const auto node = std::make_shared<Node>("node");
              std::vector<NumberedPublisher> publishers;
              for (int i = 0; i < 4; ++i) {
                publishers.push_back(node->create_publisher<Numbered>("/depth", 10));
              }
              const auto subscription = node->create_subscription<Numbered>("/depth", QoS(3));
              for (std::uint64_t i = 1; i <= 20; ++i) publish(publishers[i % 4], i);
              return take_all(subscription);
            }),
            "18 19 20 lost 17");
}

TEST(Depth, OfALateSubscriptionSaysHowManyKeptMessagesItGetsAndNoneOfTheOthersCountsAsLost)
{
  EXPECT_EQ(
    in_process([] {
      const auto node = std::make_shared<Node>("node");
      std::vector<NumberedPublisher> publishers;
      for (int i = 0; i < 3; ++i) {
        publishers.push_back(node->create_publisher<Numbered>("/depth", QoS(5).transient_local()));
      }
      for (std::uint64_t i = 1; i <= 30; ++i) publish(publishers[i % 3], i);
      const auto subscribe = [&](std::size_t depth) {
        return take_all(
          node->create_subscription<Numbered>("/depth", QoS(depth).transient_local()));
      };
      return subscribe(1) + ", " + subscribe(4) + ", " + subscribe(100);
    }),
    "30 lost 0, 27 28 29 30 lost 0, "
    "16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 lost 0");
}

TEST(Depth, OfAReaderThatKeepsUpCostsItsPublisherNothing)
{
  EXPECT_EQ(in_process([] {
              const auto node = std::make_shared<Node>("node");
              const auto publisher = node->create_publisher<Numbered>("/depth", 10);
              const auto subscription = node->create_subscription<Numbered>("/depth", QoS(1000));
              std::size_t most = 0;
              for (std::uint64_t i = 1; i <= 300; ++i) {
                publish(publisher, i, 1'000'000);
                require(subscription->take()->number == i, "it keeps up");
                most = std::max(most, publisher->retained_count());
              }
              return std::string(most <= 4 ? "few" : std::to_string(most)) + ", lost " +
                     std::to_string(subscription->lost_count());
            }),
            "few, lost 0");
}

TEST(Depth, OfOthersMakesAPublisherKeepNoMoreBytesThanItAllows)
{
  const auto recorder = deep_reader(1000);
  EXPECT_EQ(in_process([] {
              const auto node = std::make_shared<Node>("camera");
              PublisherOptions options;
              options.retention_limit = 20'000'000;
              const auto publisher = node->create_publisher<Numbered>("/depth", QoS(2), options);
              std::size_t most = 0;
              for (std::uint64_t i = 1; i <= 100; ++i) {
                publish(publisher, i, 1'000'000);
                most = std::max(most, publisher->retained_count());
              }
              return std::string(most >= 15 && most <= 26 ? "about twenty" : std::to_string(most));
            }),
            "about twenty");
  end(*recorder);
}

TEST(Depth, OfASleepingReaderLosesItsMessagesAndNotThePublishersWhenTheHeapIsFull)
{
  const std::string said = in_process([] {
    // A slot of 64 MiB: the shared heap cannot grow beyond it.
    ::setenv("AGNOCAST_WINDOW", "0x550000000000:0x40000000:0x4000000", 1);
    const auto node = std::make_shared<Node>("camera");
    const auto publisher = node->create_publisher<Numbered>("/full", QoS(1).best_effort());
    const auto recorder = node->create_subscription<Numbered>("/full", QoS(1000).best_effort());
    for (std::uint64_t i = 1; i <= 100; ++i) publish(publisher, i, 2'000'000);
    const auto newest = recorder->take_latest();
    return std::to_string(newest->number);
  });
  EXPECT_EQ(said, "100");
}

TEST(Depth, OfASleepingReaderGivesWayToTheSharedMemoryResourceToo)
{
  const std::string said = in_process([] {
    ::setenv("AGNOCAST_WINDOW", "0x550000000000:0x40000000:0x4000000", 1);
    const auto node = std::make_shared<Node>("camera");
    const auto publisher = node->create_publisher<Numbered>("/full", QoS(1).best_effort());
    const auto recorder = node->create_subscription<Numbered>("/full", QoS(1000).best_effort());
    for (std::uint64_t i = 1; i <= 12; ++i) publish(publisher, i, 2'000'000);
    require(publisher->retained_count() == 12, "the reader sleeps");
    constexpr std::size_t bytes = 20'000'000;
    std::pmr::memory_resource* const resource = shared_memory_resource();
    void* const block = resource->allocate(bytes, 64);
    require(in_shared_heap(block), "in the shared heap");
    resource->deallocate(block, bytes, 64);
    return std::to_string(recorder->take_latest()->number);
  });
  EXPECT_EQ(said, "12");
}

TEST(Depth, OfAReaderThatLeavesCostsNoPublishMuchAndIsFreedBitByBit)
{
  EXPECT_EQ(in_process([] {
              const auto node = std::make_shared<Node>("node");
              const auto publisher = node->create_publisher<Numbered>("/depth", 1);
              auto deep = node->create_subscription<Numbered>("/depth", QoS(20'000));
              const auto reader = node->create_subscription<Numbered>("/depth", QoS(1));
              for (std::uint64_t i = 1; i <= 10'000; ++i) publish(publisher, i);
              require(publisher->retained_count() >= 10'000, "the deep reader reads nothing");
              deep.reset();
              for (std::uint64_t i = 10'001; i <= 10'200; ++i) {
                publish(publisher, i);
                require(reader->take()->number == i, "it gets the newest");
              }
              require(eventually([&] { return publisher->retained_count() <= 1; }), "all freed");
              return std::string("freed");
            }),
            "freed");
}

// So many holds are looked at seldom, but those that are free now do not keep messages.
TEST(Depth, OfAReaderThatHeldMuchAndKeepsTheLastDoesNotKeepWhatItLetGo)
{
  EXPECT_EQ(in_process([] {
              const auto node = std::make_shared<Node>("node");
              const auto publisher = node->create_publisher<Numbered>("/depth", 1);
              const auto reader = node->create_subscription<Numbered>(
                "/depth", QoS(10), SubscriptionOptions{.hold_limit = 4096});
              std::vector<ipc_shared_ptr<const Numbered>> held;
              for (std::uint64_t i = 1; i <= 4'000; ++i) {
                publish(publisher, i);
                held.push_back(reader->take());
              }
              held.erase(held.begin(), held.end() - 1);
              std::size_t most = 0;
              for (std::uint64_t i = 4'001; i <= 5'000; ++i) {
                publish(publisher, i);
                require(reader->take()->number == i, "it gets the newest");
                if (i > 4'600) most = std::max(most, publisher->retained_count());
              }
              require(held.front()->number == 4'000, "what it holds is there");
              return most <= 100 ? std::string("few") : std::to_string(most);
            }),
            "few");
}

TEST(Depth, ReadByAllIsFreedByTheControlThreadAlsoIfNothingElseIsPublished)
{
  EXPECT_EQ(in_process([] {
              const auto node = std::make_shared<Node>("node");
              const auto publisher = node->create_publisher<Numbered>("/depth", 10);
              const auto subscription = node->create_subscription<Numbered>("/depth", QoS(10));
              for (std::uint64_t i = 1; i <= 10; ++i) publish(publisher, i);
              take_all(subscription);
              require(eventually([&] { return publisher->retained_count() == 0; }), "all freed");
              return std::string("freed");
            }),
            "freed");
}

}  // namespace
}  // namespace agnocast::test
