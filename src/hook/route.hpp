// Decides where memory comes from: the process's own malloc, or the shared heap.
//
// Runs inside malloc and before main: allocates nothing, throws nothing, has no guarded statics.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>

#include "agnocast/export.hpp"
#include "agnocast/ipc_shared_ptr.hpp"
#include "base/result.hpp"
#include "heap/thread_window.hpp"
#include "runtime/runtime.hpp"

namespace agnocast::internal {

/// The calling thread's window, made now if it has none. nullptr if there is no memory.
ThreadWindow* own_window() noexcept;
/// Opens the calling thread's window for a loan or a scope; joins the domain first.
Result<ThreadWindow*> open_window();
void close_window(ThreadWindow* window) noexcept;
/// AGNOCAST_HEAP=all: every thread's window is open from now on.
void open_all_windows() noexcept;

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
AGNOCAST_PUBLIC void* route_allocate_slow(const NextMalloc& next, std::size_t bytes) noexcept;
inline void* route_allocate(const NextMalloc& next, std::size_t bytes) noexcept
{
  if (Heap* heap = shared_heap.load(std::memory_order_acquire)) [[likely]] {
    if (void* block = heap->allocate_from_cache(bytes)) [[likely]]
      return block;
  }
  return route_allocate_slow(next, bytes);
}
AGNOCAST_PUBLIC void* route_allocate_zeroed(const NextMalloc& next, std::size_t count,
                                            std::size_t bytes) noexcept;
AGNOCAST_PUBLIC void* route_allocate_aligned(const NextMalloc& next, std::size_t alignment,
                                             std::size_t bytes) noexcept;
/// For blocks in the window only.
AGNOCAST_PUBLIC void route_free_slow(void* block) noexcept;
inline void route_free(void* block) noexcept
{
  Heap* const heap = shared_heap.load(std::memory_order_acquire);
  if (heap == nullptr || !heap->deallocate_to_cache(block)) route_free_slow(block);
}
AGNOCAST_PUBLIC std::size_t route_usable_size(void* block) noexcept;
/// For any two heaps: where `block` lies, and where the thread allocates now.
AGNOCAST_PUBLIC void* route_reallocate(const NextMalloc& next, void* block,
                                       std::size_t bytes) noexcept;

/// True if a call of malloc in this process arrives here.
bool detect_hook() noexcept;

}  // namespace agnocast::internal
