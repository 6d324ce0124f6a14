// The control part of a process's area, where rings and connections lie: what is given back serves
// whatever comes next.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

/// Publishers of the greatest depth, as many as there is room for; the error of the next one.
std::string fill_with_deep_publishers(Node& node, std::vector<Publisher<int>::SharedPtr>& made)
{
  try {
    for (int i = 0; i < 100; ++i) {
      made.push_back(node.create_publisher<int>("/deep" + std::to_string(i), 65'536));
    }
  } catch (const ResourceError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ControlPart, ThatDeepPublishersLeftServesAThousandSmallEndsAndTheOtherWayRound)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    std::vector<Publisher<int>::SharedPtr> deep;
    std::size_t fitting = 0;
    for (int round = 0; round < 3; ++round) {
      const std::string error = fill_with_deep_publishers(*node, deep);
      require(error.find("depth") != std::string::npos, "'" + error + "' names the remedy");
      require(round == 0 || deep.size() == fitting, "as many as in the first round");
      fitting = deep.size();
      deep.clear();
      std::vector<Publisher<int>::SharedPtr> publishers;
      std::vector<Subscription<int>::SharedPtr> subscriptions;
      SubscriptionOptions options;
      options.hold_limit = 1'024;
      for (int i = 0; i < 1'000; ++i) {
        const std::string topic = "/pair" + std::to_string(i);
        publishers.push_back(node->create_publisher<int>(topic, 100));
        subscriptions.push_back(node->create_subscription<int>(topic, QoS(100), options));
        require(subscriptions.back()->publisher_count() == 1, topic + " is connected");
      }
    }
    channel.say("done");
  });
  EXPECT_EQ(process.hear(2 * patience), "done");
  EXPECT_EQ(process.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test
