// A thread's own stock of small blocks, and the pool of such stocks.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/atomic.hpp"
#include "heap/heap_host.hpp"
#include "heap/size_class.hpp"
#include "heap/slab_heap.hpp"
#include "os/short_lock.hpp"

namespace agnocast::internal {

class Heap;

// A stack of block addresses for each class. It lives in private memory, made of zeroes.
//
// Thread safety: one thread owns it; only the counters are read by others.
// Invariants:
//   1. Class c has depth(state_[c]) <= cache_capacity(c) blocks, all marked resting, none of them
//      free in their slab.
//   2. All blocks are of the heap `heap`.
//   3. What came in, from the slabs (fetched_) or from push(), either went out again, by pop() or
//   to
//      the slabs (returned_), or is here. So nobody has to count the pushes.
class ThreadCache
{
 public:
  static constexpr std::size_t kMost = 64;

  // The block that came last, or nullptr.
  std::byte* pop(SizeClass size_class) noexcept
  {
    const std::uint64_t state = load(state_[size_class]);
    if (depth(state) == 0) return nullptr;
    const std::uint64_t left = state + one_pop - 1;
    state_[size_class].store(left, std::memory_order_relaxed);
    return blocks_[size_class][depth(left)];
  }

  // False if the class is full.
  bool push(SizeClass size_class, std::byte* block) noexcept
  {
    const std::uint64_t state = load(state_[size_class]);
    if (depth(state) >= kCapacity[size_class]) return false;
    blocks_[size_class][depth(state)] = block;
    // It is the next of its class to be handed out, and will be written then.
    prefetch_for_write(block);
    state_[size_class].store(state + 1, std::memory_order_relaxed);
    return true;
  }

  // Fetches half a stock for a class that has none; false if memory is exhausted.
  bool refill(SizeClass size_class, SlabHeap& slabs) noexcept;

  // Returns the blocks that came first, all but `kept`; how many of them the slabs refused.
  std::uint32_t spill(SizeClass size_class, std::uint32_t kept, SlabHeap& slabs) noexcept;

  // Returns everything; how many blocks the slabs refused.
  std::uint32_t spill_all(SlabHeap& slabs) noexcept;

  static std::uint32_t half(SizeClass size_class) noexcept { return kCapacity[size_class] / 2; }

  Heap* heap = nullptr;

 private:
  friend class ThreadCachePool;

  static constexpr auto kCapacity = [] {
    std::array<std::uint32_t, kClasses> capacity{};
    for (std::size_t i = 0; i < kClasses; ++i) capacity[i] = cache_capacity(i);
    return capacity;
  }();

  // The state of a class: how many blocks it has in the lowest 8 bits, how many were ever popped
  // above. One writer, so no read-modify-write is needed.
  static constexpr std::uint64_t one_pop = 256;
  static_assert(kMost < one_pop);
  static std::uint8_t depth(std::uint64_t state) noexcept
  {
    return static_cast<std::uint8_t>(state);
  }
  static std::uint64_t load(const std::atomic<std::uint64_t>& word) noexcept
  {
    return word.load(std::memory_order_relaxed);
  }
  static void set_depth(std::atomic<std::uint64_t>& state, std::uint32_t depth) noexcept
  {
    state.store(load(state) / one_pop * one_pop + depth, std::memory_order_relaxed);
  }
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t count) noexcept
  {
    counter.store(load(counter) + count, std::memory_order_relaxed);
  }

  std::atomic<std::uint64_t> fetched_{0};
  std::atomic<std::uint64_t> returned_{0};
  ThreadCache* next_ = nullptr;       // of all caches of the pool
  ThreadCache* next_idle_ = nullptr;  // of those that no thread has
  std::uint32_t share_ = 0;           // of the slabs: from where it takes
  std::array<std::atomic<std::uint64_t>, kClasses> state_{};
  std::array<std::array<std::byte*, kMost>, kClasses> blocks_;
};

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
  mutable os::ShortLock mutex_;
  ThreadCache* all_ = nullptr;
  ThreadCache* idle_ = nullptr;
};

}  // namespace agnocast::internal
