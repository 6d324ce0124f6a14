// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "harness/process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "harness/clock.hpp"

namespace bench {
namespace {

constexpr std::uint64_t idle_settle_ns = 50'000;

std::string with_errno(const std::string& what, int error)
{
  return what + ": " + std::strerror(error);
}

std::string describe_end(int status)
{
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

void relax() noexcept
{
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void check_core(int core)
{
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    throw Failure(with_errno("cannot read the cores of this process", errno));
  }
  if (core < 0 || core >= CPU_SETSIZE || !CPU_ISSET(core, &allowed)) {
    throw Failure("core " + std::to_string(core) + " is not there; give other cores with --pin");
  }
}

void pin_this_thread(int core)
{
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    throw Failure(with_errno("cannot pin to core " + std::to_string(core), errno));
  }
}

Child Child::start(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& settings)
{
  return spawn(arguments, settings, -1);
}

Child Child::start_and_await(const std::vector<std::string>& arguments, const std::string& ready,
                             std::uint64_t limit_ns)
{
  // A pseudo-terminal, since programs that write into a pipe may keep their lines to themselves;
  // nobody needs to read on: when its buffer is full, the daemon's lines are dropped.
  const int output = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (output < 0 || grantpt(output) != 0 || unlockpt(output) != 0) {
    throw Failure(with_errno("cannot make a terminal for " + arguments[0], errno));
  }
  const int slave = open(ptsname(output), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  Child child = spawn(arguments, {}, slave);
  close(slave);
  child.output_fd_ = output;
  const std::uint64_t deadline_ns = now_ns() + limit_ns;
  std::string text;
  while (text.find(ready) == std::string::npos) {
    std::array<char, 512> part{};
    const ssize_t size = read(output, part.data(), part.size());
    if (size > 0) {
      text.append(part.data(), static_cast<std::size_t>(size));
    } else {
      if (child.has_ended() || now_ns() > deadline_ns) {
        throw Failure(arguments[0] + " did not say '" + ready + "' but:\n" + text);
      }
      usleep(1'000);
    }
  }
  return child;
}

Child Child::spawn(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& settings, int output_fd)
{
  std::vector<std::string> words = arguments;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> added = settings;
  std::vector<char*> environment;
  for (std::string& setting : added) environment.push_back(setting.data());
  for (char** setting = environ; *setting != nullptr; ++setting) environment.push_back(*setting);
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (output_fd >= 0) {
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
  }
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw Failure(with_errno("cannot start " + arguments[0], error));
  return Child(pid, arguments[0]);
}

Child::Child(Child&& other) noexcept
  : pid_(std::exchange(other.pid_, -1)),
    output_fd_(std::exchange(other.output_fd_, -1)),
    name_(std::move(other.name_)),
    has_ended_(std::exchange(other.has_ended_, true)),
    status_(other.status_),
    involuntary_switches_(other.involuntary_switches_)
{
}

Child::~Child()
{
  if (pid_ > 0) end(SIGKILL, 0);
  if (output_fd_ >= 0) close(output_fd_);
}

bool Child::ended(int wait_flags)
{
  if (has_ended_) return true;
  int status = 0;
  rusage usage{};
  if (wait4(pid_, &status, wait_flags, &usage) != pid_) return false;
  has_ended_ = true;
  status_ = status;
  involuntary_switches_ = usage.ru_nivcsw;
  return true;
}

bool Child::has_ended()
{
  return ended(WNOHANG);
}

void Child::check()
{
  if (ended(WNOHANG)) throw Failure(name_ + " " + describe_end(status_));
}

void Child::end(int signal_number, std::uint64_t limit_ns)
{
  if (ended(WNOHANG)) return;
  kill(pid_, signal_number);
  const std::uint64_t deadline_ns = now_ns() + limit_ns;
  while (!ended(WNOHANG)) {
    if (now_ns() > deadline_ns) {
      kill(pid_, SIGKILL);
      static_cast<void>(ended(0));
      return;
    }
    usleep(1'000);
  }
}

void Child::join(std::uint64_t limit_ns)
{
  const std::uint64_t deadline_ns = now_ns() + limit_ns;
  while (!ended(WNOHANG)) {
    if (now_ns() > deadline_ns) throw Failure(name_ + " does not exit");
    usleep(1'000);
  }
  if (status_ != 0) throw Failure(name_ + " " + describe_end(status_));
}

void die_with_parent(pid_t expected)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != expected) throw Failure("the driver has ended");
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
  if (deadline_ns_ == 0) deadline_ns_ = now_ns() + limit_ns;
  if (now_ns() > deadline_ns_) throw Failure(std::string("waited too long for ") + awaited_);
}

SleepObserver::SleepObserver(pid_t thread)
{
  const std::string path = "/proc/" + std::to_string(thread) + "/stat";
  fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) throw Failure(with_errno("cannot open " + path, errno));
}

SleepObserver::~SleepObserver()
{
  close(fd_);
}

bool SleepObserver::asleep() const
{
  // "pid (name) S ...": the state is the first letter after the last parenthesis.
  std::array<char, 512> text{};
  const ssize_t size = pread(fd_, text.data(), text.size(), 0);
  if (size <= 0) return false;
  const std::string_view line(text.data(), static_cast<std::size_t>(size));
  const std::size_t name_end = line.rfind(')');
  return name_end != std::string_view::npos && line.substr(name_end).starts_with(") S");
}

void SleepObserver::wait_until_asleep(bool same_core)
{
  Patience patience("the other end to fall asleep");
  while (!asleep()) patience.rest(same_core);
  const std::uint64_t settled_ns = now_ns() + idle_settle_ns;
  while (now_ns() < settled_ns) relax();
}

}  // namespace bench
