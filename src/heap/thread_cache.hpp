// A thread's own stock of small blocks, and the pool of such stocks.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "heap/heap_host.hpp"
#include "heap/size_class.hpp"
#include "heap/slab_heap.hpp"

namespace agnocast::internal {

class Heap;

// A stack of block addresses for each class. It lives in private memory, made of zeroes.
//
// Thread safety: one thread owns it; only the two counters are read by others.
// Invariants:
//   1. Class c has count_[c] <= cache_capacity(c) blocks, all marked resting, none of them free in
//      their slab.
//   2. All blocks are of the heap `heap`.
class ThreadCache
{
 public:
  static constexpr std::size_t kMost = 64;

  // The block that came last, or nullptr.
  std::byte* pop(SizeClass size_class) noexcept
  {
    const std::uint32_t count = count_[size_class];
    if (count == 0) return nullptr;
    count_[size_class] = count - 1;
    return blocks_[size_class][count - 1];
  }

  // False if the class is full.
  bool push(SizeClass size_class, std::byte* block) noexcept
  {
    const std::uint32_t count = count_[size_class];
    if (count >= kCapacity[size_class]) return false;
    blocks_[size_class][count] = block;
    // It is the next of its class to be handed out, and will be written then.
    __builtin_prefetch(block, 1);
    count_[size_class] = count + 1;
    return true;
  }

  // Fetches half a stock for a class that has none; false if memory is exhausted.
  bool refill(SizeClass size_class, SlabHeap& slabs) noexcept;

  // Returns the blocks that came first, all but `kept`; how many of them the slabs refused.
  std::uint32_t spill(SizeClass size_class, std::uint32_t kept, SlabHeap& slabs) noexcept;

  // Returns everything; how many blocks the slabs refused.
  std::uint32_t spill_all(SlabHeap& slabs) noexcept;

  static std::uint32_t half(SizeClass size_class) noexcept { return kCapacity[size_class] / 2; }

  void count_allocation() noexcept { increment(allocations_); }
  void count_deallocation() noexcept { increment(deallocations_); }

  Heap* heap = nullptr;

 private:
  friend class ThreadCachePool;

  static constexpr auto kCapacity = [] {
    std::array<std::uint32_t, kClasses> capacity{};
    for (std::size_t i = 0; i < kClasses; ++i) capacity[i] = cache_capacity(i);
    return capacity;
  }();

  // One writer, so no read-modify-write is needed.
  static void increment(std::atomic<std::uint64_t>& counter) noexcept
  {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  std::atomic<std::uint64_t> allocations_{0};
  std::atomic<std::uint64_t> deallocations_{0};
  ThreadCache* next_ = nullptr;       // of all caches of the pool
  ThreadCache* next_idle_ = nullptr;  // of those that no thread has
  std::uint32_t share_ = 0;           // of the slabs: from where it takes
  std::array<std::uint32_t, kClasses> count_{};
  std::array<std::array<std::byte*, kMost>, kClasses> blocks_;
};

// Which cache a thread used last. Of a heap that was destroyed only the number remains, which
// matches none, so the pointer is not followed. Visible to the hook in whichever library it is.
struct ThreadMemo
{
  std::uint64_t heap_id;  // 0: none
  ThreadCache* cache;
  bool creating;  // malloc was entered again from pthread_setspecific
  bool ended;     // the thread's destructors have begun; a new cache would never be flushed
};
[[gnu::visibility("default")]] extern __thread ThreadMemo this_thread_memo;

// All thread caches of a heap. A cache is reused when its thread has ended, its memory is never
// given back before the pool goes, and its counters go on.
//
// Thread safety: all functions from any thread; one lock. All but close() and the counters are
// O(1).
class ThreadCachePool
{
 public:
  explicit ThreadCachePool(const HeapHost& host) noexcept : host_(host) {}

  // An empty cache, or nullptr if there is no memory.
  ThreadCache* acquire() noexcept;
  // `cache` must be empty.
  void put_back(ThreadCache* cache) noexcept;
  // Adds up the counters of all caches.
  void add_counters(std::uint64_t& allocations, std::uint64_t& deallocations) const noexcept;
  // Unmaps all caches; nobody may use one any more.
  void close() noexcept;

  void lock() noexcept { mutex_.lock(); }
  void unlock() noexcept { mutex_.unlock(); }

 private:
  const HeapHost host_;
  mutable std::mutex mutex_;
  ThreadCache* all_ = nullptr;
  ThreadCache* idle_ = nullptr;
};

}  // namespace agnocast::internal
