// Small blocks: slabs of one size class each, with the free blocks in bitmaps outside of the slabs.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "heap/block_map.hpp"
#include "heap/page_heap.hpp"
#include "heap/size_class.hpp"
#include "heap/usage.hpp"
#include "os/short_lock.hpp"

namespace agnocast::internal {

// The central store of small blocks, from which thread caches refill in batches.
//
// Thread safety: all functions from any thread; one lock for each class, taken before the page
// heap's. A lock is held for a number of steps proportional to the batch, plus, if a slab is made
// or given back, one visit to the page heap and the clearing of 4 KiB of metadata.
// Invariants:
//   1. A block of a slab is free in the bitmap, or in a thread cache, or the user's.
//   2. A slab with free and with taken blocks is in the list `partial` of its class and share, a
//      full one in none.
//   3. A slab without taken blocks is its class's `spare`; there is at most one, others go back to
//      the page heap. So a block that comes and goes does not make its slab come and go.
//   4. The record of a slab is number first page / 16: no two runs of 16 pages share one.
class SlabHeap
{
 public:
  // Private zeroed memory needed for a region of `pages`; little of it is ever touched.
  static constexpr std::size_t metadata_bytes(std::size_t pages)
  {
    return (pages / kSlabPages + 1) * sizeof(Slab);
  }

  SlabHeap(void* metadata, std::byte* base, PageHeap& pages, const BlockMap& map,
           Usage& usage) noexcept;

  // Takes up to `wanted` blocks of a class, lowest address of a slab first; how many there were
  // (0 if memory is exhausted). The blocks are marked resting. They come from slabs of the share
  // while memory lasts: threads of different shares write no line in common.
  std::uint32_t take(SizeClass size_class, std::byte** blocks, std::uint32_t wanted,
                     std::uint32_t share = 0) noexcept;

  // Returns blocks of a class, all marked resting; how many of them were refused because they were
  // free already or are no blocks of the class (no effect).
  std::uint32_t give(SizeClass size_class, std::byte* const* blocks, std::uint32_t count) noexcept;

  static constexpr std::uint32_t kShares = 4;

  // Gives the spare slabs back to the page heap; true if there were any. Visits each class.
  bool trim() noexcept;

  // Every class's lock, in order.
  void lock() noexcept;
  void unlock() noexcept;

  // The first violated invariant, or nullptr; adds the bytes of all taken blocks to `taken`. Walks
  // everything; the caller holds lock() and the page heap's.
  const char* audit(std::size_t& taken) const noexcept;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::size_t kWords = kSlabBytes / kGranule / 64;

  struct alignas(64) Slab
  {
    std::atomic<std::uint32_t> first_page_plus_1;  // 0: no slab; atomic as neighbours look at it
    std::uint32_t blocks;
    std::uint32_t free;
    std::uint32_t next;  // in the list `partial`
    std::uint32_t previous;
    SizeClass size_class;
    std::uint8_t share;
    std::uint64_t filled_words;   // bit i: words[i] is not 0
    std::uint64_t words[kWords];  // a bit for each block: it is free
  };

  struct alignas(64) ClassState
  {
    os::ShortLock mutex;
    std::array<std::uint32_t, kShares> partial{kNone, kNone, kNone, kNone};
    std::uint32_t spare = kNone;
  };

  std::size_t slab_offset(const Slab& slab) const noexcept
  {
    const std::uint32_t first = slab.first_page_plus_1.load(std::memory_order_relaxed) - 1;
    return std::size_t{first} * kPageBytes;
  }
  std::uint32_t slab_of(std::size_t offset) const noexcept;
  std::uint32_t slab_with_free(SizeClass size_class, ClassState& state,
                               std::uint32_t share) noexcept;
  std::uint32_t create_slab(SizeClass size_class) noexcept;
  void close_slab(std::uint32_t index) noexcept;
  std::uint32_t take_from(std::uint32_t index, std::byte** blocks,
                          std::uint32_t wanted) const noexcept;
  bool give_one(SizeClass size_class, ClassState& state, std::size_t offset) noexcept;
  void link(ClassState& state, std::uint32_t index) noexcept;
  void unlink(ClassState& state, std::uint32_t index) noexcept;
  const char* audit_slab(std::uint32_t first_page, std::size_t& taken) const noexcept;
  const char* audit_list(std::size_t size_class, std::uint32_t share,
                         std::size_t& linked) const noexcept;

  Slab* const slabs_;
  std::byte* const base_;
  PageHeap& pages_;
  const BlockMap map_;
  Usage& usage_;
  std::array<ClassState, kClasses> classes_;
};

}  // namespace agnocast::internal
