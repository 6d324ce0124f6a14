// The audits of all layers: each returns the first violated invariant as text.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <bit>

#include "heap/heap.hpp"

namespace agnocast::internal {

const char* PageHeap::audit_runs(std::size_t& free_runs, std::size_t& used_runs) const noexcept
{
  bool after_free = false;
  for (std::uint32_t page = 0; page < top_;) {
    const PageInfo& info = info_[page];
    if (info.pages == 0 || info.pages > top_ - page) return "page heap: a run leaves the heap";
    const std::uint32_t last = page + info.pages - 1;
    if (info_[last].pages != info.pages) return "page heap: the ends of a run disagree";
    const bool is_free = info.tag == Tag::free;
    if (!is_free && info.tag != Tag::used) return "page heap: the heap is not tiled by runs";
    if (is_free && after_free) return "page heap: two free runs are neighbours";
    if (is_free != (info_[last].tag == Tag::free)) return "page heap: the ends' tags disagree";
    if (starts_.contains(page) == is_free) return "page heap: the set of runs in use is wrong";
    if (!is_free && starts_.at_or_below(last) != page) return "page heap: a start inside a run";
    ++(is_free ? free_runs : used_runs);
    after_free = is_free;
    page += info.pages;
  }
  return nullptr;
}

const char* PageHeap::audit_bins(std::size_t free_runs) const noexcept
{
  std::size_t linked = 0;
  for (std::uint32_t bin = 0; bin < bins_.size(); ++bin) {
    const bool bit = ((split_bits_[bin / kSplits] >> (bin % kSplits)) & 1) != 0;
    if (bit != (bins_[bin] != kNoPage)) return "page heap: a bin's bit is wrong";
    std::uint32_t previous = kNoPage;
    for (std::uint32_t page = bins_[bin]; page != kNoPage; page = info_[page].next) {
      if (page >= top_ || info_[page].tag != Tag::free) return "page heap: a bin has a used run";
      if (bin_of(info_[page].pages) != bin) return "page heap: a run is in the wrong bin";
      if (info_[page].previous != previous) return "page heap: a bin's links disagree";
      if (++linked > free_runs) return "page heap: the bins have more runs than are free";
      previous = page;
    }
  }
  for (std::uint32_t octave = 0; octave < kOctaves; ++octave) {
    if (((octave_bits_ >> octave) & 1) != (split_bits_[octave] != 0 ? 1U : 0U)) {
      return "page heap: an octave's bit is wrong";
    }
  }
  return linked == free_runs ? nullptr : "page heap: a free run is in no bin";
}

const char* PageHeap::audit() const noexcept
{
  if (std::size_t{top_} * kPageBytes > secured_) return "page heap: pages used but not secured";
  if (secured_ > region_bytes()) return "page heap: more secured than there is";
  std::size_t free_runs = 0;
  std::size_t used_runs = 0;
  const char* error = audit_runs(free_runs, used_runs);
  if (error == nullptr) error = audit_bins(free_runs);
  if (error == nullptr && starts_.count(top_) != used_runs) {
    error = "page heap: the set of runs in use has strangers";
  }
  return error;
}

const char* SlabHeap::audit_slab(std::uint32_t first_page, std::size_t& taken) const noexcept
{
  const std::uint32_t index = first_page / kSlabPages;
  const Slab& slab = slabs_[index];
  if (slab.first_page_plus_1.load(std::memory_order_relaxed) != first_page + 1) {
    return "slab heap: a slab's run has no record";
  }
  const std::size_t block_bytes = kClassBytes[slab.size_class];
  if (slab.blocks != kSlabBytes / block_bytes) return "slab heap: wrong number of blocks";
  std::uint32_t free = 0;
  for (std::uint32_t word = 0; word * 64 < slab.blocks; ++word) {
    if (((slab.filled_words >> word) & 1) != (slab.words[word] != 0 ? 1U : 0U)) {
      return "slab heap: the summary of a bitmap is wrong";
    }
    free += static_cast<std::uint32_t>(std::popcount(slab.words[word]));
  }
  if (free != slab.free) return "slab heap: a slab's count of free blocks is wrong";
  if ((free == slab.blocks) != (classes_[slab.size_class].spare == index)) {
    return "slab heap: an empty slab is not the spare one";
  }
  for (std::size_t at = 0; at < kSlabBytes; at += kGranule) {
    const std::uint8_t mark = map_.load(slab_offset(slab) + at);
    const std::size_t block = at / block_bytes;
    const bool starts = at % block_bytes == 0 && block < slab.blocks;
    if (!starts && mark != 0) return "slab heap: a mark where no block starts";
    if (!starts) continue;
    if (mark != 0 && (mark & BlockMap::kClassMask) != slab.size_class) {
      return "slab heap: a mark of another class";
    }
    const bool is_free = ((slab.words[block / 64] >> (block % 64)) & 1) != 0;
    if (is_free && (mark & BlockMap::kLive) != 0) return "slab heap: a free block is marked live";
    if (!is_free && mark == 0) return "slab heap: a taken block has no mark";
  }
  taken += (slab.blocks - free) * block_bytes;
  return nullptr;
}

const char* SlabHeap::audit_list(std::size_t size_class, std::uint32_t share,
                                 std::size_t& linked) const noexcept
{
  std::uint32_t previous = kNone;
  for (std::uint32_t index = classes_[size_class].partial[share]; index != kNone;) {
    const Slab& slab = slabs_[index];
    if (slab.first_page_plus_1.load(std::memory_order_relaxed) == 0) {
      return "slab heap: a closed slab is in a list";
    }
    if (slab.size_class != size_class) return "slab heap: a slab is in another class's list";
    if (slab.share != share) return "slab heap: a slab is in another share's list";
    if (slab.free == 0 || slab.free == slab.blocks)
      return "slab heap: a listed slab is not partial";
    if (slab.previous != previous) return "slab heap: the links of a list disagree";
    if (++linked > pages_.region_bytes() / kSlabBytes) return "slab heap: a list has a cycle";
    previous = index;
    index = slab.next;
  }
  return nullptr;
}

const char* SlabHeap::audit(std::size_t& taken) const noexcept
{
  const char* error = nullptr;
  std::size_t partial = 0;
  pages_.each_run(RunKind::slab, [&](std::uint32_t first, std::uint32_t pages) {
    if (error != nullptr) return;
    error = pages == kSlabPages ? audit_slab(first, taken) : "slab heap: a slab's run is too long";
    const Slab& slab = slabs_[first / kSlabPages];
    if (slab.free != 0 && slab.free != slab.blocks) ++partial;
  });
  std::size_t linked = 0;
  for (std::size_t i = 0; i < kClasses * kShares && error == nullptr; ++i) {
    error = audit_list(i / kShares, static_cast<std::uint32_t>(i % kShares), linked);
  }
  if (error == nullptr && linked != partial) error = "slab heap: a partial slab is in no list";
  return error;
}

const char* Heap::audit() const noexcept
{
  // Locking is the only change.
  auto* const self = const_cast<Heap*>(this);
  self->lock_for_fork();
  const char* error = pages_.audit();
  std::size_t used = 0;
  if (error == nullptr) error = slabs_.audit(used);
  if (error == nullptr) {
    pages_.each_run(RunKind::block, [&](std::uint32_t first, std::uint32_t pages) {
      used += std::size_t{pages} * kPageBytes;
      if (map_.load(std::size_t{first} * kPageBytes) != 0) error = "heap: a mark on a page run";
    });
  }
  if (error == nullptr && used != usage_.used()) error = "heap: used_bytes is wrong";
  self->unlock_after_fork();
  return error;
}

}  // namespace agnocast::internal
