// The lock of everything that a real-time thread can meet: it sleeps, inherits priority and hands
// over.
//
// Who holds it stands in one word, as the kernel's priority-inheriting futexes want it: 0, or the
// holder's thread id, with the highest bit set by the kernel while others sleep.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace agnocast::internal::os {

/// The kernel's number of the calling thread; 0 until find_thread_id() was called on it.
extern constinit thread_local std::uint32_t known_thread_id
  __attribute__((tls_model("initial-exec"), visibility("hidden")));
std::uint32_t find_thread_id() noexcept;

/// Uncontended, it costs two atomic operations, of which each may fail only in favour of the slow
/// path, and no system call. A thread that waits spins for some microseconds, for the holder may
/// run on another core and be done; then it sleeps in the kernel, lends the holder its priority,
/// and gets the lock from the unlock itself, so that no holder takes it again before all who sleep.
/// The holder makes a system call to unlock only if somebody sleeps.
///
/// Meets the requirements of Lockable; allocates nothing and keeps errno, so malloc may use it. Not
/// recursive: who locks it twice is stopped. In a forked child, a lock that the forking thread held
/// is unlocked by it as usual; what other threads held needs reset_in_child().
class ShortLock
{
 public:
  constexpr ShortLock() noexcept = default;
  ShortLock(const ShortLock&) = delete;
  ShortLock& operator=(const ShortLock&) = delete;

  void lock() noexcept
  {
    if (!try_lock()) lock_contended();
  }
  bool try_lock() noexcept
  {
    std::uint32_t id = known_thread_id;
    if (id == 0) id = find_thread_id();
    std::uint32_t nobody = 0;
    // Pairs with the store or exchange of 0, or of this id by the kernel, that an unlock makes.
    return word_.compare_exchange_strong(nobody, id, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  void unlock() noexcept
  {
    std::uint32_t self = known_thread_id;
    if (!word_.compare_exchange_strong(self, 0, std::memory_order_release,  // pairs with try_lock()
                                       std::memory_order_relaxed)) {
      unlock_contended();
    }
  }

  /// True if a thread sleeps until it gets the lock.
  [[nodiscard]] bool has_sleepers() const noexcept
  {
    return (word_.load(std::memory_order_relaxed) & sleepers_bit) != 0;
  }
  /// In a forked child: whoever held it does not exist here.
  void reset_in_child() noexcept { word_.store(0, std::memory_order_relaxed); }

 private:
  static constexpr std::uint32_t sleepers_bit = std::uint32_t{1} << 31;

  bool spin() noexcept;
  void lock_contended() noexcept;
  void unlock_contended() noexcept;

  std::atomic<std::uint32_t> word_{0};
};

}  // namespace agnocast::internal::os
