// The allocator inside the own area: blocks of any size in a region that only this process writes.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/sanitizer.hpp"
#include "heap/block_map.hpp"
#include "heap/heap_host.hpp"
#include "heap/page_heap.hpp"
#include "heap/slab_heap.hpp"
#include "heap/thread_cache.hpp"
#include "heap/usage.hpp"

namespace agnocast::internal {

struct HeapStatistics
{
  std::size_t region_bytes;   // as given to create()
  std::size_t secured_bytes;  // backed by memory so far
  std::size_t used_bytes;     // in the user's hands or in thread caches, rounded up to block sizes
  std::size_t peak_bytes;     // the most that used_bytes ever was
  std::uint64_t allocations;  // blocks handed out since create()
  std::uint64_t deallocations;
  std::uint64_t misuse_count;  // frees and reallocations of what was no block; all were ignored
};

class Heap;

// Which cache this thread used last. Of a heap that was destroyed only the number remains, which
// matches none, so the pointer is not followed.
struct ThreadMemo
{
  std::uint64_t heap_id;  // 0: none
  ThreadCache* cache;
  bool creating;  // malloc was entered again from pthread_setspecific
  bool ended;     // the thread's destructors have begun; a new cache would never be flushed
};
[[gnu::visibility("default")]] extern constinit thread_local ThreadMemo tls_memo
  __attribute__((tls_model("initial-exec")));

// A general-purpose allocator made to run inside malloc: it neither calls malloc nor throws, and
// its control data lies in private memory, so overrunning a block never reaches it. Blocks up to
// 8 KiB come from slabs through a cache of each thread, larger ones are page runs. Pages once used
// are never given back but reused, the last freed first.
//
// Thread safety: all functions from any thread, except create, destroy and the fork pair; a block
// may be freed by any thread. Cost: a small block that the thread's cache serves takes a few
// nanoseconds and no lock; everything else takes one or two locks and a bounded number of steps
// (no walk over the heap, except audit()) and, when fresh pages are needed, HeapHost::secure.
// Invariants:
//   1. Lock order: cache pool, classes in order, page heap. HeapHost is called with locks held.
//   2. used_bytes = bytes of block runs + bytes of small blocks that are not free in their slab.
//   3. A thread uses a cache only of the heap it allocates from, known by a never repeated number.
class Heap
{
 public:
  // Makes a heap for the region [base, base + bytes), page aligned, whose first `secured` bytes are
  // usable already. The object lives in private memory from `host` and is never destroyed
  // implicitly. nullptr if there is no memory or the region is empty or larger than 8 TiB. Several
  // heaps may exist, each uses one pthread key (without which it works without thread caches).
  static Heap* create(std::byte* base, std::size_t bytes, std::size_t secured,
                      const HeapHost& host) noexcept;

  // Unmaps the heap's control data (not the region). Nobody may use it, nor a thread that used it
  // be ending, at the same time or later.
  static void destroy(Heap* heap) noexcept;

  // A block of at least `bytes`, at a multiple of 16, never shared with another even if `bytes` is
  // 0; nullptr if memory is exhausted. See the class comment for the cost.
  void* allocate(std::size_t bytes) noexcept;

  // What allocate() does if the thread's cache has a block: a few nanoseconds, no call, errno left
  // alone. nullptr if not (with a sanitizer, always), so that the caller turns to allocate().
  void* allocate_from_cache(std::size_t bytes) noexcept
  {
    if (is_sanitized || bytes > kSmallMax || tls_memo.heap_id != id_) return nullptr;
    const SizeClass size_class = class_of(bytes);
    ThreadCache* const cache = tls_memo.cache;
    std::byte* const block = cache->pop(size_class);
    if (block == nullptr) return nullptr;
    map_.set_live(offset_of(block), size_class);
    return block;
  }

  // What deallocate() does if `block` is a live small block and the thread's cache has room for it:
  // as above. False if not, and then nothing was done.
  bool deallocate_to_cache(void* block) noexcept
  {
    const std::size_t offset = offset_of(block);
    if (is_sanitized || offset >= bytes_ || offset % kGranule != 0 || tls_memo.heap_id != id_)
      return false;
    const std::uint8_t mark = map_.load(offset);
    const auto size_class = static_cast<SizeClass>(mark & BlockMap::kClassMask);
    ThreadCache* const cache = tls_memo.cache;
    if ((mark & BlockMap::kLive) == 0 || !cache->push(size_class, static_cast<std::byte*>(block)))
      return false;
    map_.set_resting(offset, size_class);
    return true;
  }

  // The same as allocate() at a multiple of `alignment`; nullptr as well if that is no power of
  // two.
  void* allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept;

  // Changes the size of a block, keeping its content up to the smaller size and, if possible, its
  // place: always when shrinking to no less than half of a small block or shrinking a large one,
  // and when a large one is followed by enough free pages. Otherwise it moves, at the cost of a
  // copy. nullptr, with the block untouched, if memory is exhausted; nullptr if `block` is not live
  // (counted as misuse). A null block is allocated. Alignments above 16 are kept only in place.
  void* reallocate(void* block, std::size_t bytes) noexcept;

  // Takes a block back; null is ignored. A block that is free already, or an address where no block
  // starts, is counted as misuse and ignored. (Not noticed: two threads that free one block in the
  // same instant, until it returns to its slab; and a block that was given to somebody else since.)
  void deallocate(void* block) noexcept;

  // Bytes that may be used at `block`; 0 if no live block starts there. One byte of metadata for a
  // small block, the page lock for a large one.
  std::size_t usable_size(const void* block) const noexcept;

  // Whether the address is in the region. No lock.
  bool contains(const void* p) const noexcept { return offset_of(p) < bytes_; }

  // Whether [p, p + bytes) lies in one page run or slab in use. Page lock, at most eleven words.
  bool is_live(const void* p, std::size_t bytes) const noexcept;

  // Bytes from the region's start within which all blocks ever handed out lie. Page lock.
  std::size_t extent() const noexcept;

  // HeapStatistics::used_bytes alone, at the cost of a load.
  std::size_t used_bytes() const noexcept { return usage_.used(); }
  std::size_t peak_bytes() const noexcept { return usage_.peak(); }

  // Counters, consistent only when no other thread is active. Visits every thread's cache.
  HeapStatistics statistics() const noexcept;

  // Holds all locks across fork(), so that the child's copy is whole; to be called by the thread
  // that forks, unlock in parent and child. In the child, what rested in the caches of other
  // threads is lost (at most about 600 KiB for each thread).
  std::size_t lock_for_fork() noexcept;
  void unlock_after_fork() noexcept;

  // The first violated invariant as text, nullptr if there is none. Takes all locks and walks the
  // whole heap: for tests and diagnosis only.
  const char* audit() const noexcept;

  // Returns everything in the calling thread's cache to the slabs. Visits each class.
  void flush_thread_cache() noexcept;

 private:
  Heap(std::byte* base, std::size_t bytes, std::size_t secured, const HeapHost& host,
       std::byte* metadata, std::size_t metadata_bytes) noexcept;

  static void on_thread_exit(void* cache);

  // Makes the region up to `end` usable, and the control data that goes with it writable first.
  bool secure(std::size_t end) noexcept;
  static bool open_metadata(const HeapHost& host, std::byte* metadata, std::size_t bytes,
                            std::size_t end) noexcept;
  HeapHost host_of_pages() noexcept;

  std::size_t offset_of(const void* p) const noexcept
  {
    return reinterpret_cast<std::uintptr_t>(p) - reinterpret_cast<std::uintptr_t>(base_);
  }
  ThreadCache* thread_cache() noexcept;
  ThreadCache* find_thread_cache() noexcept;
  ThreadCache* create_thread_cache() noexcept;
  void* allocate_small(SizeClass size_class) noexcept;
  void* allocate_small_slow(SizeClass size_class, ThreadCache* cache) noexcept;
  void* hand_out(std::byte* block, SizeClass size_class, ThreadCache* cache) noexcept;
  void* allocate_large(std::size_t bytes, std::size_t alignment) noexcept;
  void deallocate_small_slow(std::byte* block, SizeClass size_class, ThreadCache* cache) noexcept;
  void deallocate_large(std::size_t offset) noexcept;
  std::size_t block_size(const void* block) const noexcept;
  bool make_room() noexcept;
  void count_misuse(std::uint64_t count) noexcept;

  // Constant after creation.
  const std::uint64_t id_;
  std::byte* const base_;
  const std::size_t bytes_;
  const BlockMap map_;
  const HeapHost host_;
  const std::size_t metadata_bytes_;
  pthread_key_t key_{};
  bool has_key_ = false;

  // Written by all threads that miss their caches.
  alignas(64) std::atomic<std::uint64_t> allocations_{0};
  std::atomic<std::uint64_t> deallocations_{0};
  std::atomic<std::uint64_t> misuse_{0};
  Usage usage_;
  PageHeap pages_;
  SlabHeap slabs_;
  ThreadCachePool caches_;
};

}  // namespace agnocast::internal
