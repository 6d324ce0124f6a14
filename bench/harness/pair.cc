// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "harness/pair.hpp"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "harness/clock.hpp"

namespace bench {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t start_limit_ns = 30 * second_ns;
constexpr std::uint64_t task_limit_ns = 120 * second_ns;
constexpr std::uint64_t quit_limit_ns = 10 * second_ns;

}  // namespace

Pair::Pair(const System& system, std::size_t biggest_bytes) : exchange_(Exchange::create())
{
  // For the bare limits, which have no names of their own by which to find each other.
  fds_ = {memfd_create("agnocast-bench-buffer", 0), eventfd(0, 0), eventfd(0, 0)};
  if (fds_[0] < 0 || fds_[1] < 0 || fds_[2] < 0 ||
      ftruncate(fds_[0], static_cast<off_t>(2 * buffer_bytes(biggest_bytes))) != 0) {
    throw Failure(std::string("cannot make shared buffers: ") + std::strerror(errno));
  }
  std::vector<std::string> settings = system.settings;
  settings.push_back("BENCH_BUFFER_FD=" + std::to_string(fds_[0]));
  settings.push_back("BENCH_EVENT_FDS=" + std::to_string(fds_[1]) + "," + std::to_string(fds_[2]));
  if (!system.daemon.empty()) {
    daemon_ = std::make_unique<Child>(
      Child::start_and_await(system.daemon, system.daemon_ready_line, start_limit_ns));
  }
  ends_.push_back(start(system, "ping", biggest_bytes, settings));
  ends_.push_back(start(system, "pong", biggest_bytes, settings));
  const std::uint64_t deadline_ns = now_ns() + start_limit_ns;
  while (exchange_->started[0].load(std::memory_order_acquire) == 0 ||
         exchange_->started[1].load(std::memory_order_acquire) == 0) {
    check();
    if (now_ns() > deadline_ns) throw Failure(system.name + ": the two ends do not connect");
    usleep(1'000);
  }
  for (const int fd : fds_) close(fd);
}

Child Pair::start(const System& system, const char* side, std::size_t biggest_bytes,
                  const std::vector<std::string>& settings)
{
  std::vector<std::string> arguments{system.program};
  arguments.insert(arguments.end(), system.first_arguments.begin(), system.first_arguments.end());
  for (const std::string& word :
       {std::string("--side"), std::string(side), std::string("--fd"),
        std::to_string(exchange_.fd()), std::string("--parent"), std::to_string(getpid()),
        std::string("--biggest"), std::to_string(biggest_bytes)}) {
    arguments.push_back(word);
  }
  return Child::start(arguments, settings);
}

void Pair::check()
{
  if (daemon_) daemon_->check();
  for (Child& end : ends_) end.check();
}

bool Pair::can(const Task& task) const
{
  std::uint32_t needed = task.content == Content::flat ? supports_flat : supports_unsized;
  if (task.mode == Mode::poll) needed |= supports_poll;
  if (task.mode == Mode::block) needed |= supports_block;
  if (task.mode == Mode::spin) needed |= supports_spin;
  if (task.touched != 0) needed |= supports_written_and_read;
  const std::uint32_t supports = exchange_->supports.load(std::memory_order_acquire);
  if (task.touched == 0 && (supports & supports_only_written_and_read) != 0) return false;
  return (supports & needed) == needed;
}

std::vector<std::uint64_t> Pair::run(const Task& task)
{
  const std::uint32_t number = exchange_.post(task);
  const std::uint64_t deadline_ns = now_ns() + task_limit_ns;
  while (!exchange_.wait_done(number)) {
    check();
    if (now_ns() > deadline_ns) throw Failure("a task took too long");
  }
  const std::size_t count = exchange_->sample_count.load(std::memory_order_acquire);
  return {exchange_->samples_ns, exchange_->samples_ns + std::min(count, samples_max)};
}

void Pair::quit()
{
  exchange_.post({.command = Command::quit});
  for (Child& end : ends_) end.join(quit_limit_ns);
  if (daemon_) daemon_->end(SIGTERM, quit_limit_ns);
}

long Pair::disturbances() const
{
  return ends_[0].involuntary_switches() + ends_[1].involuntary_switches();
}

}  // namespace bench
