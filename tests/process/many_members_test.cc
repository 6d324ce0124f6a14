// Many subscriptions in a node or wait set, and many publishers on a topic: more than are looked at
// each time, so that hints tell who has something.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using namespace std::chrono_literals;

constexpr int many = 150;

struct Note
{
  int author;
  int number;
  std::vector<int> content;
};

void send(Publisher<Note>& publisher, int author, int number)
{
  auto message = publisher.borrow_loaned_message();
  message->author = author;
  message->number = number;
  message->content.assign(8, number);
  publisher.publish(std::move(message));
}

std::string topic(int i)
{
  return "/topic" + std::to_string(i);
}

using Subscriptions = std::vector<Subscription<Note>::SharedPtr>;
using Publishers = std::vector<Publisher<Note>::SharedPtr>;

Subscriptions subscribe_to_many(Node& node, const QoS& qos)
{
  Subscriptions subscriptions;
  for (int i = 0; i < many; ++i) {
    subscriptions.push_back(node.create_subscription<Note>(topic(i), qos));
  }
  return subscriptions;
}

Publishers publish_on_many(Node& node, const QoS& qos)
{
  Publishers publishers;
  for (int i = 0; i < many; ++i) {
    publishers.push_back(node.create_publisher<Note>(topic(i), qos));
  }
  return publishers;
}

/// Sends a numbered message on each topic that it is told; "end" ends it.
void send_on_command(Channel& channel)
{
  const auto node = std::make_shared<Node>("sender");
  const Publishers publishers = publish_on_many(*node, QoS(10));
  channel.say("ready");
  int number = 0;
  for (std::string told = channel.hear().value_or("end"); told != "end";
       told = channel.hear().value_or("end")) {
    send(*publishers[static_cast<std::size_t>(std::stoi(told))], std::stoi(told), number++);
    channel.say("sent");
  }
}

TEST(WaitSetOfMany, TellsWhichSubscriptionsHaveAMessageAndEachOnce)
{
  Process sender(send_on_command);
  ASSERT_EQ(sender.hear(), "ready");
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const Subscriptions subscriptions = subscribe_to_many(*node, QoS(10));
    WaitSet wait_set;
    for (const auto& subscription : subscriptions) wait_set.add(*subscription);
    require(!wait_set.wait(0ns) && wait_set.next_ready_subscription() == nullptr, "nothing yet");
    channel.say("ready");
    for (std::string told = channel.hear().value_or("end"); told != "end";
         told = channel.hear().value_or("end")) {
      require(wait_set.wait(patience), "there is a message");
      std::string names;
      std::vector<std::shared_ptr<SubscriptionBase>> ready;
      while (const auto subscription = wait_set.next_ready_subscription()) {
        names += subscription->topic_name() + " ";
        ready.push_back(subscription);
      }
      require(wait_set.wait(0ns), "it is unread still");
      require(wait_set.next_ready_subscription() != nullptr, "and told again after each wait");
      for (const auto& subscription : ready) {
        const auto typed = std::dynamic_pointer_cast<Subscription<Note>>(subscription);
        while (typed->take()) {
        }
      }
      require(!wait_set.wait(0ns) && wait_set.next_ready_subscription() == nullptr, "all is read");
      channel.say(names);
    }
  });
  ASSERT_EQ(reader.hear(), "ready");
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    std::set<std::string> wanted;
    for (auto count = 1 + random() % 5; count > 0; --count) {
      const int i = static_cast<int>(random() % many);
      sender.say(std::to_string(i));
      ASSERT_EQ(sender.hear(), "sent");
      wanted.insert(topic(i));
    }
    reader.say("look");
    std::istringstream told(reader.hear());
    std::vector<std::string> got{std::istream_iterator<std::string>(told), {}};
    EXPECT_EQ(got.size(), wanted.size()) << "each once";
    EXPECT_EQ(std::set<std::string>(got.begin(), got.end()), wanted);
  }
  for (Process* process : {&reader, &sender}) {
    process->say("end");
    EXPECT_EQ(process->wait(), 0);
  }
}

TEST(WaitSetOfMany, LosesNothingWhileMembersComeAndGoAndMoveToAnother)
{
  constexpr int messages = 6000;
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const Subscriptions subscriptions = subscribe_to_many(*node, QoS(20'000));
    WaitSet wait_sets[2];
    for (const auto& subscription : subscriptions) wait_sets[0].add(*subscription);
    std::atomic<int> got{0};
    std::atomic<bool> enough{false};
    const auto read = [&](WaitSet& wait_set) {
      while (!enough) {
        if (!wait_set.wait(patience)) continue;
        while (const auto ready = wait_set.next_ready_subscription()) {
          // Moved to the other set meanwhile, it may be read there.
          if (std::static_pointer_cast<Subscription<Note>>(ready)->take()) ++got;
        }
        if (got >= messages) {
          enough = true;
          for (WaitSet& each : wait_sets) each.wake();
        }
      }
    };
    channel.say("ready");
    std::thread first([&] { read(wait_sets[0]); });
    std::thread second([&] { read(wait_sets[1]); });
    std::mt19937 random(11);
    while (!enough) {
      const auto& subscription = subscriptions[random() % many];
      WaitSet& wait_set = wait_sets[random() % 2];
      if (random() % 4 == 0) wait_set.remove(*subscription);
      wait_set.add(*subscription);
      std::this_thread::yield();
    }
    first.join();
    second.join();
    require(got == messages, "each was read once");
    channel.say("done");
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process sender([](Channel& channel) {
    const auto node = std::make_shared<Node>("sender");
    const Publishers publishers = publish_on_many(*node, QoS(1));
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(t);
        for (int i = 0; i < messages / 2; ++i) send(*publishers[random() % many], 0, i);
      });
    }
    for (std::thread& thread : threads) thread.join();
    channel.hear();
  });
  EXPECT_EQ(reader.hear(), "done");
  EXPECT_EQ(reader.wait(), 0);
  sender.say("end");
  EXPECT_EQ(sender.wait(), 0);
}

TEST(NodeOfMany, RunsEachCallbackAndNoBusyTopicStarvesAnother)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const Publishers publishers = publish_on_many(*node, QoS(100));
    std::map<int, int> counts;
    Subscriptions subscriptions;
    for (int i = 0; i < many; ++i) {
      subscriptions.push_back(node->create_subscription<Note>(
        topic(i), 100, [&counts, i](const Subscription<Note>::MessagePtr& note) {
          require(note->author == i, "it is of this topic");
          ++counts[i];
        }));
    }
    spin_some(node);
    for (int i = 0; i < 60; ++i) send(*publishers[100], 100, i);
    for (const int i : {0, 5, 70, 149}) send(*publishers[static_cast<std::size_t>(i)], i, 0);
    for (int i = 0; i < 12; ++i) require(spin_once(node, 0ns), "there is more");
    for (const int i : {0, 5, 70, 149}) {
      require(counts[i] == 1, "topic " + std::to_string(i) + " had its turn");
    }
    spin_some(node);
    require(counts[100] == 60 && counts.size() == 5, "all of them, and nothing else");
    for (int i = 0; i < many; ++i) send(*publishers[static_cast<std::size_t>(i)], i, 0);
    spin_some(node);
    require(counts.size() == many, "each has run");
    require(!spin_once(node, 0ns), "nothing is left");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(NodeOfMany, RunsACallbackWhoseSubscriptionAnotherWaitSetHas)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const Publishers publishers = publish_on_many(*node, QoS(10));
    std::map<int, int> counts;
    Subscriptions subscriptions;
    for (int i = 0; i < many; ++i) {
      subscriptions.push_back(node->create_subscription<Note>(
        topic(i), 10, [&counts, i](const Subscription<Note>::MessagePtr&) { ++counts[i]; }));
    }
    WaitSet wait_set;
    wait_set.add(*subscriptions[120]);
    send(*publishers[120], 120, 0);
    send(*publishers[121], 121, 0);
    require(wait_set.wait(patience), "it is the wait set's");
    spin_some(node);
    require(counts[120] == 1 && counts[121] == 1, "both have run");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(NodeOfMany, HearsOfRoomThatAReleaseMakes)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const Publishers publishers = publish_on_many(*node, QoS(10));
    Subscriptions subscriptions;
    std::vector<Subscription<Note>::MessagePtr> held;
    SubscriptionOptions one;
    one.hold_limit = 1;
    for (int i = 0; i < many; ++i) {
      subscriptions.push_back(node->create_subscription<Note>(topic(i), 10, one));
    }
    WaitSet wait_set;
    for (const auto& subscription : subscriptions) wait_set.add(*subscription);
    for (int i = 0; i < 3; ++i) send(*publishers[99], 99, i);
    for (int i = 0; i < 3; ++i) {
      require(wait_set.wait(patience), "there is one, and room for it");
      held.push_back(subscriptions[99]->take());
      require(held.back()->number == i, "content");
      require(!wait_set.wait(0ns), "no room for the next");
      std::thread other([&] { held.clear(); });
      if (i < 2) require(wait_set.wait(patience), "the release is heard");
      other.join();
    }
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

/// Publishers of one topic, in a few processes, that come and go; each numbers its messages.
constexpr int authors_in_process = 30;
constexpr int letters = 40;

void write_from_many(Channel& channel, int process)
{
  const auto node = std::make_shared<Node>("writer");
  Publishers publishers;
  for (int i = 0; i < authors_in_process; ++i) {
    publishers.push_back(node->create_publisher<Note>("/notes", QoS(1)));
  }
  channel.say("ready");
  channel.hear();
  std::mt19937 random(static_cast<unsigned>(process));
  std::vector<int> sent(authors_in_process);
  for (int left = authors_in_process * letters; left > 0;) {
    const std::size_t i = random() % authors_in_process;
    if (sent[i] == letters) continue;
    send(*publishers[i], process * authors_in_process + static_cast<int>(i), sent[i]++);
    --left;
    // A publisher that has sent all leaves; what it sent is read all the same.
    if (sent[i] == letters && i % 6 == 0) publishers[i].reset();
  }
  channel.say("sent");
  channel.hear();
}

enum class How { take, wait, callback };

class TopicOfManyPublishers : public testing::TestWithParam<How>
{
};

TEST_P(TopicOfManyPublishers, LosesNothingAndKeepsTheOrderOfEach)
{
  const How how = GetParam();
  Process reader([how](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    constexpr int all = 3 * authors_in_process * letters;
    std::map<int, int> next;
    int got = 0;
    const auto note = [&](const Subscription<Note>::MessagePtr& message) {
      require(message->number == next[message->author]++, "each in its order, none missing");
      require(message->content == std::vector<int>(8, message->number), "content");
      ++got;
    };
    const Subscription<Note>::SharedPtr subscription =
      how == How::callback ? node->create_subscription<Note>("/notes", QoS(all), note)
                           : node->create_subscription<Note>("/notes", QoS(all));
    WaitSet wait_set;
    if (how == How::wait) wait_set.add(*subscription);
    channel.say("ready");
    channel.hear();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (got < all) {
      require(std::chrono::steady_clock::now() < deadline, "they all come");
      if (how == How::callback) {
        spin_once(node, 1s);
        continue;
      }
      if (how == How::wait) require(wait_set.wait(patience), "more come");
      if (const auto message = subscription->take()) note(message);
    }
    require(!subscription->has_message() && !subscription->take(), "that was all");
    require(subscription->lost_count() == 0, "nothing is lost");
    channel.say("done");
  });
  ASSERT_EQ(reader.hear(), "ready");
  std::vector<std::unique_ptr<Process>> writers;
  for (int i = 0; i < 3; ++i) {
    writers.push_back(
      std::make_unique<Process>([i](Channel& channel) { write_from_many(channel, i); }));
    ASSERT_EQ(writers.back()->hear(), "ready");
  }
  reader.say("go");
  for (const auto& writer : writers) writer->say("go");
  for (const auto& writer : writers) EXPECT_EQ(writer->hear(), "sent");
  EXPECT_EQ(reader.hear(), "done");
  EXPECT_EQ(reader.wait(), 0);
  for (const auto& writer : writers) {
    writer->say("end");
    EXPECT_EQ(writer->wait(), 0);
  }
}

std::string name_of(const testing::TestParamInfo<How>& info)
{
  return std::array{"Take", "Wait", "Callback"}.at(static_cast<std::size_t>(info.param));
}

INSTANTIATE_TEST_SUITE_P(HowTheyAreRead, TopicOfManyPublishers,
                         testing::Values(How::take, How::wait, How::callback), name_of);

// A publisher that is told of a newcomer looks for its connection, as it does when it publishes.
TEST(ManyPublishersOfOneTopic, KeepWhatNewcomersHoldWhileAllPublish)
{
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    Publishers publishers;
    for (int i = 0; i < 20; ++i) publishers.push_back(node->create_publisher<Note>("/notes", 2));
    channel.say("ready");
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(t);
        for (int i = 0; !is_over; ++i) send(*publishers[random() % publishers.size()], 0, i);
      });
    }
    channel.hear();
    is_over = true;
    for (std::thread& thread : threads) thread.join();
  });
  ASSERT_EQ(writer.hear(), "ready");
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    for (int round = 0; round < 60; ++round) {
      const auto subscription = node->create_subscription<Note>("/notes", QoS(4));
      std::vector<Subscription<Note>::MessagePtr> held;
      const auto deadline = std::chrono::steady_clock::now() + patience;
      while (held.size() < 30) {
        require(std::chrono::steady_clock::now() < deadline, "messages come");
        if (auto message = subscription->take()) held.push_back(std::move(message));
      }
      for (const auto& message : held) {
        require(message->content == std::vector<int>(8, message->number), "it is unchanged");
      }
    }
    channel.say("done");
  });
  EXPECT_EQ(reader.hear(), "done");
  EXPECT_EQ(reader.wait(), 0);
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

TEST(ManyPublishersOfOneTopic, GiveInTheOrderOfPublishingAndTheNewestOfAll)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const auto deep = node->create_subscription<Note>("/notes", QoS(1000));
    const auto shallow = node->create_subscription<Note>("/notes", QoS(3));
    const auto newest = node->create_subscription<Note>("/notes", QoS(1000));
    Publishers publishers;
    for (int i = 0; i < 40; ++i) publishers.push_back(node->create_publisher<Note>("/notes", 1));
    std::mt19937 random(3);
    for (int round = 0; round < 20; ++round) {
      for (int i = 0; i < 50; ++i) send(*publishers[random() % publishers.size()], 0, i);
      for (int i = 0; i < 50; ++i) require(deep->take()->number == i, "in order");
      require(!deep->take(), "no more");
      for (int i = 47; i < 50; ++i) require(shallow->take()->number == i, "the newest three");
      require(!shallow->take(), "no more");
      require(newest->take_latest()->number == 49 && !newest->take(), "the newest of all");
    }
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test
