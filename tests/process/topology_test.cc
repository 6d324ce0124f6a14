// Two publishers and two subscriptions of one topic, spread over processes in all fifteen ways:
// each subscription gets every message of both publishers, in order.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

struct Numbered
{
  int publisher;
  int number;
  std::vector<int> content;
};

constexpr int burst = 500;

/// Endpoints 0 and 1 are publishers, 2 and 3 subscriptions; the value is the process of each.
using Topology = std::array<int, 4>;

std::vector<Topology> all_topologies()
{
  std::vector<Topology> all;  // restricted growth strings: each partition of the four once
  for (int b = 0; b <= 1; ++b) {
    for (int c = 0; c <= std::max(0, b) + 1; ++c) {
      for (int d = 0; d <= std::max(b, c) + 1; ++d) all.push_back({0, b, c, d});
    }
  }
  return all;
}

void publish(Publisher<Numbered>& publisher, int id, int number)
{
  auto message = publisher.borrow_loaned_message();
  message->publisher = id;
  message->number = number;
  message->content.assign(100, number * 2 + id);
  publisher.publish(std::move(message));
}

void check(const Numbered& message)
{
  require(message.content == std::vector<int>(100, message.number * 2 + message.publisher),
          "content belongs to number");
}

std::string take_all(Subscription<Numbered>& subscription)
{
  std::string found;
  while (const auto message = subscription.take()) {
    check(*message);
    found += std::to_string(message->publisher) + ":" + std::to_string(message->number) + " ";
  }
  return found;
}

/// Reads until both publishers' bursts are complete; each must come in order and without a gap.
void take_bursts(Subscription<Numbered>& subscription)
{
  WaitSet wait_set;
  wait_set.add(subscription);
  std::array<int, 2> next{0, 0};
  while (next[0] < burst || next[1] < burst) {
    require(wait_set.wait(patience), "more messages come");
    while (const auto message = subscription.take()) {
      check(*message);
      require(message->number == next.at(static_cast<std::size_t>(message->publisher))++,
              "the next one of its publisher");
    }
  }
  require(subscription.lost_count() == 0, "nothing is lost");
  wait_set.remove(subscription);
}

/// Hears "create <endpoint>", "publish <endpoint> <number>", "collect <endpoint>", "burst", "end".
void serve(Channel& channel)
{
  const auto node = std::make_shared<Node>("endpoints");
  std::map<int, Publisher<Numbered>::SharedPtr> publishers;
  std::map<int, Subscription<Numbered>::SharedPtr> subscriptions;
  while (const auto line = channel.hear()) {
    const std::string verb = line->substr(0, line->find(' '));
    int endpoint = 0;
    int number = 0;
    std::sscanf(line->c_str(), "%*s %d %d", &endpoint, &number);
    if (verb == "end") return;
    if (verb == "create" && endpoint < 2) {
      publishers[endpoint] = node->create_publisher<Numbered>("/spread", 2 * burst);
    } else if (verb == "create") {
      subscriptions[endpoint] = node->create_subscription<Numbered>("/spread", 2 * burst);
    } else if (verb == "publish") {
      publish(*publishers.at(endpoint), endpoint, number);
    } else if (verb == "burst") {
      std::vector<std::thread> threads;
      for (const auto& [id, publisher] : publishers) {
        threads.emplace_back([id = id, publisher = publisher] {
          for (int i = 0; i < burst; ++i) publish(*publisher, id, i);
        });
      }
      for (const auto& [id, subscription] : subscriptions) take_bursts(*subscription);
      for (std::thread& thread : threads) thread.join();
    } else if (verb == "collect") {
      channel.say(take_all(*subscriptions.at(endpoint)));
      continue;
    }
    channel.say("done");
  }
}

class Topologies : public testing::TestWithParam<Topology>
{
 protected:
  Topologies()
  {
    const int last = *std::max_element(GetParam().begin(), GetParam().end());
    for (int i = 0; i <= last; ++i) processes_.push_back(std::make_unique<Process>(serve));
  }

  Process& of(int endpoint)
  {
    return *processes_.at(
      static_cast<std::size_t>(GetParam().at(static_cast<std::size_t>(endpoint))));
  }
  void tell(int endpoint, const std::string& verb, const std::string& rest = "")
  {
    of(endpoint).say(verb + " " + std::to_string(endpoint) + " " + rest);
    ASSERT_EQ(of(endpoint).hear(), "done");
  }
  std::string collect(int endpoint)
  {
    of(endpoint).say("collect " + std::to_string(endpoint));
    return of(endpoint).hear();
  }
  void end_all()
  {
    for (const auto& process : processes_) process->say("end");
    for (const auto& process : processes_) EXPECT_EQ(process->wait(), 0);
  }

  std::vector<std::unique_ptr<Process>> processes_;
};

TEST_P(Topologies, MessagesOfTwoPublishersComeInTheOrderTheyWerePublished)
{
  for (const int endpoint : {2, 0, 3, 1}) ASSERT_NO_FATAL_FAILURE(tell(endpoint, "create"));
  std::string expected;
  for (int number = 0; number < 40; ++number) {
    for (int id = 0; id < 2; ++id) {
      ASSERT_NO_FATAL_FAILURE(tell(id, "publish", std::to_string(number)));
      expected += std::to_string(id) + ":" + std::to_string(number) + " ";
    }
  }
  EXPECT_EQ(collect(2), expected);
  EXPECT_EQ(collect(3), expected);
  end_all();
}

TEST_P(Topologies, EachSubscriptionGetsAllOfBothPublishersThatPublishAtOnce)
{
  for (int endpoint = 0; endpoint < 4; ++endpoint) {
    ASSERT_NO_FATAL_FAILURE(tell(endpoint, "create"));
  }
  for (const auto& process : processes_) process->say("burst");
  for (const auto& process : processes_) EXPECT_EQ(process->hear(), "done");
  end_all();
}

std::string name_of(const testing::TestParamInfo<Topology>& info)
{
  std::string name;
  for (const int process : info.param) name += std::to_string(process);
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Topologies, testing::ValuesIn(all_topologies()), name_of);

}  // namespace
}  // namespace agnocast::test
