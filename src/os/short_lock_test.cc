// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/short_lock.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"

namespace agnocast::internal::os {
namespace {

using test::eventually;

TEST(ShortLock, KeepsOthersOutHoweverManyThereAre)
{
  ShortLock lock;
  constexpr int rounds = 20'000;
  int count = 0;  // not atomic: the sanitizers see who is not kept out
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        const std::lock_guard guard(lock);
        const int before = count;
        if (round % 512 == 0) std::this_thread::yield();  // others go to sleep meanwhile
        count = before + 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 4 * rounds);
  EXPECT_FALSE(lock.has_sleepers());
  EXPECT_TRUE(lock.try_lock());
}

TEST(ShortLock, GoesToWhoSleepsAndNotToWhoComesAgain)
{
  ShortLock lock;
  lock.lock();
  std::atomic<int> had{0};
  std::thread waiter([&] {
    const std::lock_guard guard(lock);
    ++had;
  });
  ASSERT_TRUE(eventually([&] { return lock.has_sleepers(); }));
  lock.unlock();
  // Free again only after the waiter has had it.
  if (lock.try_lock()) {
    EXPECT_EQ(had.load(), 1);
    lock.unlock();
  }
  lock.lock();
  EXPECT_EQ(had.load(), 1);
  lock.unlock();
  waiter.join();
}

/// As /proc shows it: below 0 for the real-time policies. 0 if it cannot be read.
long priority_of(std::uint32_t thread)
{
  const std::string path = "/proc/self/task/" + std::to_string(thread) + "/stat";
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return 0;
  long priority = 0;
  const bool read = std::fscanf(file,
                                "%*d %*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
                                "%*d %*d %ld",
                                &priority) == 1;
  std::fclose(file);
  return read ? priority : 0;
}

TEST(ShortLock, LendsItsHolderThePriorityOfWhoWaits)
{
  ShortLock lock;
  lock.lock();
  const std::uint32_t holder = known_thread_id;
  ASSERT_GE(priority_of(holder), 0);
  std::atomic<bool> allowed{true};
  std::thread waiter([&] {
    sched_param parameters{};
    parameters.sched_priority = 7;
    allowed = ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &parameters) == 0;
    const std::lock_guard guard(lock);
  });
  const bool slept = eventually([&] { return lock.has_sleepers(); });
  const bool lent = eventually([&] { return !allowed || priority_of(holder) == -8; });
  lock.unlock();
  waiter.join();
  if (!allowed) GTEST_SKIP() << "this user may have no real-time threads";
  EXPECT_TRUE(slept);
  EXPECT_TRUE(lent);
  EXPECT_TRUE(eventually([&] { return priority_of(holder) >= 0; }));
}

TEST(ShortLock, KeepsErrnoAlsoWhenItWaits)
{
  ShortLock lock;
  lock.lock();
  std::thread waiter([&] {
    errno = ERANGE;
    lock.lock();
    EXPECT_EQ(errno, ERANGE);
    lock.unlock();
    EXPECT_EQ(errno, ERANGE);
  });
  ASSERT_TRUE(eventually([&] { return lock.has_sleepers(); }));
  errno = EDOM;
  lock.unlock();
  EXPECT_EQ(errno, EDOM);
  waiter.join();
}

TEST(ShortLock, ThatIsHeldAcrossAForkIsUnlockedByBoth)
{
  ShortLock lock;
  lock.lock();
  std::thread waiter([&] { const std::lock_guard guard(lock); });
  ASSERT_TRUE(eventually([&] { return lock.has_sleepers(); }));
  const pid_t child = ::fork();
  if (child == 0) {
    lock.unlock();
    const bool free = lock.try_lock();
    lock.unlock();
    ::_exit(free && known_thread_id == static_cast<std::uint32_t>(::getpid()) ? 0 : 1);
  }
  lock.unlock();
  waiter.join();
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(ShortLock, OfAnotherThreadIsFreeInAChildOnceItIsReset)
{
  ShortLock lock;
  std::atomic<int> step{0};
  std::thread holder([&] {
    const std::lock_guard guard(lock);
    step = 1;
    while (step == 1) std::this_thread::yield();
  });
  while (step == 0) std::this_thread::yield();
  const pid_t child = ::fork();
  if (child == 0) {
    const bool was_held = !lock.try_lock();
    lock.reset_in_child();
    lock.lock();
    lock.unlock();
    ::_exit(was_held ? 0 : 1);
  }
  step = 2;
  holder.join();
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(ShortLockDeathTest, ThatItsHolderLocksAgainStopsTheProcess)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
    {
      ShortLock lock;
      lock.lock();
      lock.lock();
    },
    "EDEADLK");
}

}  // namespace
}  // namespace agnocast::internal::os
