// Who may join a domain: processes of several users under AGNOCAST_ACCESS.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <grp.h>

#include <memory>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

constexpr uid_t first_user = 2001;
constexpr uid_t second_user = 2002;
constexpr uid_t third_user = 2003;

class Access : public testing::Test
{
 protected:
  void SetUp() override
  {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become several users";
    group_ = ::getgrnam("users");
    if (group_ == nullptr) GTEST_SKIP() << "there is no group 'users'";
  }
  // A registry of another user cannot be removed by the last process in a sticky /dev/shm.
  void TearDown() override
  {
    if (::geteuid() == 0) in_process([] { return outcome_of_joining(); });
  }

  static void become(uid_t user, std::vector<gid_t> groups)
  {
    require(::setgroups(groups.size(), groups.data()) == 0, "setgroups");
    require(::setgid(user) == 0 && ::setuid(user) == 0, "setuid");
  }

  // Joins as a user, says "ready", then publishes and awaits numbers as told.
  static std::unique_ptr<Process> user_process(uid_t user, std::vector<gid_t> groups,
                                               const std::string& access)
  {
    return std::make_unique<Process>([=](Channel& channel) {
      ::setenv("AGNOCAST_ACCESS", access.c_str(), 1);
      become(user, groups);
      Node node("user_" + std::to_string(user));
      const std::string own = "/from_" + std::to_string(user);
      std::shared_ptr<Publisher<Report>> publisher;
      std::shared_ptr<Subscription<Report>> subscription;
      channel.say(outcome_of([&] {
        publisher = node.create_publisher<Report>(own, QoS(5));
        subscription = node.create_subscription<Report>(
          user == first_user ? "/from_2002" : "/from_2001", QoS(5));
      }));
      while (const auto order = channel.hear()) {
        if (*order == "leave") return;
        if (*order == "publish") {
          publish_report(*publisher, user);
          channel.say("published");
        } else if (*order == "take") {
          const auto message = await_message(*subscription);
          const uid_t other = user == first_user ? second_user : first_user;
          channel.say(message && is_whole(*message, other) ? "whole" : "broken");
        } else if (*order == "write") {
          const int fd = ::open(area_path(::getpid()).c_str(), O_RDWR);
          channel.say(fd < 0 ? "refused" : "opened");
        }
      }
    });
  }

  static std::string ask(Process& process, const std::string& order)
  {
    process.say(order);
    return process.hear();
  }

  static unsigned mode_of_area(const Process& process)
  {
    struct stat status = {};
    EXPECT_EQ(::stat(area_path(process.pid()).c_str(), &status), 0);
    return status.st_mode & 07777;
  }

  static void expect_both_directions(Process& first, Process& second)
  {
    EXPECT_EQ(ask(first, "publish"), "published");
    EXPECT_EQ(ask(second, "take"), "whole");
    EXPECT_EQ(ask(second, "publish"), "published");
    EXPECT_EQ(ask(first, "take"), "whole");
  }

  static void leave(Process& process)
  {
    process.say("leave");
    EXPECT_EQ(process.wait(), 0);
    EXPECT_EQ(remains_of(process.pid()), "");
  }

  const struct group* group_ = nullptr;
};

TEST_F(Access, AnotherUserIsRefusedByDefault)
{
  auto first = user_process(first_user, {}, "owner");
  ASSERT_EQ(first->hear(), "nothing thrown");
  EXPECT_EQ(mode_of_area(*first), 0400u);
  auto second = user_process(second_user, {}, "owner");
  EXPECT_TRUE(contains(second->hear(), {"RegistryError", "agnocast_registry",
                                        "belongs to another user", "AGNOCAST_ACCESS"}));
  leave(*second);
  auto own = user_process(first_user, {}, "owner");
  EXPECT_EQ(own->hear(), "nothing thrown");
  leave(*own);
  leave(*first);
  EXPECT_FALSE(file_exists(registry_path()));
}

TEST_F(Access, EvenTheOwnerCannotOpenAnAreaForWriting)
{
  auto first = user_process(first_user, {}, "owner");
  ASSERT_EQ(first->hear(), "nothing thrown");
  EXPECT_EQ(ask(*first, "write"), "refused");
  leave(*first);
}

TEST_F(Access, AllAdmitsAnotherUserAndMessagesPassInBothDirections)
{
  auto first = user_process(first_user, {}, "all");
  ASSERT_EQ(first->hear(), "nothing thrown");
  auto second = user_process(second_user, {}, "all");
  ASSERT_EQ(second->hear(), "nothing thrown");
  expect_both_directions(*first, *second);
  EXPECT_EQ(mode_of_area(*first), 0444u);
  EXPECT_EQ(mode_of_area(*second), 0444u);
  EXPECT_EQ(ask(*second, "write"), "refused");
  leave(*second);
  leave(*first);
  EXPECT_FALSE(file_exists(registry_path()));
}

TEST_F(Access, AGroupAdmitsItsMembersAndNobodyElse)
{
  const std::string access = "group:users";
  auto first = user_process(first_user, {group_->gr_gid}, access);
  ASSERT_EQ(first->hear(), "nothing thrown");
  auto second = user_process(second_user, {group_->gr_gid}, access);
  ASSERT_EQ(second->hear(), "nothing thrown");
  auto third = user_process(third_user, {}, access);
  EXPECT_TRUE(contains(third->hear(), {"RegistryError", "belongs to another user"}));
  leave(*third);
  expect_both_directions(*first, *second);
  EXPECT_EQ(mode_of_area(*first), 0440u);
  EXPECT_EQ(mode_of_area(*second), 0440u);
  leave(*second);
  leave(*first);
}

TEST_F(Access, TheAccessOfTheFirstProcessHoldsForTheDomain)
{
  auto first = user_process(first_user, {}, "all");
  ASSERT_EQ(first->hear(), "nothing thrown");
  auto second = user_process(second_user, {}, "owner");
  ASSERT_EQ(second->hear(), "nothing thrown");
  expect_both_directions(*first, *second);
  EXPECT_EQ(mode_of_area(*second), 0444u) << "or the first could not see what the second holds";
  leave(*second);
  leave(*first);
}

TEST_F(Access, ADeathInADomainOfSeveralUsersDoesNotStopTheOthers)
{
  auto first = user_process(first_user, {}, "all");
  ASSERT_EQ(first->hear(), "nothing thrown");
  auto second = user_process(second_user, {}, "all");
  ASSERT_EQ(second->hear(), "nothing thrown");
  expect_both_directions(*first, *second);
  first->kill();
  auto next = user_process(first_user, {}, "all");
  ASSERT_EQ(next->hear(), "nothing thrown");
  expect_both_directions(*next, *second);
  leave(*next);
  leave(*second);
}

}  // namespace
}  // namespace agnocast::test
