// What a process may find around it: odd masks, no standard streams, no folder, locked memory, a
// crash of its own.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "machine/machine.hpp"

namespace agnocast::test {
namespace {

class Environment : public ForcefulTest
{
};

std::uint64_t free_shared_memory()
{
  struct statvfs status = {};
  require(::statvfs("/dev/shm", &status) == 0, "statvfs");
  return status.f_bavail * status.f_frsize;
}

void exchange_with_a_talker()
{
  Node node("listener");
  auto subscription = node.create_subscription<Report>("/machine", QoS(50));
  Talker talker;
  require(talker.publish(20) == "published", "published");
  std::uint64_t last = 0;
  await_number(*subscription, last, 20);
  talker.leave();
}

unsigned mode_of(const std::string& path)
{
  struct stat status = {};
  require(::stat(path.c_str(), &status) == 0, path);
  return status.st_mode & 07777;
}

TEST_F(Environment, OfAnyUmaskGivesObjectsTheSameModes)
{
  for (const mode_t mask : {0777u, 0u}) {
    EXPECT_ALL_WELL([&] {
      ::umask(mask);
      exchange_with_a_talker();
      require(mode_of(registry_path()) == 0600 && mode_of(area_path(::getpid())) == 0400 &&
                mode_of("/dev/shm/agnocast_doorbell@" + std::to_string(::getpid())) == 0600,
              "modes");
    });
  }
}

TEST_F(Environment, OfAClosedUmaskLetsManyFoundADomainAtOnce)
{
  EXPECT_ALL_WELL([] {
    become_ordinary();  // root may open what has no mode
    ::umask(0777);
    for (int round = 0; round < 10; ++round) {
      std::vector<std::unique_ptr<Process>> joiners;
      for (int i = 0; i < 6; ++i) {
        joiners.push_back(std::make_unique<Process>([](Channel& channel) {
          channel.hear();
          channel.say(outcome_of_joining("/joining_" + std::to_string(::getpid())));
        }));
      }
      for (const auto& joiner : joiners) joiner->say("go");
      for (const auto& joiner : joiners) {
        const std::string outcome = joiner->hear();
        require(outcome == "nothing thrown", outcome);
        require(joiner->wait() == 0, "it ends in order");
      }
    }
  });
}

TEST_F(Environment, WithoutFolderHomeOrKnownLanguageIsServed)
{
  EXPECT_ALL_WELL([] {
    char folder[] = "/tmp/agnocast_test_XXXXXX";
    require(::mkdtemp(folder) != nullptr && ::chdir(folder) == 0 && ::rmdir(folder) == 0,
            "a folder that is gone");
    ::unsetenv("HOME");
    ::unsetenv("PATH");
    ::setenv("LANG", "tlh_XX.EBCDIC", 1);
    ::setenv("LC_ALL", "xx", 1);
    require(::setlocale(LC_ALL, "") == nullptr, "an unknown language");
    exchange_with_a_talker();
  });
}

TEST_F(Environment, WithoutStandardStreamsDoesNotPutObjectsInTheirPlace)
{
  EXPECT_ALL_WELL([] {
    Process program([](Channel& channel) {
      constexpr static int standard[] = {0, 1, 2};
      for (const int fd : standard) ::close(fd);
      // What others print meanwhile must not be written into what the library has open.
      std::atomic<bool> stop{false};
      std::atomic<int> written{0};
      std::thread printing([&] {
        const std::string text(300, '#');
        while (!stop) {
          for (const int fd : {1, 2}) written += ::write(fd, text.data(), text.size()) > 0 ? 1 : 0;
        }
      });
      Node node("mute");
      auto subscription = node.create_subscription<Report>("/machine", QoS(50));
      channel.say("ready");
      for (int i = 0; i < 200; ++i) {
        static_cast<void>(node.create_publisher<Report>("/mute", QoS(5)));
      }
      std::uint64_t last = 0;
      await_number(*subscription, last, 20);
      // Not at every moment: the control thread may be opening something.
      const bool is_free = eventually([] {
        return std::all_of(std::begin(standard), std::end(standard),
                           [](int fd) { return ::fcntl(fd, F_GETFD) < 0 && errno == EBADF; });
      });
      stop = true;
      printing.join();
      std::string taken;
      for (const int fd : standard) {
        std::error_code error;
        taken +=
          std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), error).string() +
          " ";
      }
      require(is_free, "the places are still free: " + taken);
      require(written == 0, "nothing was written anywhere: " + std::to_string(written.load()));
      channel.say("all well");
    });
    require(program.hear() == "ready", "a program without streams");
    Talker talker;
    require(talker.publish(20) == "published", "published");
    const std::string said = program.hear();
    require(said == "all well", said);
    require(program.wait() == 0, "it ends in order");
    talker.leave();
  });
}

/// Under mlockall() every page that may be accessed becomes resident: only what is used may be.
void stay_small_when_locked(const std::function<void()>& lock_before,
                            const std::function<void()>& lock_after)
{
  enter_own_shm("size=400m");
  lock_before();
  Node node("real_time");
  auto publisher = node.create_publisher<Report>("/locked", QoS(10));
  auto subscription = node.create_subscription<Report>("/locked", QoS(10));
  auto from_other = node.create_subscription<Report>("/machine", QoS(10));
  Talker talker;
  require(talker.publish(5) == "published", "published");
  std::uint64_t last = 0;
  await_number(*from_other, last, 5);
  lock_after();
  for (std::uint64_t i = 1; i <= 20; ++i) {
    publish_report(*publisher, i, 200'000);
    const auto message = subscription->take();
    require(message && is_whole(*message, i, 200'000), "the heap grows");
  }
  require(talker.publish(5) == "published", "published");
  await_number(*from_other, last, 10);
  require(status_kb("VmLck") > 0, "memory is locked");
  require(status_kb("VmRSS") < 250'000, "resident: " + std::to_string(status_kb("VmRSS")) + " kB");
  require(free_shared_memory() > 200'000'000, "/dev/shm is not filled with what nobody uses");
  talker.leave();
}

void lock(int flags)
{
  set_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
  if (::mlockall(flags) != 0) throw Cannot("mlockall is not permitted");
  void* much = ::mmap(nullptr, std::size_t{1} << 44, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (much == MAP_FAILED) throw Cannot("so much memory may not be locked");
  ::munmap(much, std::size_t{1} << 44);
}

TEST_F(Environment, WithMemoryLockedFromTheStartStaysSmall)
{
  EXPECT_ALL_WELL([] { stay_small_when_locked([] { lock(MCL_CURRENT | MCL_FUTURE); }, [] {}); });
}

TEST_F(Environment, WithMemoryLockedAfterJoiningStaysSmall)
{
  EXPECT_ALL_WELL([] { stay_small_when_locked([] {}, [] { lock(MCL_CURRENT | MCL_FUTURE); }); });
}

TEST_F(Environment, WithALimitOnLockedMemoryNamesWindowAndRemedy)
{
  EXPECT_ALL_WELL([] {
    set_limit(RLIMIT_MEMLOCK, 64 << 20);
    if (::mlockall(MCL_FUTURE) != 0) throw Cannot("mlockall is not permitted");
    become_ordinary();
    const std::string outcome = outcome_of_joining();
    require(static_cast<bool>(contains(
              outcome, {"ResourceError", "window", "mlockall", "ulimit -l", "AGNOCAST_WINDOW"})),
            outcome);
  });
}

/// Crashes, with a core dump of what the kernel dumps by \p filter. How large that became.
std::uintmax_t core_size(const std::string& filter)
{
  std::string pattern;
  std::getline(std::ifstream("/proc/sys/kernel/core_pattern"), pattern);
  if (pattern.empty() || pattern[0] == '|' || pattern[0] == '/') {
    throw Cannot("core dumps do not go into the current folder: " + pattern);
  }
  char folder[] = "/tmp/agnocast_test_XXXXXX";
  require(::mkdtemp(folder) != nullptr, "a folder");
  Talker talker;
  Process crashing([&](Channel& channel) {
    require(::chdir(folder) == 0, "chdir");
    set_limit(RLIMIT_CORE, 300 << 20);
    std::ofstream("/proc/self/coredump_filter") << filter;
    Node node("crashing");
    auto publisher = node.create_publisher<Report>("/own", QoS(10));
    auto subscription = node.create_subscription<Report>("/machine", QoS(10));
    publish_report(*publisher, 1);
    channel.say("ready");
    const auto held = await_message(*subscription);
    channel.say("holding");
    channel.hear();  // the area of the message has no name any more: another rule for the kernel
    require(held && is_whole(*held, 1), "it is whole");
    std::abort();
  });
  require(crashing.hear() == "ready" && talker.publish(1) == "published", "a message");
  require(crashing.hear() == "holding", "it is held");
  talker.leave();
  const std::uint64_t before = free_shared_memory();
  crashing.say("crash");
  require(crashing.wait(std::chrono::seconds(60)) == -SIGABRT, "it crashes");
  std::uintmax_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    bytes += std::filesystem::file_size(file.path());
  }
  std::filesystem::remove_all(folder);
  require(free_shared_memory() + 20'000'000 > before, "the dump takes nothing of /dev/shm");
  return bytes;
}

TEST_F(Environment, ThatDumpsCoreLeavesTheWindowOut)
{
  for (const std::string filter : {"0x33", "0x7f"}) {
    EXPECT_ALL_WELL([&] {
      const std::uintmax_t bytes = core_size(filter);
      if (bytes == 0) throw Cannot("core dumps are off");
      require(bytes < 100'000'000, std::to_string(bytes) + " bytes");
    });
  }
}

}  // namespace
}  // namespace agnocast::test
