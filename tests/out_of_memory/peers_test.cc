// The threads of the library run out of private memory while other processes come and go: nobody
// who is there is forgotten, nothing that is held changes, and what the dead leave is cleaned up.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "out_of_memory/attempts.hpp"

namespace agnocast::test {
namespace {

using std::chrono::milliseconds;

struct Numbers
{
  std::uint64_t number;
  std::uint64_t more[63];
};

bool is_whole(const Numbers& message)
{
  return std::all_of(std::begin(message.more), std::end(message.more),
                     [&](std::uint64_t more) { return more == message.number; });
}

/// A process that publishes without end on /in, and takes what is on /out, until it is killed.
void be_a_peer(Channel& channel)
{
  const auto node = std::make_shared<Node>("peer");
  const auto publisher = node->create_publisher<Numbers>("/in", 1);
  const auto subscription = node->create_subscription<Numbers>("/out", 1);
  channel.say("there");
  ipc_shared_ptr<const Numbers> held;
  for (std::uint64_t number = 1;; ++number) {
    auto message = publisher->borrow_loaned_message();
    message->number = number;
    std::fill(std::begin(message->more), std::end(message->more), number);
    publisher->publish(std::move(message));
    if (auto next = subscription->take()) {
      require(!held || is_whole(*held), "what a peer holds stays");
      held = std::move(next);
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
}

void publish_out(Publisher<Numbers>& publisher, std::uint64_t number)
{
  auto message = publisher.borrow_loaned_message();
  message->number = number;
  std::fill(std::begin(message->more), std::end(message->more), number);
  publisher.publish(std::move(message));
}

/// Sees a peer come and go while an allocation of the library's threads fails.
void be_the_victim(Channel& channel, int nth)
{
  const auto node = std::make_shared<Node>("victim");
  const auto subscription = node->create_subscription<Numbers>("/in", 1);
  const auto publisher = node->create_publisher<Numbers>("/out", 1);
  channel.say("ready");
  for (int peer = 0; peer < 2; ++peer) {
    // The first meets the failure, the second all that works again.
    if (peer == 0) {
      fail_allocations(WhoseAllocations::of_the_librarys_threads, nth, HowMany::one);
    }
    channel.say("come");
    require(channel.hear() == "it is there", "the peer comes");
    ipc_shared_ptr<const Numbers> held;
    require(eventually([&] { return static_cast<bool>(held = subscription->take()); }),
            "its messages are received");
    const std::uint64_t number = held->number;
    for (int i = 0; i < 40; ++i) {
      publish_out(*publisher, static_cast<std::uint64_t>(i));
      std::this_thread::sleep_for(milliseconds(1));
      require(held->number == number && is_whole(*held), "what is held stays");
    }
    require(publisher->subscription_count() == 1, "the peer is registered");
    channel.say("go");
    require(channel.hear() == "it is gone", "the peer goes");
    require(held->number == number && is_whole(*held), "what is held of the dead stays");
    held.reset();
    while (subscription->take()) {
    }
    require(eventually([&] {
              return publisher->subscription_count() == 0 && subscription->publisher_count() == 0;
            }),
            "the dead are forgotten");
    if (peer == 0) channel.say(stop_failing() < nth ? "over" : "more");
  }
  publish_out(*publisher, 1);
  require(eventually([&] { return publisher->reclaim() + publisher->retained_count() <= 1; }),
          "what the dead held is free");
  require_that_all_works(node);
}

TEST(OutOfMemory, OfTheLibrarysThreadsForgetsNobodyWhoComesOrGoes)
{
  bool is_over = false;
  int nth = 0;
  while (!is_over && ++nth < 400) {
    SCOPED_TRACE("allocation " + std::to_string(nth));
    Process victim([&](Channel& channel) { be_the_victim(channel, nth); });
    ASSERT_EQ(victim.hear(), "ready");
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(victim.hear(), "come");
      Process peer(be_a_peer);
      ASSERT_EQ(peer.hear(), "there");
      victim.say("it is there");
      ASSERT_EQ(victim.hear(), "go");
      peer.kill();
      victim.say("it is gone");
      if (i == 0) {
        const std::string heard = victim.hear();
        is_over = heard == "over";
        ASSERT_TRUE(is_over || heard == "more") << heard;
      }
    }
    ASSERT_EQ(victim.wait(), 0);
  }
  EXPECT_TRUE(is_over);
  EXPECT_GT(nth, 1) << "nothing was allocated";
}

}  // namespace
}  // namespace agnocast::test
