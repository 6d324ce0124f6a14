// A lock for sections of well under a microsecond.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "base/atomic.hpp"

namespace agnocast::internal::os {

/// Unlike std::mutex it makes no system call to unlock, also when somebody waits; who waits spins,
/// and after some 20 microseconds sleeps in short steps, so that a holder of lower priority on the
/// same core gets to run. Meets the requirements of Lockable.
class ShortLock
{
 public:
  void lock() noexcept
  {
    if (!locked_.exchange(true, std::memory_order_acquire)) return;
    lock_contended();
  }
  bool try_lock() noexcept
  {
    return !locked_.load(std::memory_order_relaxed) &&
           !locked_.exchange(true, std::memory_order_acquire);
  }
  void unlock() noexcept { locked_.store(false, std::memory_order_release); }

 private:
  void lock_contended() noexcept;
  std::atomic<bool> locked_{false};
};

}  // namespace agnocast::internal::os
