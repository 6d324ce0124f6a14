// Decides where memory comes from: the process's own malloc, or the shared heap.
//
// Runs inside malloc and before main: allocates nothing, throws nothing, has no guarded statics.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "agnocast/export.hpp"
#include "agnocast/ipc_shared_ptr.hpp"
#include "base/result.hpp"
#include "runtime/runtime.hpp"

namespace agnocast::internal {

/// Which loans a thread has open. While open() is above 0, what the thread allocates goes to the
/// shared heap. Other threads change it too: a loan that moves takes its window along.
/// Invariant: a window is a thread's until the thread ends and no loan refers to it.
struct ThreadWindow
{
  /// In the low half of `counts`; the high half counts the references: the thread's own, and one
  /// for each open loan. Together, so that a loan opens and closes with one atomic operation each.
  static constexpr std::int64_t one_open = 1;
  static constexpr std::int64_t one_reference = std::int64_t{1} << 32;
  std::atomic<std::int64_t> counts{0};
  ThreadWindow* next_free = nullptr;

  static constexpr std::int32_t open_in(std::int64_t counts) noexcept
  {
    return static_cast<std::int32_t>(counts);
  }
  /// Of the difference, since what is open may be below 0: a PrivateHeapScope outweighs all loans.
  static constexpr std::int32_t references_in(std::int64_t counts) noexcept
  {
    return static_cast<std::int32_t>((counts - open_in(counts)) >> 32);
  }
};

/// The calling thread's window, made now if it has none. nullptr if there is no memory.
ThreadWindow* own_window() noexcept;
/// Opens the calling thread's window for a loan or a scope; joins the domain first.
Result<ThreadWindow*> open_window();
void close_window(ThreadWindow* window) noexcept;
/// A window that no loan opens, to stand in for the thread's own while the library works for it.
/// Under AGNOCAST_HEAP=all it is open as every other.
ThreadWindow* loanless_window() noexcept;

/// AGNOCAST_HEAP=all: every thread's window is open from now on.
void open_all_windows() noexcept;

[[nodiscard]] inline bool routes_to_shared_heap() noexcept
{
  return ThreadWindow::open_in(this_thread_window->counts.load(std::memory_order_relaxed)) > 0;
}

/// The next malloc family in lookup order, which serves what is not for us.
struct NextMalloc
{
  void* (*malloc)(std::size_t) noexcept;  ///< noexcept, so that the hook may jump to it
  void (*free)(void*) noexcept;
  std::size_t (*malloc_usable_size)(void*) noexcept;
};

/// Called by each library that the hook is compiled into, when it is loaded; \p view is kept up to
/// date from then on. The one that is \p in_force also starts AGNOCAST_HEAP=all: an earlier one
/// would open windows for blocks that the hook in force does not know yet.
AGNOCAST_PUBLIC void start_hook(HookView* view, bool in_force) noexcept;

/// These set errno as malloc does. Called by whichever copy of the hook is in force.
AGNOCAST_PUBLIC void* route_allocate(const NextMalloc& next, std::size_t bytes) noexcept;
AGNOCAST_PUBLIC void* route_allocate_zeroed(const NextMalloc& next, std::size_t count,
                                            std::size_t bytes) noexcept;
AGNOCAST_PUBLIC void* route_allocate_aligned(const NextMalloc& next, std::size_t alignment,
                                             std::size_t bytes) noexcept;
/// For blocks in the window only.
AGNOCAST_PUBLIC void route_free(void* block) noexcept;
AGNOCAST_PUBLIC std::size_t route_usable_size(void* block) noexcept;
/// For any two heaps: where `block` lies, and where the thread allocates now.
AGNOCAST_PUBLIC void* route_reallocate(const NextMalloc& next, void* block,
                                       std::size_t bytes) noexcept;

/// True if a call of malloc in this process arrives here.
bool detect_hook() noexcept;

}  // namespace agnocast::internal
