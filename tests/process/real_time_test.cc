// What a real-time thread meets in a publisher or subscription that ordinary threads use too.
//
// Not a clock tells how long it waited, but what the ordinary thread could do meanwhile: both may
// run on one core only, so the ordinary thread runs only while the other sleeps, or waits.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

struct Message
{
  std::uint64_t number;
  std::vector<std::uint64_t> more;
};

/// Keeps the calling thread on the last of the cores that it may use.
void stay_on_one_core()
{
  cpu_set_t may_use;
  require(::sched_getaffinity(0, sizeof may_use, &may_use) == 0, "the cores are known");
  int last = CPU_SETSIZE - 1;
  while (last > 0 && !CPU_ISSET(last, &may_use)) --last;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(last, &one);
  require(::sched_setaffinity(0, sizeof one, &one) == 0, "it stays on one core");
}

bool become_real_time(int priority)
{
  sched_param parameters{};
  parameters.sched_priority = priority;
  return ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &parameters) == 0;
}

void sleep_for(long nanoseconds)
{
  const timespec pause{0, nanoseconds};
  ::nanosleep(&pause, nullptr);
}

/// What others did while a real-time thread was at one of its operations, at most.
struct Overtaken
{
  std::int64_t by_ordinary;
  std::int64_t by_middle;
  [[nodiscard]] std::string text() const
  {
    return std::to_string(by_ordinary) + " " + std::to_string(by_middle);
  }
};
const std::string not_allowed = "this user may have no real-time threads";

/// One operation, on one core, by an ordinary thread as often as it can, and by a real-time thread
/// now and then; between them is one of a middle priority that works on something else.
std::string overtaken(const std::function<void()>& operation, int rounds)
{
  std::atomic<bool> ended{false};
  std::atomic<std::int64_t> ordinary_done{0}, middle_done{0};
  std::thread ordinary([&] {
    stay_on_one_core();
    while (!ended) {
      operation();
      ordinary_done.fetch_add(1);
    }
  });
  std::thread middle([&] {
    stay_on_one_core();
    if (!become_real_time(5)) return;
    while (!ended) {
      for (int i = 0; i < 20'000 && !ended; ++i) middle_done.fetch_add(1);
      sleep_for(150'000);
    }
  });
  Overtaken most{0, 0};
  bool allowed = true;
  std::thread control([&] {
    stay_on_one_core();
    allowed = become_real_time(10);
    for (int i = 0; allowed && i < rounds; ++i) {
      sleep_for(200'000);
      const std::int64_t ordinary_before = ordinary_done;
      const std::int64_t middle_before = middle_done;
      operation();
      most.by_ordinary = std::max(most.by_ordinary, ordinary_done - ordinary_before);
      most.by_middle = std::max(most.by_middle, middle_done - middle_before);
    }
    ended = true;
  });
  control.join();
  middle.join();
  ordinary.join();
  return allowed ? most.text() : not_allowed;
}

/// Runs `body` in a process; it gives what overtaken() gave.
void expect_little(const std::function<std::string()>& body)
{
  Process process([&](Channel& channel) { channel.say(body()); });
  const std::string said = process.hear(2 * patience);
  EXPECT_EQ(process.wait(), 0);
  if (said == not_allowed) GTEST_SKIP() << not_allowed;
  std::istringstream numbers(said);
  Overtaken most{-1, -1};
  numbers >> most.by_ordinary >> most.by_middle;
  // Once for each lock that the operation may meet: the holder gets to the end of its section.
  EXPECT_GE(most.by_ordinary, 0) << said;
  EXPECT_LE(most.by_ordinary, 8);
  // Who waits lends the holder its priority.
  EXPECT_EQ(most.by_middle, 0);
}

void publish(Publisher<Message>& publisher)
{
  auto message = publisher.borrow_loaned_message();
  message->more.resize(4);
  publisher.publish(std::move(message));
}

constexpr int rounds = 3'000;

TEST(RealTime, APublishIsNotOvertakenOnAPublisherThatAnOrdinaryThreadUsesToo)
{
  expect_little([] {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Message>("/shared", 10);
    return overtaken([&] { publish(*publisher); }, rounds);
  });
}

TEST(RealTime, ATakeIsNotOvertakenOnASubscriptionThatAnOrdinaryThreadUsesToo)
{
  expect_little([] {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Message>("/shared", 10);
    const auto subscription = node->create_subscription<Message>("/shared", QoS(10));
    publish(*publisher);
    return overtaken([&] { (void)subscription->take(); }, rounds);
  });
}

TEST(RealTime, ALargeBlockOfTheSharedHeapIsNotOvertaken)
{
  expect_little([] {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Message>("/heap", 1);
    auto* const heap = shared_memory_resource();
    return overtaken([&] { heap->deallocate(heap->allocate(20'000), 20'000); }, rounds);
  });
}

}  // namespace
}  // namespace agnocast::test
