// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "stress/conductor.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "support/domain.hpp"
#include "support/stacks.hpp"

namespace agnocast::stress {

using namespace std::chrono_literals;

Conductor::Conductor(const Plan& plan)
  : plan_(plan),
    random_(plan.seed),
    domain_(3'000'000 + static_cast<std::uint32_t>(::getpid())),
    processes_(std::min<std::size_t>(plan.processes, processes_max))
{
  board_fd_ = ::memfd_create("stress_board", 0);
  errors_fd_ = ::memfd_create("stress_errors", MFD_CLOEXEC);
  if (board_fd_ < 0 || errors_fd_ < 0 || ::ftruncate(board_fd_, sizeof(Board)) != 0 ||
      (board_ = Board::map(board_fd_)) == nullptr || ::fcntl(errors_fd_, F_SETFL, O_APPEND) != 0) {
    throw std::runtime_error("the stress cannot be set up");
  }
  board_->threads = std::min<std::uint32_t>(plan.threads, threads_max - 1);
  board_->patience_s = plan.patience_s;
  board_->hands_over_loans = plan.hands_over_loans ? 1 : 0;
  ::setenv("AGNOCAST_DOMAIN_ID", std::to_string(domain_).c_str(), 1);
  ::setenv("AGNOCAST_MEMPOOL_SIZE", "2048000", 0);  // small, so that the heaps grow
#ifdef AGNOCAST_TEST_WINDOW
  ::setenv("AGNOCAST_WINDOW", AGNOCAST_TEST_WINDOW, 1);
#endif
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  program_ = std::string(path, length > 0 ? static_cast<std::size_t>(length) : 0) + "_actor";
}

void Conductor::fail(const std::string& what)
{
  failures_.push_back(what);
  std::printf("FAILED after %.1f s: %s\n", static_cast<double>(now_ns() - began_ns_) / 1e9,
              what.c_str());
  std::fflush(stdout);
}

bool Conductor::has_found() const
{
  return !failures_.empty() || board_->findings_count.load() != 0;
}

void Conductor::start(std::size_t process)
{
  Process& place = processes_[process];
  place.seed = random_.next() % 1'000'000'000;
  place.started_ns = now_ns();
  const std::string arguments[] = {program_, std::to_string(board_fd_), std::to_string(process),
                                   std::to_string(place.seed)};
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  place.pid = ::vfork();
  if (place.pid == 0) {
    ::dup2(errors_fd_, STDERR_FILENO);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  if (place.pid < 0) throw std::runtime_error("no process can be started");
  pids_.push_back(place.pid);
}

void Conductor::reap()
{
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      Process& process = processes_[i];
      if (process.pid != pid) continue;
      process.pid = 0;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
      const std::string how = WIFSIGNALED(status)
                                ? "was ended by signal " + std::to_string(WTERMSIG(status))
                                : "ended with status " + std::to_string(WEXITSTATUS(status));
      fail("process " + std::to_string(i) + " (" + std::to_string(pid) + ", its seed " +
           std::to_string(process.seed) + ") " + how);
    }
  }
}

bool Conductor::look_for_hangs()
{
  const std::uint64_t patience_ns = plan_.patience_s * 1'000'000'000ull;
  bool found = false;
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    const Process& process = processes_[i];
    if (process.pid == 0 || now_ns() < process.started_ns + patience_ns) continue;
    for (std::size_t thread = 0; thread < threads_max; ++thread) {
      const ThreadSeat& seat = board_->processes[i].threads[thread];
      const std::uint64_t alive_ns = seat.alive_ns.load();
      // The main thread of a process that ends has nothing to say any more.
      const bool is_silent = alive_ns != 0 ? now_ns() > alive_ns + patience_ns : false;
      if (!is_silent) continue;
      found = true;
      fail("process " + std::to_string(i) + ", thread " + std::to_string(thread) + ": to '" +
           seat.doing + "' takes " + std::to_string((now_ns() - alive_ns) / 1'000'000'000) + " s");
    }
  }
  if (!found) return false;
  for (const Process& process : processes_) {
    if (process.pid != 0) test::print_stacks(process.pid, stdout);
  }
  return true;
}

void Conductor::kill_all()
{
  for (Process& process : processes_) {
    if (process.pid == 0) continue;
    ::kill(process.pid, SIGKILL);
    ::waitpid(process.pid, nullptr, 0);
    process.pid = 0;
  }
}

void Conductor::let_all_end()
{
  board_->end.store(1);
  const auto is_left = [](const Process& process) { return process.pid != 0; };
  while (std::any_of(processes_.begin(), processes_.end(), is_left)) {
    reap();
    if (look_for_hangs()) break;
    std::this_thread::sleep_for(5ms);
  }
  kill_all();
}

void Conductor::judge_remains()
{
  const std::string registry = "/dev/shm/agnocast_registry." + std::to_string(domain_);
  const std::string left = test::remains_in(domain_, pids_, {}, began_at_);
  if (!has_found()) {
    if (::access(registry.c_str(), F_OK) == 0) fail("the registry is left: " + registry);
    if (!left.empty()) fail("left after the end: " + left);
    return;
  }
  // Who crashed or was killed leaves things for the next that joins, and here nobody will.
  ::unlink(registry.c_str());
  std::istringstream paths(left);
  for (std::string path; std::getline(paths, path);) ::unlink(path.c_str());
}

std::uint64_t Conductor::total(Count what) const
{
  std::uint64_t sum = 0;
  for (const ProcessSeat& seat : board_->processes) {
    sum += seat.counts[static_cast<std::size_t>(what)].load();
  }
  return sum;
}

bool Conductor::run()
{
  std::printf("stress: seed %llu, %zu processes, %u threads each, domain %u\n",
              static_cast<unsigned long long>(plan_.seed), processes_.size(), board_->threads,
              domain_);
  std::fflush(stdout);
  const std::uint64_t end = began_ns_ + static_cast<std::uint64_t>(plan_.seconds * 1e9);
  while (now_ns() < end) {
    reap();
    if ((has_found() && !plan_.keep_going) || look_for_hangs()) break;
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      if (processes_[i].pid == 0) start(i);
    }
    std::this_thread::sleep_for(2ms);
  }
  let_all_end();
  judge_remains();
  print_findings();
  print_said();
  print_summary();
  return !has_found();
}

}  // namespace agnocast::stress
