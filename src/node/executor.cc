// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/executor.hpp"

#include <csignal>
#include <limits>

#include "base/stop.hpp"
#include "heap/thread_window.hpp"
#include "node/node_core.hpp"
#include "node/stop.hpp"
#include "os/futex.hpp"
#include "runtime/runtime.hpp"

namespace agnocast {

namespace internal {

std::int64_t deadline_after(std::optional<std::chrono::nanoseconds> timeout)
{
  if (!timeout) return -1;
  const std::int64_t now = os::monotonic_ns();
  const std::int64_t wanted = timeout->count() < 0 ? 0 : timeout->count();
  return wanted > std::numeric_limits<std::int64_t>::max() - now ? -1 : now + wanted;
}

namespace {

void on_signal(int signal)
{
  std::signal(signal, SIG_DFL);  // the second one ends a program that does not stop
  shutdown();
}

}  // namespace
}  // namespace internal

void init(int, char**)
{
  internal::stop_requested = false;
  internal::Runtime::instance();  // so that the signal handler need not make it
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction present = {};
    if (::sigaction(signal, nullptr, &present) != 0 || present.sa_handler != SIG_DFL) continue;
    struct sigaction ours = {};
    ours.sa_handler = internal::on_signal;
    ours.sa_flags = SA_RESTART;
    ::sigaction(signal, &ours, nullptr);
  }
}

bool ok() noexcept
{
  return !internal::stop_requested.load();
}

void shutdown() noexcept
{
  internal::stop_requested = true;
  internal::Runtime::instance().wake_all_wait_sets();
}

namespace {

constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();
constexpr std::uint64_t any_time = std::numeric_limits<std::uint64_t>::max();

}  // namespace

// Each keeps the node: a callback may drop the caller's reference, which is only referred to.

void spin(const std::shared_ptr<Node>& caller_s_node, const SpinOptions& options)
{
  const internal::LibraryWork work;
  const std::shared_ptr<Node> node = caller_s_node;
  internal::NodeCore& core = *node->core();
  while (ok()) {
    core.run_callbacks(any_number, any_time);
    core.wait_set().wait(-1, options.spin_for.count(), internal::stop_requested);
  }
}

void spin_some(const std::shared_ptr<Node>& caller_s_node)
{
  const std::shared_ptr<Node> node = caller_s_node;
  const auto now = static_cast<std::uint64_t>(internal::os::monotonic_ns());
  while (ok() && node->core()->run_callbacks(any_number, now) != 0) {
  }
}

bool spin_once(const std::shared_ptr<Node>& caller_s_node,
               std::optional<std::chrono::nanoseconds> timeout)
{
  const internal::LibraryWork work;
  const std::shared_ptr<Node> node = caller_s_node;
  internal::NodeCore& core = *node->core();
  const std::int64_t deadline = internal::deadline_after(timeout);
  for (;;) {
    if (core.run_callbacks(1, any_time) != 0) return true;
    if (!ok() || !core.wait_set().wait(deadline, 0, internal::stop_requested)) return false;
  }
}

}  // namespace agnocast
