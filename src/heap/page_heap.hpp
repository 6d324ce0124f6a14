// Runs of pages inside the region: constant-time segregated fit with immediate coalescing.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "heap/heap_host.hpp"
#include "heap/page_set.hpp"
#include "heap/size_class.hpp"
#include "heap/usage.hpp"
#include "os/short_lock.hpp"

namespace agnocast::internal {

// What a run in use serves as.
enum class RunKind : std::uint8_t { block = 1, slab = 2 };

// Hands out runs of 4 KiB pages of the region and takes them back. Pages below `top` were handed
// out at least once and are reused for ever; pages above it are fresh, costly, and taken only if no
// free run is found. It never reads or writes the region itself.
//
// Thread safety: all functions from any thread; one lock, held for a bounded number of steps and,
// when fresh pages are needed, for one or two calls of HeapHost::secure.
// Invariants:
//   1. [0, top) is tiled by runs; the first and the last page of each carry its tag and length.
//   2. No two neighbouring runs are both free.
//   3. A run is free if and only if it is in the bin of its length; a bin's bit says if it has any.
//   4. starts_ holds exactly the first pages of the runs in use.
//   5. top * 4096 <= secured <= bytes of the region.
class PageHeap
{
 public:
  // Private zeroed memory needed for a region of `pages`; little of it is ever touched.
  static constexpr std::size_t metadata_bytes(std::size_t pages)
  {
    return set_offset(pages) + PageSet::metadata_bytes(pages);
  }
  // Where in it the set begins, after what is kept for each page.
  static constexpr std::size_t set_offset(std::size_t pages) { return pages * sizeof(PageInfo); }

  // `base` and `metadata` are page aligned; `usage` counts the bytes of runs of kind block.
  PageHeap(void* metadata, std::byte* base, std::uint32_t pages, std::size_t secured,
           const HeapHost& host, Usage& usage) noexcept;

  // A run of `pages` (not 0) whose address is a multiple of `alignment_pages` pages (a power of
  // two); its first page, or kNoPage. Looks at no more than 16 free runs; so when memory is nearly
  // exhausted a run that would just do may be overlooked, in favour of bounded time.
  std::uint32_t allocate(std::uint32_t pages, std::uint32_t alignment_pages, RunKind kind) noexcept;

  // Takes back the run that starts at `first`; its length, or 0 (and no effect) if no run of this
  // kind starts there. Constant time.
  std::uint32_t release(std::uint32_t first, RunKind kind) noexcept;

  // Makes the block run at `first` `pages` long where it is; false if no such run starts there or
  // what follows it is not free. Shrinking always succeeds. Constant time.
  bool resize(std::uint32_t first, std::uint32_t pages) noexcept;

  // Length of the block run that starts at `first`, or 0. Constant time.
  std::uint32_t block_pages(std::uint32_t first) const noexcept;

  // Whether bytes [offset, offset + bytes) of the region lie in one run in use. At most eleven
  // words are read.
  bool covers(std::size_t offset, std::size_t bytes) const noexcept;

  std::uint32_t top() const noexcept;
  // The same, for a caller that holds lock().
  std::uint32_t top_locked() const noexcept { return top_; }
  std::size_t secured() const noexcept;
  std::size_t region_bytes() const noexcept { return std::size_t{pages_} * kPageBytes; }

  void lock() noexcept { mutex_.lock(); }
  void unlock() noexcept { mutex_.unlock(); }

  // The first violated invariant, or nullptr. Walks everything; the caller holds lock().
  const char* audit() const noexcept;
  // Calls visit(first, pages) for each run in use of this kind. The caller holds lock().
  template <typename Visit>
  void each_run(RunKind kind, Visit visit) const
  {
    for (std::uint32_t page = 0; page < top_; page += info_[page].pages) {
      if (info_[page].tag == Tag::used && info_[page].kind == kind) visit(page, info_[page].pages);
    }
  }

 private:
  enum class Tag : std::uint8_t { inside = 0, free = 1, used = 2 };
  struct PageInfo
  {
    std::uint32_t pages;  // at the first and last page of a run: its length
    std::uint32_t next;   // at the first page of a free run: its neighbours in the bin
    std::uint32_t previous;
    Tag tag;       // free at both ends of a free run; used at the first page of a run in use
    RunKind kind;  // at the first page of a run in use
  };
  struct Run
  {
    std::uint32_t first;
    std::uint32_t pages;
  };
  // Bins of runs shorter than 16 pages are exact; above, there are 16 to each doubling.
  static constexpr std::uint32_t kSplits = 16;
  static constexpr std::uint32_t kOctaves = 29;
  static constexpr std::uint32_t kProbes = 8;

  static constexpr std::uint32_t bin_of(std::uint32_t pages)
  {
    if (pages < kSplits) return pages;
    const auto octave = static_cast<std::uint32_t>(std::bit_width(pages)) - 4;
    return octave * kSplits + ((pages >> (octave - 1)) & (kSplits - 1));
  }

  std::uint32_t aligned_first(std::uint32_t first, std::uint32_t alignment_pages) const noexcept;
  std::uint32_t probe(std::uint32_t bin, std::uint32_t pages,
                      std::uint32_t alignment_pages) const noexcept;
  std::uint32_t first_of_bin_above(std::uint32_t bin) const noexcept;
  std::uint32_t find_free(std::uint32_t pages, std::uint32_t alignment_pages) const noexcept;
  Run take_fresh(std::uint32_t pages, std::uint32_t alignment_pages) noexcept;
  bool secure(std::uint64_t end_page) noexcept;
  void link(Run run) noexcept;
  void unlink(std::uint32_t first) noexcept;
  void mark_used(Run run, RunKind kind) noexcept;
  void free_and_merge(Run run) noexcept;
  const char* audit_runs(std::size_t& free_runs, std::size_t& used_runs) const noexcept;
  const char* audit_bins(std::size_t free_runs) const noexcept;

  PageInfo* const info_;
  PageSet starts_;
  const std::uint64_t base_page_;
  const std::uint32_t pages_;
  const HeapHost host_;
  Usage& usage_;

  mutable os::ShortLock mutex_;
  std::uint32_t top_ = 0;
  std::size_t secured_;
  std::uint32_t octave_bits_ = 0;
  std::array<std::uint16_t, kOctaves> split_bits_{};
  std::array<std::uint32_t, kOctaves * kSplits> bins_;
};

}  // namespace agnocast::internal
