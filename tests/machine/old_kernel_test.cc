// Kernels that lack what the library would like to have; seccomp filters stand in for them.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "machine/machine.hpp"

namespace agnocast::test {
namespace {

class OldKernel : public ForcefulTest
{
};

constexpr std::uint32_t populate_write = 23;  // MADV_POPULATE_WRITE, Linux 5.14

void have_no_populate()
{
  refuse_system_call(SYS_madvise, EINVAL, {2, populate_write});
  std::vector<char> block(3 * 4096);
  void* page =
    reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(block.data()) + 4095) / 4096 * 4096);
  require(::madvise(page, 4096, populate_write) != 0 && errno == EINVAL, "an old kernel");
}

/// Fills /dev/shm, fails, makes room, works: what \p ruin does to the process must not matter.
void become_full_and_recover(const std::function<void()>& ruin)
{
  enter_own_shm("size=32m");
  have_no_populate();
  ::setenv("AGNOCAST_MEMPOOL_SIZE", "102400", 1);
  Node node("greedy");
  auto publisher = node.create_publisher<Report>("/machine", QoS(20));
  auto subscription = node.create_subscription<Report>("/machine", QoS(20));
  publish_report(*publisher, 1);
  auto message = subscription->take();
  require(message && is_whole(*message, 1), "it works");
  message.reset();
  Filler filler;
  filler.fill(1'000'000);
  ruin();  // keeps the filler under number 99
  std::string outcome;
  const std::string said = standard_error_of(
    [&] { outcome = outcome_of([&] { publish_report(*publisher, 2, 2'000'000); }); });
  require(static_cast<bool>(contains(outcome, {"bad_alloc"})), outcome);
  require(static_cast<bool>(contains(said, {"shared heap cannot grow", "remount"})), said);
  ::unlink("/dev/shm/filler");
  require(::truncate("/proc/self/fd/99", 0) == 0, "room is made");
  publish_report(*publisher, 3, 2'000'000);
  message = subscription->take();
  require(message && is_whole(*message, 3, 2'000'000), "it works again");
}

TEST_F(OldKernel, WithoutPopulateGivesBadAllocAtAFullSharedMemoryAndNoSignal)
{
  EXPECT_ALL_WELL(
    [] { become_full_and_recover([] { ::dup2(::open("/dev/shm/filler", O_RDWR), 99); }); });
}

TEST_F(OldKernel, WithoutPopulateNeedsNoDescriptorThatAProgramMightClose)
{
  EXPECT_ALL_WELL([] {
    std::vector<int> foreign;
    become_full_and_recover([&] {
      ::dup2(::open("/dev/shm/filler", O_RDWR), 99);
      close_all_but_pipes(98);
      // Foreign files under the numbers that the library may have had.
      for (int fd = 0; (fd = ::open("/tmp", O_RDWR | O_TMPFILE, 0600)) >= 0 && fd < 64;) {
        foreign.push_back(fd);
      }
      require(foreign.size() > 20, "numbers are taken anew");
    });
    int closed = 0;
    for (const int fd : foreign) {
      struct stat status = {};
      closed += ::fstat(fd, &status) != 0 ? 1 : 0;
      require(status.st_blocks == 0 && status.st_size == 0, "a foreign file is untouched");
    }
    require(closed == 1, "only the filler has closed what it took for its own");
  });
}

TEST_F(OldKernel, WithoutPopulateServesAProcessThatCannotEvenJoin)
{
  EXPECT_ALL_WELL([] {
    enter_own_shm("size=3m");
    have_no_populate();
    ::setenv("AGNOCAST_MEMPOOL_SIZE", "4096000", 1);
    const std::string outcome = outcome_of_joining();
    require(static_cast<bool>(contains(outcome, {"ResourceError", "/dev/shm has only", "remount"})),
            outcome);
  });
}

TEST_F(OldKernel, WithoutPopulateExchangesMessagesWithANewOne)
{
  EXPECT_ALL_WELL([] {
    Talker modern("/modern");
    have_no_populate();
    Node node("old");
    auto subscription = node.create_subscription<Report>("/modern", QoS(50));
    Talker old("/old");
    auto from_old = node.create_subscription<Report>("/old", QoS(50));
    std::uint64_t last = 0;
    require(modern.publish(20) == "published" && old.publish(20) == "published", "published");
    await_number(*subscription, last, 20);
    last = 0;
    await_number(*from_old, last, 20);
    modern.leave();
    old.leave();
  });
}

/// A listener and a talker; the talker is killed with messages held, the listener with messages
/// kept for it. Both deaths are noticed, and what the dead had is removed.
void notice_deaths()
{
  auto talker = std::make_unique<Talker>();
  const pid_t dead = talker->process().pid();
  Process listener([](Channel& channel) {
    Node node("listener");
    auto subscription = node.create_subscription<Report>("/machine", QoS(50));
    std::vector<ipc_shared_ptr<const Report>> held;
    channel.say("ready");
    held.push_back(await_message(*subscription));
    channel.say("holding");
    channel.hear();
    require(eventually([&] { return subscription->publisher_count() == 0; }), "it is noticed");
    require(is_whole(*held[0], 1), "the held message is whole");
    held.clear();
    held.push_back(await_message(*subscription));
    channel.say("holding");
    channel.hear();
  });
  require(listener.hear() == "ready" && talker->publish(1) == "published", "a message");
  require(listener.hear() == "holding", "it is held");
  talker->process().kill();
  listener.say("killed");
  Talker second;
  require(eventually([&] { return remains_of(dead).empty(); }), "its objects are removed");
  require(second.publish(1) == "published", "published");
  const std::string said = listener.hear();
  require(said == "holding", said);
  require(second.retained() == 1, "the listener holds one");
  const pid_t listener_pid = listener.pid();
  listener.kill();
  require(eventually([&] { return second.retained() == 0; }), "no hold of the dead counts");
  require(eventually([&] { return remains_of(listener_pid).empty(); }), "its objects are removed");
  second.leave();
}

TEST_F(OldKernel, WithoutPidfdsNoticesDeathsByPolling)
{
  EXPECT_ALL_WELL([] {
    refuse_system_call(SYS_pidfd_open, ENOSYS);
    notice_deaths();
  });
}

TEST_F(OldKernel, WithoutRobustFutexesNoticesDeathsByPidfds)
{
  EXPECT_ALL_WELL([] {
    refuse_system_call(SYS_set_robust_list, ENOSYS);
    notice_deaths();
  });
}

TEST_F(OldKernel, WithoutEitherNoticesDeathsByPolling)
{
  EXPECT_ALL_WELL([] {
    refuse_system_call(SYS_set_robust_list, ENOSYS);
    refuse_system_call(SYS_pidfd_open, ENOSYS);
    notice_deaths();
  });
}

TEST_F(OldKernel, WithoutEitherDoesNotTakeAProcessForDeadWhoseFirstThreadHasEnded)
{
  EXPECT_ALL_WELL([] {
    refuse_system_call(SYS_set_robust_list, ENOSYS);
    refuse_system_call(SYS_pidfd_open, ENOSYS);
    Process talker([](Channel& channel) {
      static Node node("talker");
      static auto publisher = node.create_publisher<Report>("/machine", QoS(50));
      std::thread([&channel, first = ::pthread_self()] {
        ::pthread_join(first, nullptr);
        channel.say("ready");
        while (channel.hear()) {
          publish_report(*publisher, 1);
          channel.say("published");
        }
        std::_Exit(0);
      }).detach();
      ::syscall(SYS_exit, 0);  // without unwinding what the other thread uses
    });
    require(talker.hear() == "ready", "a talker without a first thread");
    Node node("listener");
    auto subscription = node.create_subscription<Report>("/machine", QoS(50));
    require(eventually([&] { return subscription->publisher_count() == 1; }), "it is connected");
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    while (std::chrono::steady_clock::now() < end) {  // ten looks of the control thread
      require(subscription->publisher_count() == 1, "it lives");
    }
    talker.say("publish");
    require(talker.hear() == "published" && await_message(*subscription), "and publishes");
    talker.kill();
    require(eventually([&] { return subscription->publisher_count() == 0; }), "now it is dead");
  });
}

TEST_F(OldKernel, WithoutRobustFutexesDoesNotSpinOnADeadPeer)
{
  EXPECT_ALL_WELL([] {
    refuse_system_call(SYS_set_robust_list, ENOSYS);
    auto talker = std::make_unique<Talker>();
    Node node("listener");
    auto subscription = node.create_subscription<Report>("/machine", QoS(50));
    require(talker->publish(1) == "published", "published");
    const auto message = await_message(*subscription);
    talker->process().kill();
    require(eventually([&] { return subscription->publisher_count() == 0; }), "it is noticed");
    timespec before = {};
    timespec after = {};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    ::usleep(300'000);
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    const double used = static_cast<double>(after.tv_sec - before.tv_sec) +
                        static_cast<double>(after.tv_nsec - before.tv_nsec) * 1e-9;
    require(used < 0.1, "the control thread sleeps; it used " + std::to_string(used) + " s");
  });
}

}  // namespace
}  // namespace agnocast::test
