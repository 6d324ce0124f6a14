// A join that failed half-way leaves nothing that would hurt the next one.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <cstdlib>
#include <fstream>
#include <string>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

std::size_t address_space_in_use()
{
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0;
  statm >> pages;
  return pages * 4096;
}

TEST(SecondJoin, WorksAfterTheFirstRanOutOfAddressSpaceAndTheProcessCountsAsAlive)
{
  // One slot of 1 GiB: small enough for a limit that leaves no room for the heap's control data.
  const char* window = "0x552000000000:0x80000000:0x40000000";
  Process publisher_process([&](Channel& channel) {
    ::setenv("AGNOCAST_WINDOW", window, 1);
    const auto node = std::make_shared<Node>("node");
    rlimit before = {};
    ::getrlimit(RLIMIT_AS, &before);
    rlimit tight = before;
    tight.rlim_cur = address_space_in_use() + 0x80000000 + (40u << 20);
    require(::setrlimit(RLIMIT_AS, &tight) == 0, "the limit is set");
    bool refused = false;
    try {
      node->create_publisher<int>("/second", 1);
    } catch (const ResourceError& error) {
      refused = std::string(error.what()).find("ulimit -v") != std::string::npos;
    }
    ::setrlimit(RLIMIT_AS, &before);
    require(refused, "the first join is refused with the remedy");
    const auto publisher = node->create_publisher<int>("/second", 1);
    channel.say("joined");
    int number = 0;
    while (channel.hear().value_or("end") != "end") {
      auto message = publisher->borrow_loaned_message();
      *message = ++number;
      publisher->publish(std::move(message));
      channel.say("published");
    }
  });
  ASSERT_EQ(publisher_process.hear(), "joined");
  Process subscriber_process([&](Channel& channel) {
    ::setenv("AGNOCAST_WINDOW", window, 1);
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<int>("/second", 1);
    channel.say("ready");
    // Each further subscription makes the control thread look at its peers once more.
    for (int round = 1; channel.hear().value_or("end") != "end"; ++round) {
      const auto message = subscription->take();
      require(message && *message == round, "the message of this round");
      const auto another = node->create_subscription<int>("/other", 1);
      require(subscription->publisher_count() == 1, "the publisher counts as alive");
      channel.say("taken");
    }
  });
  ASSERT_EQ(subscriber_process.hear(), "ready");
  for (int round = 0; round < 100; ++round) {
    publisher_process.say("publish");
    ASSERT_EQ(publisher_process.hear(), "published");
    subscriber_process.say("take");
    ASSERT_EQ(subscriber_process.hear(), "taken");
  }
  publisher_process.say("end");
  subscriber_process.say("end");
  EXPECT_EQ(publisher_process.wait(), 0);
  EXPECT_EQ(subscriber_process.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test
