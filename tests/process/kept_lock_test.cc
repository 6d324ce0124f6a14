// Another process keeps the registry's lock: what must not wait for it does not, and what has to
// wait does so once, not once for each object.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

/// Takes the lock of the domain's registry and keeps it until it is killed.
void keep_the_lock(Channel& channel)
{
  const std::string domain = std::getenv("AGNOCAST_DOMAIN_ID");
  const int file = ::open(("/dev/shm/agnocast_registry." + domain + ".lock").c_str(), O_RDWR);
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_len = 1;
  require(file >= 0 && ::fcntl(file, F_SETLKW, &lock) == 0, "the lock is taken");
  channel.say("it is kept");
  channel.hear(std::chrono::minutes(2));
}

bool takes_less_than(seconds limit, const std::function<void()>& action)
{
  const auto begin = Clock::now();
  action();
  return Clock::now() - begin < limit;
}

TEST(KeptLock, NoReleaseWaitsForItAndAllDestructorsTogetherWaitOnce)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<int>("/t", 10);
    auto closed_before = node->create_subscription<int>("/t", 10);
    auto closed_meanwhile = node->create_subscription<int>("/t", 10);
    std::vector<std::shared_ptr<PublisherBase>> others;
    for (int i = 0; i < 4; ++i) {
      others.push_back(node->create_publisher<int>("/other" + std::to_string(i), 1));
    }
    publisher->publish(publisher->borrow_loaned_message());
    auto first = closed_before->take();
    auto second = closed_meanwhile->take();
    closed_before.reset();
    channel.say("keep it");
    channel.hear();
    require(takes_less_than(seconds(2), [&] { first.reset(); }), "a release does not wait");
    require(takes_less_than(seconds(20),
                            [&] {
                              closed_meanwhile.reset();
                              second.reset();
                              others.clear();
                            }),
            "all together wait once");
    require(publisher->publish(publisher->borrow_loaned_message()) == PublishStatus::published,
            "who is there goes on");
    channel.say("give it back");
    channel.hear();
    require(eventually([&] { return publisher->subscription_count() == 0; }),
            "what could not be done is done later");
    const auto after = node->create_subscription<int>("/t", 10);
    publisher->publish(publisher->borrow_loaned_message());
    require(static_cast<bool>(after->take()), "all works again");
  });
  ASSERT_EQ(process.hear(), "keep it");
  {
    Process keeper(keep_the_lock);
    ASSERT_EQ(keeper.hear(), "it is kept");
    process.say("it is kept");
    ASSERT_EQ(process.hear(), "give it back");
  }
  process.say("it is free");
  EXPECT_EQ(process.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test
