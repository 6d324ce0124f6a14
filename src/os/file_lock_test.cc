// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/file_lock.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "support/process.hpp"

namespace agnocast::internal::os {
namespace {

using test::Channel;
using test::eventually;
using test::Process;

class FileLock : public testing::Test
{
 protected:
  void SetUp() override
  {
    char path[] = "/tmp/agnocast_file_lock.XXXXXX";
    ::close(::mkstemp(path));
    path_ = path;
  }
  void TearDown() override { ::unlink(path_.c_str()); }

  [[nodiscard]] int open_file() const { return ::open(path_.c_str(), O_RDWR | O_CLOEXEC); }

  /// Locks and gives back as it is told, and says how that went.
  std::unique_ptr<Process> locker()
  {
    return std::make_unique<Process>([path = path_](Channel& channel) {
      int fd = -1;
      while (const auto order = channel.hear()) {
        if (*order == "leave") return;
        if (*order != "lock") ::close(fd);
        if (*order == "give back") continue;
        fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        channel.say(lock_file(fd) == LockOutcome::locked ? "locked" : "failed");
      }
    });
  }

  /// Which process has the byte; 0 if none.
  [[nodiscard]] pid_t owner_of(off_t byte) const
  {
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_start = byte;
    lock.l_len = 1;
    const int fd = open_file();
    const int outcome = ::fcntl(fd, F_GETLK, &lock);
    ::close(fd);
    return outcome == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
  }

  std::string path_;
};

TEST_F(FileLock, WhoGivesItBackAndComesAgainStandsBehindWhoWaits)
{
  int first_in_line = 0;
  auto here = locker();
  auto waiting = locker();
  for (int round = 0; round < 20; ++round) {
    here->say("lock");
    ASSERT_EQ(here->hear(), "locked");
    waiting->say("lock");
    ASSERT_TRUE(eventually([&] { return owner_of(1) == waiting->pid(); }));
    here->say("lock again");
    ASSERT_EQ(waiting->hear(), "locked");
    first_in_line += owner_of(0) == waiting->pid() ? 1 : 0;
    waiting->say("give back");
    ASSERT_EQ(here->hear(), "locked");
    here->say("give back");
    ASSERT_TRUE(eventually([&] { return owner_of(0) == 0; }));
  }
  // Who is not given a processor for 5 ms is passed over.
  EXPECT_GE(first_in_line, 10);
}

TEST_F(FileLock, WhoIsStoppedInLineIsPassedOver)
{
  auto holder = locker();
  auto stopped = locker();
  auto last = locker();
  holder->say("lock");
  ASSERT_EQ(holder->hear(), "locked");
  stopped->say("lock");
  ASSERT_TRUE(eventually([&] { return owner_of(1) == stopped->pid(); }));
  stopped->signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(stopped->pid(), &status, WUNTRACED), stopped->pid());
  last->say("lock");
  ASSERT_TRUE(eventually([&] { return owner_of(2) == last->pid(); }));
  holder->say("give back");
  EXPECT_EQ(last->hear(), "locked");
  last->say("give back");
  stopped->signal(SIGCONT);
  EXPECT_EQ(stopped->hear(), "locked");
}

TEST_F(FileLock, WhatIsNotNeededAnyMoreIsNotWaitedFor)
{
  void* const memory =
    ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto& is_done = *new (memory) std::atomic<bool>(false);
  auto holder = locker();
  holder->say("lock");
  ASSERT_EQ(holder->hear(), "locked");
  Process waiting([&](Channel& channel) {
    const int fd = open_file();
    const bool not_needed =
      lock_file(fd, [&] { return !is_done.load(); }) == LockOutcome::not_needed;
    channel.say(not_needed ? "not needed" : "something else");
  });
  ASSERT_TRUE(eventually([&] { return owner_of(1) == waiting.pid(); }));
  is_done = true;
  EXPECT_EQ(waiting.hear(), "not needed");
  EXPECT_EQ(waiting.wait(), 0);
  EXPECT_EQ(owner_of(1), 0) << "its place is free again";
  EXPECT_EQ(owner_of(0), holder->pid());
  ::munmap(memory, 4096);
}

TEST_F(FileLock, TheDeathOfItsHolderAndOfWhoWaitsGivesItToTheNext)
{
  auto holder = locker();
  auto second = locker();
  auto third = locker();
  holder->say("lock");
  ASSERT_EQ(holder->hear(), "locked");
  second->say("lock");
  ASSERT_TRUE(eventually([&] { return owner_of(1) == second->pid(); }));
  third->say("lock");
  ASSERT_TRUE(eventually([&] { return owner_of(2) == third->pid(); }));
  second->kill();
  EXPECT_EQ(owner_of(0), holder->pid());
  holder->kill();
  EXPECT_EQ(third->hear(), "locked");
}

TEST_F(FileLock, AHostileLockOnEverythingBehindTheFirstByteKeepsNobodyOut)
{
  auto hostile = std::make_unique<Process>([&](Channel& channel) {
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_start = 1;
    channel.say(::fcntl(open_file(), F_SETLK, &lock) == 0 ? "locked" : "failed");
    channel.hear();
  });
  ASSERT_EQ(hostile->hear(), "locked");
  auto other = locker();
  other->say("lock");
  EXPECT_EQ(other->hear(), "locked");
  hostile->say("leave");
}

TEST_F(FileLock, AHostileHolderThatComesAndGoesInFrontOfTheLineIsNotTakenForALineThatMoves)
{
  auto hostile = std::make_unique<Process>([&](Channel& channel) {
    const int fd = open_file();
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_len = 1;
    bool took = ::fcntl(fd, F_SETLK, &lock) == 0;
    lock.l_start = 1;
    took = took && ::fcntl(fd, F_SETLK, &lock) == 0;
    channel.say(took ? "locked" : "failed");
    while (!channel.is_at_end(std::chrono::milliseconds(2000))) {
      lock.l_type = lock.l_type == F_WRLCK ? F_UNLCK : F_WRLCK;
      ::fcntl(fd, F_SETLK, &lock);
    }
  });
  ASSERT_EQ(hostile->hear(), "locked");
  Process waiting([&](Channel& channel) {
    channel.say(lock_file(open_file()) == LockOutcome::kept ? "kept" : "something else");
  });
  EXPECT_EQ(waiting.hear(std::chrono::seconds(20)), "kept");
}

}  // namespace
}  // namespace agnocast::internal::os
