// What the quality of service promises: back-pressure, exact counts of lost messages, the newest
// message, and what is known of a message beside its content.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <time.h>

#include <agnocast/agnocast.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using namespace std::chrono_literals;

struct Sample
{
  std::uint64_t number;
  std::vector<std::uint64_t> content;
};

ipc_shared_ptr<Sample> filled(Publisher<Sample>& publisher, std::uint64_t number)
{
  auto message = publisher.borrow_loaned_message();
  message->number = number;
  message->content.assign(64, number);
  return message;
}

void check(const Sample& message)
{
  require(message.content == std::vector<std::uint64_t>(64, message.number), "content");
}

std::uint64_t now_ns()
{
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// Publishes 1..count with a patient keep_all publisher and says how often it timed out.
void publish_all(Channel& channel, std::uint64_t count, std::size_t limit)
{
  const auto node = std::make_shared<Node>("writer");
  PublisherOptions options;
  options.keep_all_timeout = patience;
  const auto publisher =
    node->create_publisher<Sample>("/qos", QoS(1).keep_all(limit).reliable(), options);
  for (std::uint64_t number = 1; number <= count; ++number) {
    require(publisher->publish(filled(*publisher, number)) == PublishStatus::published,
            "published in time");
    // One more may be held by its reader, and one wait for the next loan to be reclaimed.
    require(publisher->retained_count() <= limit + 2, "no more than the limit is retained");
  }
  channel.say("all published");
  channel.hear();
}

TEST(KeepAll, ASlowSubscriptionLosesNothing)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Sample>("/qos", QoS(1).keep_all(8));
    WaitSet wait_set;
    wait_set.add(*subscription);
    channel.say("ready");
    for (std::uint64_t expected = 1; expected <= 2000; ++expected) {
      require(wait_set.wait(patience), "a message comes");
      const auto message = subscription->take();
      check(*message);
      require(message->number == expected, "nothing is skipped");
      if (expected % 100 == 0) std::this_thread::sleep_for(2ms);  // slow: the publisher must wait
    }
    require(subscription->lost_count() == 0, "nothing is lost");
    channel.say("all read");
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) { publish_all(channel, 2000, 8); });
  EXPECT_EQ(reader.hear(), "all read");
  EXPECT_EQ(writer.hear(), "all published");
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

TEST(KeepAll, ATimedOutPublishKeepsTheMessageInTheLoanAndItIsPublishedLater)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Sample>("/qos", QoS(1).keep_all(4));
    channel.say("ready");
    std::uint64_t expected = 0;
    while (const auto line = channel.hear()) {
      if (*line == "end") return;
      for (int left = std::stoi(*line); left > 0; --left) {
        const auto message = subscription->take();
        require(static_cast<bool>(message), "a message is there");
        check(*message);
        require(message->number == ++expected, "in order");
      }
      channel.say("taken");
    }
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    PublisherOptions options;
    options.keep_all_timeout = 20ms;
    const auto publisher =
      node->create_publisher<Sample>("/qos", QoS(1).keep_all(4).reliable(), options);
    for (std::uint64_t i = 1; i <= 4; ++i) {
      require(publisher->publish(filled(*publisher, i)) == PublishStatus::published, "room");
    }
    auto message = filled(*publisher, 0);
    require(publisher->publish(std::move(message)) == PublishStatus::timed_out, "no room");
    require(publisher->publish(std::move(message)) == PublishStatus::timed_out, "still no room");
    require(static_cast<bool>(message), "the message is kept");
    message->number = 5;
    message->content.clear();
    message->content.resize(64, 5);  // it is a loan as before: memory comes from the shared heap
    message->content.shrink_to_fit();
    require(in_shared_heap(message->content.data()), "in the shared heap");
    channel.say("timed out");
    channel.hear();
    require(publisher->publish(std::move(message)) == PublishStatus::published, "room again");
    require(!message, "the loan is empty now");
    channel.say("published");
    channel.hear();
  });
  ASSERT_EQ(writer.hear(), "timed out");
  reader.say("1");
  ASSERT_EQ(reader.hear(), "taken");
  writer.say("go on");
  ASSERT_EQ(writer.hear(), "published");
  reader.say("4");
  EXPECT_EQ(reader.hear(), "taken");
  reader.say("end");
  EXPECT_EQ(reader.wait(), 0);
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

TEST(KeepAll, AKilledSubscriberDoesNotBlockThePublisher)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Sample>("/qos", QoS(1).keep_all(4));
    channel.say("ready");
    channel.hear();
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    PublisherOptions options;
    options.keep_all_timeout = patience;
    const auto publisher =
      node->create_publisher<Sample>("/qos", QoS(1).keep_all(4).reliable(), options);
    for (std::uint64_t i = 1; i <= 4; ++i) publisher->publish(filled(*publisher, i));
    channel.say("full");
    for (std::uint64_t i = 5; i <= 1000; ++i) {  // the first of these waits until the kill
      require(publisher->publish(filled(*publisher, i)) == PublishStatus::published, "published");
    }
    channel.say("done");
  });
  ASSERT_EQ(writer.hear(), "full");
  reader.kill();
  EXPECT_EQ(writer.hear(20s), "done");
  EXPECT_EQ(writer.wait(), 0);
}

TEST(KeepAll, ABestEffortOrKeepLastSubscriptionDoesNotHoldThePublisherBack)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto best_effort =
      node->create_subscription<Sample>("/qos", QoS(1).keep_all(4).best_effort());
    const auto keep_last = node->create_subscription<Sample>("/qos", QoS(4));
    channel.say("ready");
    channel.hear();
    for (const auto& subscription : {best_effort, keep_last}) {
      for (std::uint64_t expected = 97; expected <= 100; ++expected) {
        const auto message = subscription->take();
        require(message && message->number == expected, "the newest four");
      }
      require(subscription->lost_count() == 96, "the others are lost");
    }
    channel.say("checked");
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) { publish_all(channel, 100, 4); });
  ASSERT_EQ(writer.hear(), "all published");
  reader.say("take");
  EXPECT_EQ(reader.hear(), "checked");
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

// The reader polls, so that each message is published while it looks.
void publish_to_one_that_takes_the_latest(int publishers)
{
  Process process([publishers](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const auto subscription = node->create_subscription<Sample>("/qos", QoS(10));
    std::vector<Publisher<Sample>::SharedPtr> all;
    for (int i = 0; i < publishers; ++i) all.push_back(node->create_publisher<Sample>("/qos", 10));
    std::atomic<std::uint64_t> seen{0};
    std::atomic<bool> is_over{false};
    std::thread reader([&] {
      while (!is_over) {
        if (const auto message = subscription->take_latest()) seen = message->number;
      }
    });
    for (std::uint64_t number = 1; number <= 200; ++number) {
      std::vector<std::thread> writers;
      for (std::size_t i = 1; i < all.size(); ++i) {
        writers.emplace_back([&, i] { all[i]->publish(filled(*all[i], number)); });
      }
      all[0]->publish(filled(*all[0], number));
      for (std::thread& writer : writers) writer.join();
      const auto deadline = std::chrono::steady_clock::now() + patience;
      while (seen != number) {
        require(std::chrono::steady_clock::now() < deadline,
                "message " + std::to_string(number) + " is found");
      }
    }
    is_over = true;
    reader.join();
    require(subscription->lost_count() == 0, "nothing is lost");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(TakeLatest, FindsWhatIsPublishedWhileItLooks)
{
  publish_to_one_that_takes_the_latest(1);
}

TEST(TakeLatest, FindsOneOfWhatSeveralPublishWhileItLooks)
{
  publish_to_one_that_takes_the_latest(3);
}

TEST(TakeLatest, SkipsOlderMessagesThatThenDoNotCountAsLost)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Sample>("/qos", QoS(4));
    require(!subscription->take_latest(), "nothing before the first");
    channel.say("ready");
    channel.hear();  // 10 were published, 4 of them retained
    {
      const auto message = subscription->take_latest();
      require(message && message->number == 10, "the newest");
      check(*message);
    }
    require(!subscription->take_latest() && !subscription->take(), "nothing is left");
    require(subscription->lost_count() == 0, "what take_latest skips is not lost");
    channel.say("latest taken");
    channel.hear();  // 3 more
    {
      const auto message = subscription->take();
      require(message && message->number == 11, "take goes on after it");
    }
    const auto message = subscription->take_latest();
    require(message && message->number == 13, "the newest again");
    require(subscription->lost_count() == 0, "nothing is lost");
    channel.say("done");
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto publisher = node->create_publisher<Sample>("/qos", 4);
    for (std::uint64_t i = 1; i <= 10; ++i) publisher->publish(filled(*publisher, i));
    channel.say("published");
    channel.hear();
    for (std::uint64_t i = 11; i <= 13; ++i) publisher->publish(filled(*publisher, i));
    channel.say("published");
    channel.hear();
  });
  ASSERT_EQ(writer.hear(), "published");
  reader.say("take");
  ASSERT_EQ(reader.hear(), "latest taken");
  writer.say("go on");
  ASSERT_EQ(writer.hear(), "published");
  reader.say("take");
  EXPECT_EQ(reader.hear(), "done");
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

TEST(MessageInfo, TellsSequencePublishTimeAndPublisher)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Sample>("/qos", QoS(100));
    const std::uint64_t before = now_ns();
    channel.say("ready");
    const std::uint64_t first_id = std::stoull(channel.hear().value_or("0"));
    const std::uint64_t second_id = std::stoull(channel.hear().value_or("0"));
    require(first_id != 0 && second_id != 0 && first_id != second_id, "ids are unique");
    std::uint64_t last_time = before;
    for (std::uint64_t i = 0; i < 100; ++i) {
      const auto message = subscription->take();
      require(static_cast<bool>(message), "a message is there");
      const MessageInfo info = message.info();
      require(info.sequence == i / 2 + 1 && message->number == i, "sequence");
      require(info.publisher_id == (i % 2 == 0 ? first_id : second_id), "publisher");
      require(info.publish_time_ns >= last_time, "time does not go back");
      last_time = info.publish_time_ns;
    }
    require(last_time <= now_ns(), "published in the past");
    channel.say("done");
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto first = node->create_publisher<Sample>("/qos", 100);
    const auto second = node->create_publisher<Sample>("/qos", 100);
    for (std::uint64_t i = 0; i < 100; ++i) {
      auto message = filled(i % 2 == 0 ? *first : *second, i);
      require(message.info().publisher_id == 0, "a loan has no info yet");
      (i % 2 == 0 ? first : second)->publish(std::move(message));
    }
    channel.say(std::to_string(first->id()));
    channel.say(std::to_string(second->id()));
    channel.hear();
  });
  reader.say(writer.hear());
  reader.say(writer.hear());
  EXPECT_EQ(reader.hear(), "done");
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test
