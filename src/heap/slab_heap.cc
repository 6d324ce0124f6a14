// Small blocks in slabs: see slab_heap.hpp for the contract and the invariants cited here.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "heap/slab_heap.hpp"

#include <algorithm>
#include <bit>
#include <mutex>

#include "base/check.hpp"

namespace agnocast::internal {

SlabHeap::SlabHeap(void* metadata, std::byte* base, PageHeap& pages, const BlockMap& map,
                   Usage& usage) noexcept
  : slabs_(static_cast<Slab*>(metadata)), base_(base), pages_(pages), map_(map), usage_(usage)
{
}

std::uint32_t SlabHeap::take(SizeClass size_class, std::byte** blocks, std::uint32_t wanted,
                             std::uint32_t share) noexcept
{
  ClassState& state = classes_[size_class];
  const std::lock_guard guard(state.mutex);
  std::uint32_t taken = 0;
  while (taken < wanted) {
    const std::uint32_t index = slab_with_free(size_class, state, share);
    if (index == kNone) break;
    taken += take_from(index, blocks + taken, wanted - taken);
    if (slabs_[index].free == 0) unlink(state, index);
  }
  usage_.add(std::size_t{taken} * kClassBytes[size_class]);
  return taken;
}

std::uint32_t SlabHeap::give(SizeClass size_class, std::byte* const* blocks,
                             std::uint32_t count) noexcept
{
  ClassState& state = classes_[size_class];
  const std::lock_guard guard(state.mutex);
  std::uint32_t refused = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto offset = static_cast<std::size_t>(blocks[i] - base_);
    if (!give_one(size_class, state, offset)) ++refused;
  }
  usage_.subtract(std::size_t{count - refused} * kClassBytes[size_class]);
  return refused;
}

bool SlabHeap::trim() noexcept
{
  bool any = false;
  for (ClassState& state : classes_) {
    const std::lock_guard guard(state.mutex);
    if (state.spare == kNone) continue;
    close_slab(state.spare);
    state.spare = kNone;
    any = true;
  }
  return any;
}

void SlabHeap::lock() noexcept
{
  for (ClassState& state : classes_) state.mutex.lock();
}

void SlabHeap::unlock() noexcept
{
  for (ClassState& state : classes_) state.mutex.unlock();
}

// The slab around an offset: its first page is one of the 16 pages up to the offset's own, so its
// record is one of two (invariant 4). kNone if there is no slab.
std::uint32_t SlabHeap::slab_of(std::size_t offset) const noexcept
{
  const auto page = static_cast<std::uint32_t>(offset / kPageBytes);
  const std::uint32_t record = page / kSlabPages;
  for (std::uint32_t i = 0; i <= 1 && i <= record; ++i) {
    const std::uint32_t plus_1 =
      slabs_[record - i].first_page_plus_1.load(std::memory_order_relaxed);
    if (plus_1 != 0 && plus_1 <= page + 1 && page + 1 - plus_1 < kSlabPages) return record - i;
  }
  return kNone;
}

// A slab in a list `partial` (where it is put if need be): of the share, or of any other if memory
// is exhausted; kNone if there is none.
std::uint32_t SlabHeap::slab_with_free(SizeClass size_class, ClassState& state,
                                       std::uint32_t share) noexcept
{
  if (state.partial[share] != kNone) return state.partial[share];
  std::uint32_t index = state.spare;
  if (index != kNone) {
    state.spare = kNone;
  } else {
    index = create_slab(size_class);
    if (index == kNone) {
      const auto* const other = std::find_if(state.partial.begin(), state.partial.end(),
                                             [](std::uint32_t first) { return first != kNone; });
      return other == state.partial.end() ? kNone : *other;
    }
  }
  slabs_[index].share = static_cast<std::uint8_t>(share);
  link(state, index);
  return index;
}

std::uint32_t SlabHeap::create_slab(SizeClass size_class) noexcept
{
  const std::uint32_t first = pages_.allocate(kSlabPages, 1, RunKind::slab);
  if (first == kNoPage) return kNone;
  const std::uint32_t index = first / kSlabPages;
  Slab& slab = slabs_[index];
  AGNOCAST_CHECK(slab.first_page_plus_1.load(std::memory_order_relaxed) == 0);
  slab.size_class = size_class;
  slab.blocks = static_cast<std::uint32_t>(kSlabBytes / kClassBytes[size_class]);
  slab.free = slab.blocks;
  slab.filled_words = 0;
  for (std::uint32_t word = 0; word * 64 < slab.blocks; ++word) {
    const std::uint32_t bits = std::min(slab.blocks - word * 64, 64U);
    slab.words[word] = ~std::uint64_t{0} >> (64 - bits);
    slab.filled_words |= std::uint64_t{1} << word;
  }
  slab.first_page_plus_1.store(first + 1, std::memory_order_relaxed);
  return index;
}

void SlabHeap::close_slab(std::uint32_t index) noexcept
{
  Slab& slab = slabs_[index];
  AGNOCAST_CHECK(slab.free == slab.blocks);
  const std::size_t offset = slab_offset(slab);
  map_.clear(offset, kSlabBytes);
  slab.first_page_plus_1.store(0, std::memory_order_relaxed);
  const auto first = static_cast<std::uint32_t>(offset / kPageBytes);
  AGNOCAST_CHECK(pages_.release(first, RunKind::slab) == kSlabPages);
}

std::uint32_t SlabHeap::take_from(std::uint32_t index, std::byte** blocks,
                                  std::uint32_t wanted) const noexcept
{
  Slab& slab = slabs_[index];
  const std::size_t start = slab_offset(slab);
  const std::size_t block_bytes = kClassBytes[slab.size_class];
  std::uint32_t taken = 0;
  while (taken < wanted && slab.filled_words != 0) {
    const auto word = static_cast<std::uint32_t>(std::countr_zero(slab.filled_words));
    std::uint64_t& bits = slab.words[word];
    while (taken < wanted && bits != 0) {
      const std::size_t block = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
      const std::size_t offset = start + block * block_bytes;
      bits &= bits - 1;
      map_.set_resting(offset, slab.size_class);
      blocks[taken++] = base_ + offset;
    }
    if (bits == 0) slab.filled_words &= slab.filled_words - 1;
  }
  slab.free -= taken;
  return taken;
}

bool SlabHeap::give_one(SizeClass size_class, ClassState& state, std::size_t offset) noexcept
{
  const std::uint32_t index = slab_of(offset);
  if (index == kNone || slabs_[index].size_class != size_class) return false;
  Slab& slab = slabs_[index];
  const auto within = static_cast<std::uint32_t>(offset - slab_offset(slab));
  const std::uint32_t block = within / kClassBytes[size_class];
  if (block >= slab.blocks || block * kClassBytes[size_class] != within) return false;
  const std::uint64_t bit = std::uint64_t{1} << (block % 64);
  if ((slab.words[block / 64] & bit) != 0) return false;
  slab.words[block / 64] |= bit;
  slab.filled_words |= std::uint64_t{1} << (block / 64);
  ++slab.free;
  if (slab.free == 1) link(state, index);
  if (slab.free != slab.blocks) return true;
  unlink(state, index);
  if (state.spare == kNone) {
    state.spare = index;
  } else {
    close_slab(index);
  }
  return true;
}

void SlabHeap::link(ClassState& state, std::uint32_t index) noexcept
{
  std::uint32_t& partial = state.partial[slabs_[index].share];
  slabs_[index].next = partial;
  slabs_[index].previous = kNone;
  if (partial != kNone) slabs_[partial].previous = index;
  partial = index;
}

void SlabHeap::unlink(ClassState& state, std::uint32_t index) noexcept
{
  const Slab& slab = slabs_[index];
  if (slab.next != kNone) slabs_[slab.next].previous = slab.previous;
  if (slab.previous != kNone) {
    slabs_[slab.previous].next = slab.next;
  } else {
    AGNOCAST_CHECK(state.partial[slab.share] == index);
    state.partial[slab.share] = slab.next;
  }
}

}  // namespace agnocast::internal
