// What a publish and a take do not do once they are warm: fault pages, allocate, call the kernel.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

struct Image
{
  std::uint64_t number;
  std::vector<std::uint8_t> pixels;
};

constexpr std::size_t image_bytes = 1'000'000;

/// One round of a warm publisher: a message with a fresh vector of a megabyte.
void publish(Publisher<Image>& publisher, std::uint64_t number)
{
  auto message = publisher.borrow_loaned_message();
  message->number = number;
  message->pixels.assign(image_bytes, static_cast<std::uint8_t>(number));
  publisher.publish(std::move(message));
}

/// Polls until it has taken the message of that number.
void take(Subscription<Image>& subscription, std::uint64_t number)
{
  ipc_shared_ptr<const Image> message;
  while (!message) message = subscription.take();
  const auto expected = static_cast<std::uint8_t>(number);
  require(message->number == number, "the next number");
  require(message->pixels.front() == expected && message->pixels.back() == expected, "content");
}

void name_the_culprit(int, siginfo_t* info, void*)
{
  std::string text = "system call number " + std::to_string(info->si_syscall) + " was made\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(SIGSYS);
}

/// From now on, a system call of this thread other than write() and those that end the process ends
/// it and says which it was.
void allow_no_system_calls()
{
  struct sigaction action = {};
  action.sa_sigaction = name_the_culprit;
  action.sa_flags = SA_SIGINFO;
  require(::sigaction(SIGSYS, &action, nullptr) == 0, "the handler is installed");
  sock_filter rules[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{static_cast<unsigned short>(std::size(rules)), rules};
  require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
  require(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "the filter is installed");
}

struct Faults
{
  long minor;
  long major;
};

Faults faults()
{
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return {usage.ru_minflt, usage.ru_majflt};
}

constexpr std::uint64_t warm_up = 200;
constexpr std::uint64_t rounds = 1000;

/// Plays that many rounds.
using Play = std::function<void(std::uint64_t count)>;
/// What is done with a warm player, in either process.
using Measured = std::function<void(const Play& play)>;

/// Whether the library's own thread of this process has done all that it was told of.
bool control_thread_sleeps()
{
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "stat");
    const std::string stat((std::istreambuf_iterator<char>(file)), {});
    const auto name_end = stat.rfind(')');
    if (stat.find("(agnocast)") == std::string::npos || name_end == std::string::npos) continue;
    return stat.compare(name_end, 3, ") S") == 0;
  }
  return false;
}

/// One of two processes in lockstep over a topic each way; both poll.
void player(Channel& channel, bool begins, const Measured& measured)
{
  const auto node = std::make_shared<Node>("player");
  const auto publisher = node->create_publisher<Image>(begins ? "/there" : "/back", 1);
  const auto subscription = node->create_subscription<Image>(begins ? "/back" : "/there", QoS(1));
  channel.say("ready");
  require(channel.hear() == "go", "both are ready");
  // It was told of the other's ends before they were ready; what it does may take a lock.
  require(eventually(control_thread_sleeps), "the control thread comes to rest");
  std::uint64_t number = 0;
  const Play play = [&](std::uint64_t count) {
    for (const std::uint64_t end = number + count; number < end; ++number) {
      if (begins) publish(*publisher, number);
      take(*subscription, number);
      if (!begins) publish(*publisher, number);
    }
  };
  play(warm_up);
  measured(play);
  channel.say("done");
}

/// What the first of them said that is not as it should be, or nothing.
std::string play_in_two_processes(const Measured& measured)
{
  Process first([&](Channel& channel) {
    player(channel, true, measured);
    channel.hear();
  });
  Process second([&](Channel& channel) {
    player(channel, false, measured);
    channel.hear();
  });
  for (Process* process : {&first, &second}) {
    if (const std::string said = process->hear(); said != "ready") return said;
  }
  first.say("go");
  second.say("go");
  for (Process* process : {&first, &second}) {
    if (const std::string said = process->hear(2 * patience); said != "done") return said;
  }
  for (Process* process : {&first, &second}) {
    process->say("end");
    EXPECT_EQ(process->wait(), 0);
  }
  return "";
}

/// What a message costs, it costs each time. On a busy machine something else may happen once: the
/// control thread is interrupted while it has a lock, or the kernel moves a page.
void expect_of_one_in_three(const Measured& measured)
{
  std::string said;
  for (int i = 0; i < 3; ++i) {
    said = play_in_two_processes(measured);
    if (said.empty() || testing::Test::HasFailure()) return;
    std::printf("not in attempt %d: %s\n", i + 1, said.c_str());
  }
  ADD_FAILURE() << said;
}

TEST(SteadyState, PublishAndTakeFaultNoPages)
{
  expect_of_one_in_three([](const Play& play) {
    const Faults before = faults();
    play(rounds);
    const Faults after = faults();
    require(after.minor == before.minor && after.major == before.major,
            "no page faults, but " + std::to_string(after.minor - before.minor) + " and " +
              std::to_string(after.major - before.major));
  });
}

TEST(SteadyState, PublishAndTakeLeaveThePrivateAndTheSharedHeapAsTheyWere)
{
  expect_of_one_in_three([](const Play& play) {
    const auto private_before = ::mallinfo2();
    const SharedHeapStatistics shared_before = shared_heap_statistics();
    play(rounds);
    const auto private_after = ::mallinfo2();
    const SharedHeapStatistics shared_after = shared_heap_statistics();
    // The control thread may have to do meanwhile, and its first block gives it an arena. A block
    // for each message, be it the smallest, would be four times as much.
    require(private_after.uordblks <= private_before.uordblks + 8 * rounds,
            "private bytes in use: " + std::to_string(private_before.uordblks) + " before, " +
              std::to_string(private_after.uordblks) + " after");
    require(private_after.arena <= private_before.arena + image_bytes / 4,
            "the private heap did not grow: " + std::to_string(private_before.arena) +
              " bytes before, " + std::to_string(private_after.arena) + " after");
    require(private_after.hblkhd == private_before.hblkhd, "no private blocks were mapped");
    require(shared_after.secured_bytes == shared_before.secured_bytes,
            "the shared heap did not grow");
    require(shared_after.used_bytes <= shared_before.used_bytes + 4 * image_bytes,
            "shared bytes in use");
  });
}

TEST(SteadyState, PublishAndTakeMakeNoSystemCallsWhileNobodySleeps)
{
  expect_of_one_in_three([](const Play& play) {
    const auto finished = std::make_shared<std::atomic<bool>>(false);
    // In a thread, whose filter is its own; it never ends, as that needs system calls.
    std::thread([&play, finished] {
      play(warm_up);
      allow_no_system_calls();
      play(rounds);
      finished->store(true);
      for (;;) finished->load();
    }).detach();
    require(eventually([&] { return finished->load(); }, 2 * patience), "all rounds are played");
  });
}

}  // namespace
}  // namespace agnocast::test
