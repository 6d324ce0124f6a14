// The shared heap, for those who want to say where memory comes from.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>

#include "agnocast/export.hpp"

namespace agnocast {

/// While it exists, what the calling thread allocates goes to the shared heap, as during a loan:
/// for worker threads that help to fill a message. May be nested; must be destroyed on the thread
/// that made it. Throws what joining the domain throws (see Node::create_publisher).
class AGNOCAST_PUBLIC SharedHeapScope
{
 public:
  SharedHeapScope();
  ~SharedHeapScope();
  SharedHeapScope(const SharedHeapScope&) = delete;
  SharedHeapScope& operator=(const SharedHeapScope&) = delete;

 private:
  void* window_;
};

/// The opposite: while it exists, the calling thread's allocations go to the process's own malloc
/// although it has loans or a SharedHeapScope open, before or after it. For caches and logs that
/// must not lie in shared memory.
class AGNOCAST_PUBLIC PrivateHeapScope
{
 public:
  PrivateHeapScope() noexcept;
  ~PrivateHeapScope();
  PrivateHeapScope(const PrivateHeapScope&) = delete;
  PrivateHeapScope& operator=(const PrivateHeapScope&) = delete;

 private:
  void* window_;
};

/// A memory resource over the shared heap, for std::pmr containers; works without the malloc hook.
/// Thread-safe; lives until the process ends. allocate() throws std::bad_alloc when the heap cannot
/// grow. Joins the domain at the first allocation.
AGNOCAST_PUBLIC std::pmr::memory_resource* shared_memory_resource() noexcept;

/// True if the malloc family of this process is ours, so that containers land in shared memory.
[[nodiscard]] AGNOCAST_PUBLIC bool hook_in_force() noexcept;

/// True if p points into this process's shared heap.
[[nodiscard]] AGNOCAST_PUBLIC bool in_shared_heap(const void* p) noexcept;

struct SharedHeapStatistics
{
  std::size_t limit_bytes;    ///< the most that it can grow to
  std::size_t secured_bytes;  ///< backed by memory now
  std::size_t used_bytes;     ///< handed out now, or kept at hand by a thread that freed it
  std::size_t peak_bytes;     ///< the most that was ever handed out
  std::size_t used_blocks;    ///< allocations that are not freed: exact when no thread is at it
};
/// All zero before the process has joined.
[[nodiscard]] AGNOCAST_PUBLIC SharedHeapStatistics shared_heap_statistics() noexcept;

}  // namespace agnocast
