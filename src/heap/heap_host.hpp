// What the heap asks of the operating system, as function pointers, since it makes no system calls.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace agnocast::internal {

// Thread safety: the functions may be called from any thread, at any time, with locks of the heap
// held and from inside malloc; so they must neither allocate from nor otherwise enter the heap.
struct HeapHost
{
  // Private anonymous zeroed memory, page aligned, not reserved (the heap asks for about an eighth
  // of its region's size and touches little of it); nullptr on failure.
  void* (*map_private)(std::size_t bytes);
  // Gives back exactly what one call of map_private returned.
  void (*unmap_private)(void* memory, std::size_t bytes);
  // Makes bytes [0, end) of the region backed by memory; false if there is none left. `end` is a
  // multiple of the page size. May be slow: the heap asks for a quarter more than it has, at least
  // 1 MiB and at most 64 MiB, or for a larger need, or exactly the need if that was refused.
  bool (*secure)(void* context, std::size_t end);
  void* context;
  // Or nullptr both: private zeroed memory that can only be read, which costs nothing even in a
  // process that locks its memory; and making a page aligned part of it, which may be in use in
  // part, writable and resident, so that no call outside of growth meets a page fault.
  void* (*map_read_only)(std::size_t bytes) = nullptr;
  bool (*make_writable)(void* memory, std::size_t bytes) = nullptr;
};

}  // namespace agnocast::internal
