// How a signal ends spin(): SIGINT and SIGTERM once, and for good the second time.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include <agnocast/agnocast.hpp>
#include <memory>
#include <string>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

/// A process of its own joins and leaves: what a killed one left is cleaned up.
void somebody_else_comes_and_goes()
{
  Process process([](Channel&) {
    const auto node = std::make_shared<Node>("visitor");
    const auto publisher = node->create_publisher<int>("/stopping", 1);
  });
  EXPECT_EQ(process.wait(), 0);
}

class Stopping : public testing::TestWithParam<int>
{
};

TEST_P(Stopping, ASignalEndsSpinAndTheProcessEndsInOrder)
{
  Process process([](Channel& channel) {
    init();
    const auto node = std::make_shared<Node>("spinner");
    const auto publisher = node->create_publisher<int>("/stopping", 1);
    const auto subscription =
      node->create_subscription<int>("/stopping", 1, [&](const auto&) { channel.say("spinning"); });
    publisher->publish(publisher->borrow_loaned_message());
    spin(node);
    require(!ok(), "shut down");
    channel.say("returned");
  });
  ASSERT_EQ(process.hear(), "spinning");
  process.signal(GetParam());
  EXPECT_EQ(process.hear(), "returned");
  EXPECT_EQ(process.wait(), 0);
}

TEST_P(Stopping, ASignalEndsAWaitSetsWait)
{
  Process process([](Channel& channel) {
    init();
    const auto node = std::make_shared<Node>("waiter");
    const auto subscription = node->create_subscription<int>("/stopping", 1);
    WaitSet wait_set;
    wait_set.add(*subscription);
    channel.say("waiting");
    require(!wait_set.wait(), "no message came");
    channel.say("returned");
  });
  ASSERT_EQ(process.hear(), "waiting");
  process.signal(GetParam());
  EXPECT_EQ(process.hear(), "returned");
  EXPECT_EQ(process.wait(), 0);
}

TEST_P(Stopping, ASecondSignalEndsAProcessThatDoesNotStop)
{
  Process process([](Channel& channel) {
    init();
    const auto node = std::make_shared<Node>("stubborn");
    const auto subscription = node->create_subscription<int>("/stopping", 1, [](const auto&) {});
    channel.say("spinning");
    spin(node);
    channel.say("returned");
    for (;;) channel.hear();
  });
  ASSERT_EQ(process.hear(), "spinning");
  process.signal(GetParam());
  ASSERT_EQ(process.hear(), "returned");
  process.signal(GetParam());
  EXPECT_EQ(process.wait(), -GetParam());
  somebody_else_comes_and_goes();
}

TEST_P(Stopping, AHandlerOfTheProgramIsLeftAlone)
{
  Process process([](Channel& channel) {
    static volatile sig_atomic_t handled = 0;
    ::signal(SIGINT, [](int) { handled = handled + 1; });
    ::signal(SIGTERM, [](int) { handled = handled + 1; });
    init();
    const auto node = std::make_shared<Node>("own_handler");
    const auto subscription = node->create_subscription<int>("/stopping", 1);
    channel.say("ready");
    channel.hear();
    require(handled == 1 && ok(), "the program's handler ran, and nothing was shut down");
    channel.say("done");
  });
  ASSERT_EQ(process.hear(), "ready");
  process.signal(GetParam());
  process.say("signalled");
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST_P(Stopping, AHandlerOfTheProgramMayCallShutdown)
{
  Process process([](Channel& channel) {
    ::signal(SIGINT, [](int) { shutdown(); });
    ::signal(SIGTERM, [](int) { shutdown(); });
    init();
    const auto node = std::make_shared<Node>("own_handler");
    const auto subscription = node->create_subscription<int>("/stopping", 1, [](const auto&) {});
    channel.say("spinning");
    spin(node);
    channel.say("returned");
  });
  ASSERT_EQ(process.hear(), "spinning");
  process.signal(GetParam());
  EXPECT_EQ(process.hear(), "returned");
  EXPECT_EQ(process.wait(), 0);
}

INSTANTIATE_TEST_SUITE_P(Signals, Stopping, testing::Values(SIGINT, SIGTERM),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace agnocast::test
