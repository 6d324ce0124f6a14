// Processes, cores and patience.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "peer.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "clock.hpp"

namespace bench {
namespace {

constexpr std::uint64_t idle_settle_ns = 50'000;

std::string with_errno(const std::string& what, int error)
{
  return what + ": " + std::strerror(error);
}

void relax() noexcept
{
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

std::string describe_end(int status)
{
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Pins usable_pins(const std::vector<int>& cores, bool lenient)
{
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    throw Failure(with_errno("cannot read the cores of this process", errno));
  }
  std::array<int, 2> chosen{};
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    chosen[i] = cores.at(i);
    if (chosen[i] >= 0 && chosen[i] < CPU_SETSIZE && CPU_ISSET(chosen[i], &allowed)) continue;
    const std::string missing = "core " + std::to_string(chosen[i]) + " is not there";
    if (!lenient) throw Failure(missing + "; give other cores with --pin");
    chosen[i] = 0;
    while (!CPU_ISSET(chosen[i], &allowed)) ++chosen[i];
    std::printf("%s; core %d takes its place\n", missing.c_str(), chosen[i]);
  }
  return {.ping = chosen[0], .pong = chosen[1]};
}

void pin_this_process(int core)
{
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    throw Failure(with_errno("cannot pin to core " + std::to_string(core), errno));
  }
}

Peer Peer::start(const std::vector<std::string>& arguments)
{
  std::vector<std::string> words{"agnocast-bench"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  pid_t pid = -1;
  const int error = posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, argv.data(), environ);
  if (error != 0) throw Failure(with_errno("cannot start the peer process", error));
  Peer peer(pid);
  peer.is_child_ = true;
  const std::string id = std::to_string(pid);
  const std::string path = "/proc/" + id + "/task/" + id + "/stat";
  peer.stat_fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (peer.stat_fd_ < 0) throw Failure(with_errno("cannot open " + path, errno));
  return peer;
}

Peer Peer::parent(pid_t expected)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Peer peer(expected);
  peer.check();
  return peer;
}

Peer::Peer(Peer&& other) noexcept
  : pid_(std::exchange(other.pid_, -1)),
    is_child_(std::exchange(other.is_child_, false)),
    stat_fd_(std::exchange(other.stat_fd_, -1)),
    exit_status_(other.exit_status_)
{
}

Peer::~Peer()
{
  if (stat_fd_ >= 0) close(stat_fd_);
  if (!is_child_ || ended(WNOHANG)) return;
  kill(pid_, SIGKILL);
  static_cast<void>(ended(0));
}

bool Peer::ended(int wait_flags)
{
  if (exit_status_ >= 0) return true;
  int status = 0;
  if (waitpid(pid_, &status, wait_flags) != pid_) return false;
  exit_status_ = status;
  return true;
}

void Peer::check()
{
  if (is_child_ && ended(WNOHANG)) {
    throw Failure("the peer process " + describe_end(exit_status_));
  }
  if (!is_child_ && getppid() != pid_) throw Failure("the ping process has ended");
}

void Peer::join()
{
  const std::uint64_t deadline_ns = now_ns() + 10'000'000'000;
  while (!ended(WNOHANG)) {
    if (now_ns() > deadline_ns) throw Failure("the peer process does not exit");
    usleep(1'000);
  }
  if (exit_status_ != 0) throw Failure("the peer process " + describe_end(exit_status_));
}

bool Peer::asleep() const
{
  // "pid (name) S ...": the state is the first letter after the last parenthesis.
  std::array<char, 512> text{};
  const ssize_t size = pread(stat_fd_, text.data(), text.size(), 0);
  if (size <= 0) return false;
  const std::string_view line(text.data(), static_cast<std::size_t>(size));
  const std::size_t name_end = line.rfind(')');
  return name_end != std::string_view::npos && line.substr(name_end).starts_with(") S");
}

void Patience::rest(bool same_core)
{
  if (same_core) {
    sched_yield();
  } else {
    relax();
  }
  spin();
}

void Patience::check()
{
  peer_.check();
  if (deadline_ns_ == 0) deadline_ns_ = now_ns() + limit_ns;
  if (now_ns() > deadline_ns_) throw Failure(std::string("waited too long for ") + awaited_);
}

void wait_until_asleep(Peer& peer, bool same_core)
{
  Patience patience(peer, "the peer to fall asleep");
  while (!peer.asleep()) patience.rest(same_core);
  const std::uint64_t settled_ns = now_ns() + idle_settle_ns;
  while (now_ns() < settled_ns) relax();
}

}  // namespace bench
