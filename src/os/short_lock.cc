// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/short_lock.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/atomic.hpp"
#include "base/check.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"

namespace agnocast::internal::os {

constinit thread_local std::uint32_t known_thread_id = 0;

namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

long futex(std::atomic<std::uint32_t>& word, int operation) noexcept
{
  return ::syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, 0, nullptr, nullptr, 0);
}

// The forking thread has another number in the child. Installed when the library is loaded, so that
// it runs before the handlers of whoever forks.
__attribute__((constructor(101))) void watch_forks()
{
  on_fork(nullptr, nullptr, [] { known_thread_id = 0; });
}

}  // namespace

std::uint32_t find_thread_id() noexcept
{
  known_thread_id = static_cast<std::uint32_t>(::syscall(SYS_gettid));
  return known_thread_id;
}

// True with the lock. Not for long: the holder may wait for this very core. Not past those who
// sleep: they get it first in any case.
bool ShortLock::spin() noexcept
{
  constexpr std::int64_t patience_ns = 5'000;
  const std::int64_t end = monotonic_ns() + patience_ns;
  do {
    for (int i = 0; i < 16; ++i) {
      const std::uint32_t holder = word_.load(std::memory_order_relaxed);
      if (holder == 0 && try_lock()) return true;
      if ((holder & sleepers_bit) != 0) return false;
      pause_spinning();
    }
  } while (monotonic_ns() < end);
  return false;
}

[[gnu::cold]] void ShortLock::lock_contended() noexcept
{
  if (spin()) return;
  const int error = errno;
  while (futex(word_, FUTEX_LOCK_PI) != 0) {
    AGNOCAST_CHECK(errno != EDEADLK);  // this thread holds it already
    // EAGAIN: the kernel saw a change meanwhile. Anything else: it has no such futexes, or no
    // memory for this one, so the thread waits by itself.
    if (errno != EAGAIN) sleep_ns(50'000);
    if (try_lock()) break;
  }
  // The kernel made this thread the holder: pairs with the exchange in unlock_contended().
  static_cast<void>(word_.load(std::memory_order_acquire));
  errno = error;
}

[[gnu::cold]] void ShortLock::unlock_contended() noexcept
{
  const int error = errno;
  // Changes nothing: what was done under the lock is seen by whom the kernel makes its holder.
  // Pairs with the load at the end of lock_contended().
  word_.fetch_or(0, std::memory_order_release);
  // Refused in a forked child, where the word has the number that the thread had in the parent.
  if (futex(word_, FUTEX_UNLOCK_PI) != 0) word_.store(0, std::memory_order_release);
  errno = error;
}

}  // namespace agnocast::internal::os
