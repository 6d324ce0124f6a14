// Who may join a domain: processes of several users under AGNOCAST_ACCESS.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <grp.h>
#include <sys/stat.h>

#include <memory>

#include "agnocast/introspection.hpp"
#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

// Of this test process alone: another test that runs at the same time must not have a process of
// the same user, or a dead one's registry counts as inhabited.
const uid_t first_user = 100'000 + 3 * static_cast<uid_t>(::getpid());
const uid_t second_user = first_user + 1;
const uid_t third_user = first_user + 2;

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
          "/from_" + std::to_string(user == first_user ? second_user : first_user), QoS(5));
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
  auto own = user_process(first_user, {}, "owner");
  ASSERT_EQ(own->hear(), "nothing thrown");
  EXPECT_EQ(mode_of_area(*own), 0444u) << "or others could not see what it holds";
  leave(*own);
  leave(*first);
}

TEST_F(Access, AnotherUsersDomainIsNotJoinedByOneWhoAdmitsNobody)
{
  auto first = user_process(first_user, {}, "all");
  ASSERT_EQ(first->hear(), "nothing thrown");
  auto second = user_process(second_user, {group_->gr_gid}, "owner");
  EXPECT_TRUE(
    contains(second->hear(), {"RegistryError", "belongs to user " + std::to_string(first_user),
                              "admits everybody", "AGNOCAST_ACCESS=all", "AGNOCAST_DOMAIN_ID"}));
  leave(*second);
  auto third = user_process(second_user, {group_->gr_gid}, "group:users");
  EXPECT_TRUE(contains(third->hear(), {"RegistryError", "admits everybody"}))
    << "who admits a group does not admit all";
  leave(*third);
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

// What another user's dead domain costs: nothing.
class DeadDomain : public Access, public testing::WithParamInterface<const char*>
{
};

TEST_P(DeadDomain, OfAnotherUserLocksNobodyOut)
{
  auto dead = user_process(first_user, {group_->gr_gid}, GetParam());
  ASSERT_EQ(dead->hear(), "nothing thrown");
  dead->kill();
  ASSERT_TRUE(file_exists(registry_path())) << "or there is nothing to test";

  const std::string theirs = registry_path() + "@" + std::to_string(second_user);
  auto second = user_process(second_user, {group_->gr_gid}, "owner");
  ASSERT_EQ(second->hear(), "nothing thrown");
  EXPECT_TRUE(file_exists(theirs));
  EXPECT_EQ(in_process([] {
              become(second_user, {});
              const std::string outcome = outcome_of_joining();
              return outcome + ", beside " +
                     std::to_string(DomainView().snapshot().processes.size() - 1);
            }),
            "nothing thrown, beside 1")
    << "all processes of that user are in one domain";

  // Whoever comes now meets the user who lives.
  auto own = user_process(first_user, {}, "owner");
  EXPECT_TRUE(contains(own->hear(), {"RegistryError", "belongs to another user"}));
  leave(*own);
  leave(*second);
  EXPECT_FALSE(file_exists(theirs));
  EXPECT_FALSE(file_exists(theirs + ".lock"));

  auto again = user_process(first_user, {}, "owner");
  EXPECT_EQ(again->hear(), "nothing thrown");
  leave(*again);
  EXPECT_FALSE(file_exists(registry_path()));
  EXPECT_EQ(remains_of(dead->pid()), "");
}

INSTANTIATE_TEST_SUITE_P(Accesses, DeadDomain, testing::Values("owner", "group:users", "all"),
                         [](const auto& test) {
                           return std::string(test.param).substr(0, 5) == "group" ? "group"
                                                                                  : test.param;
                         });

TEST_F(Access, TheRegistryOfADeadProcessOfTheGroupIsBegunAnew)
{
  auto dead = user_process(first_user, {group_->gr_gid}, "group:users");
  ASSERT_EQ(dead->hear(), "nothing thrown");
  dead->kill();
  auto second = user_process(second_user, {group_->gr_gid}, "group:users");
  ASSERT_EQ(second->hear(), "nothing thrown");
  auto first = user_process(first_user, {group_->gr_gid}, "group:users");
  ASSERT_EQ(first->hear(), "nothing thrown");
  expect_both_directions(*first, *second);
  leave(*second);
  leave(*first);
}

TEST_F(Access, WhatADeadProcessOfAnotherUserLeftIsListedAsSuch)
{
  std::string said;
  // A process that another test starts may sweep it up before the look: then it is tried again.
  for (int round = 0; round < 20; ++round) {
    auto dead = user_process(first_user, {}, "owner");
    ASSERT_EQ(dead->hear(), "nothing thrown");
    dead->kill();
    said = in_process([] {
      become(second_user, {});
      std::string text = std::to_string(DomainView().snapshot().processes.size()) + " processes,";
      for (const std::string& file : find_leftovers()) text += " " + file;
      return text;
    });
    if (contains(said, {"0 processes", area_path(dead->pid()), registry_path() + " ",
                        registry_path() + ".lock"})) {
      return;
    }
  }
  FAIL() << said;
}

// What this process may do to a file of /dev/shm: r read, w write, t truncate, x replace by a file
// of its own, u unlink. Truncating is tried with the size that the file has.
std::string rights_on_file(const std::string& path)
{
  std::string rights;
  const auto may_open = [&](int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
  };
  if (may_open(O_RDONLY)) rights += 'r';
  if (may_open(O_RDWR)) rights += 'w';
  struct stat status = {};
  require(::stat(path.c_str(), &status) == 0, path);
  if (::truncate(path.c_str(), status.st_size) == 0) rights += 't';
  if (status.st_uid != ::geteuid()) {
    const std::string other = "/dev/shm/agnocast_test." + std::to_string(::getpid());
    const int fd = ::open(other.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    require(fd >= 0, "a file of one's own");
    ::close(fd);
    if (::rename(other.c_str(), path.c_str()) == 0) rights += 'x';
    ::unlink(other.c_str());
  }
  if (::unlink(path.c_str()) == 0) rights += 'u';
  return rights;
}

// The same for a queue: r receive, w send, u unlink.
std::string rights_on_queue(const std::string& name)
{
  std::string rights;
  if (const mqd_t queue = ::mq_open(name.c_str(), O_RDONLY | O_NONBLOCK); queue >= 0) {
    rights += 'r';
    ::mq_close(queue);
  }
  if (const mqd_t queue = ::mq_open(name.c_str(), O_WRONLY | O_NONBLOCK); queue >= 0) {
    if (::mq_send(queue, "x", 1, 0) == 0 || errno == EAGAIN) rights += 'w';
    ::mq_close(queue);
  }
  if (::mq_unlink(name.c_str()) == 0) rights += 'u';
  return rights;
}

TEST_F(Access, EachObjectIsOpenToThoseThatTheSettingAdmitsAndRemovableByItsOwnerOnly)
{
  struct Row
  {
    const char* access;
    const char* registry_doorbell_queue_area[4];
  };
  struct Actor
  {
    uid_t user;
    bool in_group;
    Row rows[3];
  };
  const Actor actors[] = {
    {third_user,
     false,
     {{"owner", {"", "", "", ""}},
      {"group:users", {"", "", "", ""}},
      {"all", {"rwt", "rwt", "rw", "r"}}}},
    {second_user,
     true,
     {{"owner", {"", "", "", ""}},
      {"group:users", {"rwt", "rwt", "rw", "r"}},
      {"all", {"rwt", "rwt", "rw", "r"}}}},
    {first_user,
     false,
     {{"owner", {"rwtu", "rwtu", "rwu", "ru"}},
      {"group:users", {"rwtu", "rwtu", "rwu", "ru"}},
      {"all", {"rwtu", "rwtu", "rwu", "ru"}}}},
  };
  for (const Actor& actor : actors) {
    for (const Row& row : actor.rows) {
      auto victim = user_process(first_user, {group_->gr_gid}, row.access);
      ASSERT_EQ(victim->hear(), "nothing thrown");
      const std::string pid = std::to_string(victim->pid());
      Process process([&](Channel& channel) {
        become(actor.user,
               actor.in_group ? std::vector<gid_t>{group_->gr_gid} : std::vector<gid_t>{});
        channel.say(rights_on_file(registry_path()));
        channel.say(rights_on_file("/dev/shm/agnocast_doorbell@" + pid));
        channel.say(rights_on_queue("/new_publisher@" + pid));
        channel.say(rights_on_file(area_path(victim->pid())));
      });
      for (const char* expected : row.registry_doorbell_queue_area) {
        EXPECT_EQ(process.hear(), expected) << row.access << ", user " << actor.user;
      }
      EXPECT_EQ(process.wait(), 0);
      leave(*victim);
    }
  }
}

// What somebody else may have put under a name that we need.
enum class Squatter { file, fifo, symbolic_link, queue };

void squat(Squatter kind, const std::string& name)
{
  switch (kind) {
    case Squatter::file: {
      const int fd = ::open(("/dev/shm/" + name).c_str(), O_RDWR | O_CREAT | O_EXCL, 0666);
      require(fd >= 0 && ::fchmod(fd, 0666) == 0, "a file");
      ::close(fd);
      break;
    }
    case Squatter::fifo:
      require(::mkfifo(("/dev/shm/" + name).c_str(), 0666) == 0 &&
                ::chmod(("/dev/shm/" + name).c_str(), 0666) == 0,
              "a FIFO");
      break;
    case Squatter::symbolic_link:
      require(::symlink("/etc/passwd", ("/dev/shm/" + name).c_str()) == 0, "a link");
      break;
    case Squatter::queue: {
      const mqd_t queue = ::mq_open(("/" + name).c_str(), O_RDWR | O_CREAT, 0666, nullptr);
      require(queue >= 0, "a queue");
      ::mq_close(queue);
      break;
    }
  }
}

TEST_F(Access, NamesThatAnotherUserHasTakenAreAvoided)
{
  const std::pair<Squatter, const char*> cases[] = {
    {Squatter::file, "agnocast@"},          {Squatter::fifo, "agnocast@"},
    {Squatter::symbolic_link, "agnocast@"}, {Squatter::file, "agnocast_doorbell@"},
    {Squatter::fifo, "agnocast_doorbell@"}, {Squatter::queue, "new_publisher@"}};
  for (const auto& [kind, prefix] : cases) {
    Process victim([](Channel& channel) {
      become(first_user, {});
      channel.hear();
      Node node("victim");
      std::shared_ptr<Publisher<Report>> publisher;
      std::shared_ptr<Subscription<Report>> subscription;
      channel.say(outcome_of([&] {
        publisher = node.create_publisher<Report>("/squatted", QoS(5));
        subscription = node.create_subscription<Report>("/squatted", QoS(5));
        publish_report(*publisher, 4);
      }));
      channel.say(file_exists(area_path(::getpid()) + ".1") ? "avoided" : "not avoided");
      const auto message = await_message(*subscription);
      channel.say(message && is_whole(*message, 4) ? "whole" : "broken");
    });
    const std::string name = prefix + std::to_string(victim.pid());
    EXPECT_EQ(in_process([&, taken = kind] {
                become(second_user, {});
                squat(taken, name);
                return std::string("squats");
              }),
              "squats");
    victim.say("join");
    EXPECT_EQ(victim.hear(), "nothing thrown") << name;
    EXPECT_EQ(victim.hear(), "avoided") << name;
    EXPECT_EQ(victim.hear(), "whole");
    EXPECT_EQ(victim.wait(), 0);
    EXPECT_FALSE(file_exists(area_path(victim.pid()) + ".1"));
    if (kind == Squatter::queue) {
      EXPECT_EQ(::mq_unlink(("/" + name).c_str()), 0) << "what is another's stays";
    } else {
      EXPECT_EQ(::unlink(("/dev/shm/" + name).c_str()), 0) << "what is another's stays";
    }
  }
}

TEST_F(Access, ARegistryThatAnotherUserHasPutThereIsPassedOverOrRefused)
{
  const std::string name = registry_path().substr(std::string("/dev/shm/").size());
  const std::pair<Squatter, std::vector<std::string>> cases[] = {
    {Squatter::file, {"nothing thrown"}},  // nobody lives in it
    {Squatter::fifo, {"RegistryError", "no regular file", "remove it"}},
    {Squatter::symbolic_link, {"RegistryError", "no regular file", "remove it"}}};
  for (const auto& [kind, parts] : cases) {
    in_process([&, taken = kind] {
      become(second_user, {});
      squat(taken, name);
      return std::string("squats");
    });
    const std::string said = in_process([] {
      become(first_user, {});
      return outcome_of_joining();
    });
    EXPECT_TRUE(contains(said, parts));
    EXPECT_EQ(::unlink(registry_path().c_str()), 0);
  }
  in_process([&] {
    become(second_user, {});
    squat(Squatter::file, name + ".lock");
    return std::string("squats");
  });
  EXPECT_EQ(in_process([] {
              become(first_user, {});
              return outcome_of_joining();
            }),
            "nothing thrown");
  EXPECT_EQ(::unlink((registry_path() + ".lock").c_str()), 0);
}

}  // namespace
}  // namespace agnocast::test
