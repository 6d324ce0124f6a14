// What a thread sleeps on: descriptors that become ready, and a wake-up by other threads.
//
// A program may close all its descriptors at any time and use the numbers for its own. So nothing
// is waited on, read or closed before it is known to be ours: the wake-up socket by its inode, the
// epoll instance by that it knows this very socket, and everything else by that the instance knows
// it (it keeps the open file beside the number). All are one-shot: an entry whose descriptor was
// closed while a copy of it lives on elsewhere (dup, fork) cannot be taken out any more, and speaks
// once at most.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "os/short_lock.hpp"

namespace agnocast::internal::os {

/// Thread safety: wake() from any thread; all else from the one that waits.
class Epoll
{
 public:
  Epoll() = default;
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;

  /// Makes the instance and its socket. False if no descriptors are to be had; wait() can be used
  /// all the same, and then only sleeps until the time-out or a wake-up.
  bool open();
  [[nodiscard]] bool is_open() const noexcept { return epoll_ >= 0; }
  /// False if it was never open, or the program has closed or replaced a part of it: all that was
  /// added is forgotten then.
  bool check() noexcept;
  /// Closes what is still ours.
  void close() noexcept;

  /// Reports \p key once when the descriptor becomes readable.
  bool add(int descriptor, std::uint64_t key) noexcept;
  /// For a further report. False if the descriptor is not the one that was added.
  bool rearm(int descriptor, std::uint64_t key) noexcept;
  /// True if the descriptor was the one that was added, so that the caller may close it.
  bool remove(int descriptor) noexcept;

  struct Ready
  {
    std::array<std::uint64_t, 64> keys;
    std::size_t count = 0;
    bool woken = false;
  };
  /// Until something is ready, somebody calls wake(), or the time is over.
  Ready wait(int timeout_ms);
  /// Ends the wait that goes on, or the next one.
  void wake() noexcept;

 private:
  [[nodiscard]] bool has_socket() const noexcept;
  void drop() noexcept;

  int epoll_ = -1;
  ShortLock mutex_;  ///< guards the ends of the socket while they change; publishes and takes wake
  std::array<int, 2> socket_{-1, -1};
  std::array<std::uint64_t, 2> inodes_{};
  std::uint32_t woken_ = 0;  ///< a futex word: 1 from the first wake() to the end of the wait
};

}  // namespace agnocast::internal::os
