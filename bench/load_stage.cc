// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "load_stage.hpp"

#include <dirent.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <climits>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <utility>

#include "harness/clock.hpp"

namespace bench {
namespace {

constexpr std::uint64_t limit_ns = 60'000'000'000;

void unmap(LoadPage* page)
{
  munmap(page, sizeof(LoadPage));
}

}  // namespace

SharedLoadPage make_load_page()
{
  void* address = mmap(nullptr, sizeof(LoadPage), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (address == MAP_FAILED) throw Failure("cannot map the shared page");
  return {static_cast<LoadPage*>(address), &unmap};
}

std::vector<double> LoadPage::samples(std::size_t series) const
{
  const std::size_t count = std::min<std::uint64_t>(counts[series].load(), load_samples_max);
  std::vector<double> found(samples_ns[series], samples_ns[series] + count);
  std::sort(found.begin(), found.end());
  return found;
}

Role::Role(const std::vector<std::string>& settings, const std::function<void()>& body)
{
  std::fflush(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw Failure("cannot start a process");
  if (pid_ != 0) return;
  die_with_parent(parent);
  for (const std::string& setting : settings) {
    const std::size_t middle = setting.find('=');
    setenv(setting.substr(0, middle).c_str(), setting.substr(middle + 1).c_str(), 1);
  }
  int status = 0;
  try {
    body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "agnocast-bench: process %d: %s\n", getpid(), error.what());
    status = 1;
  }
  std::exit(status);  // with the library's destructors, as any program ends
}

Role::Role(Role&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

Role::~Role()
{
  if (pid_ <= 0) return;
  signal(SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Role::signal(int number) const
{
  if (pid_ > 0) kill(pid_, number);
}

void Role::join()
{
  int status = 0;
  const std::uint64_t deadline_ns = now_ns() + limit_ns;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (now_ns() > deadline_ns) throw Failure("a process does not end");
    usleep(200);
  }
  pid_ = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw Failure("a process has failed");
}

std::uint64_t Role::cpu_ns() const
{
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(used.tv_nsec);
}

std::uint64_t Role::wake_ups() const
{
  const std::string folder = "/proc/" + std::to_string(pid_) + "/task";
  DIR* const entries = opendir(folder.c_str());
  if (entries == nullptr) throw Failure("cannot read " + folder);
  const std::string word = "voluntary_ctxt_switches:";
  std::uint64_t count = 0;
  while (const dirent* entry = readdir(entries)) {
    std::ifstream status(folder + "/" + entry->d_name + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.rfind(word, 0) == 0) count += std::stoull(line.substr(word.size()));
    }
  }
  closedir(entries);
  return count;
}

void await(const char* what, const std::function<bool()>& holds)
{
  const std::uint64_t deadline_ns = now_ns() + limit_ns;
  while (!holds()) {
    if (now_ns() > deadline_ns) throw Failure(std::string("waited too long for ") + what);
    usleep(1'000);
  }
}

void await_ready(const LoadPage& page, std::uint32_t count)
{
  await("processes to get ready", [&] { return page.ready.load() >= count; });
}

void await_go(const LoadPage& page)
{
  while (page.go.load() == 0) usleep(1'000);
}

// Asleep: who waits here is measured as idle.
void await_quit(const LoadPage& page)
{
  while (page.quit.load() == 0) syscall(SYS_futex, &page.quit, FUTEX_WAIT, 0, nullptr);
}

void tell_to_quit(LoadPage& page)
{
  page.quit.store(1);
  syscall(SYS_futex, &page.quit, FUTEX_WAKE, INT_MAX);
}

}  // namespace bench
