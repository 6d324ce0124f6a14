// Runs of pages: see page_heap.hpp for the contract and the invariants cited here.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "heap/page_heap.hpp"

#include <algorithm>
#include <mutex>

#include "base/check.hpp"

namespace agnocast::internal {

PageHeap::PageHeap(void* metadata, std::byte* base, std::uint32_t pages, std::size_t secured,
                   const HeapHost& host, Usage& usage) noexcept
  : info_(static_cast<PageInfo*>(metadata)),
    starts_(info_ + pages, pages),
    base_page_(reinterpret_cast<std::uintptr_t>(base) / kPageBytes),
    pages_(pages),
    host_(host),
    usage_(usage),
    secured_(std::min(secured / kPageBytes * kPageBytes, std::size_t{pages} * kPageBytes))
{
  bins_.fill(kNoPage);
}

std::uint32_t PageHeap::allocate(std::uint32_t pages, std::uint32_t alignment_pages,
                                 RunKind kind) noexcept
{
  const std::lock_guard guard(mutex_);
  if (pages > pages_ || alignment_pages > pages_) return kNoPage;
  Run run{find_free(pages, alignment_pages), 0};
  if (run.first != kNoPage) {
    run.pages = info_[run.first].pages;
    unlink(run.first);
  } else {
    run = take_fresh(pages, alignment_pages);
    if (run.first == kNoPage) return kNoPage;
  }
  const std::uint32_t first = aligned_first(run.first, alignment_pages);
  const std::uint32_t before = first - run.first;
  const std::uint32_t after = run.pages - before - pages;
  if (before != 0) link({run.first, before});
  if (after != 0) link({first + pages, after});
  mark_used({first, pages}, kind);
  starts_.insert(first);
  if (kind == RunKind::block) usage_.add(std::size_t{pages} * kPageBytes);
  return first;
}

std::uint32_t PageHeap::release(std::uint32_t first, RunKind kind) noexcept
{
  const std::lock_guard guard(mutex_);
  if (first >= top_ || !starts_.contains(first) || info_[first].kind != kind) return 0;
  const std::uint32_t pages = info_[first].pages;
  starts_.erase(first);
  free_and_merge({first, pages});
  if (kind == RunKind::block) usage_.subtract(std::size_t{pages} * kPageBytes);
  return pages;
}

bool PageHeap::resize(std::uint32_t first, std::uint32_t pages) noexcept
{
  const std::lock_guard guard(mutex_);
  if (first >= top_ || pages == 0 || !starts_.contains(first)) return false;
  if (info_[first].kind != RunKind::block) return false;
  const std::uint32_t old_pages = info_[first].pages;
  if (pages < old_pages) {
    mark_used({first, pages}, RunKind::block);
    free_and_merge({first + pages, old_pages - pages});
    usage_.subtract(std::size_t{old_pages - pages} * kPageBytes);
    return true;
  }
  if (pages == old_pages) return true;
  const std::uint32_t end = first + old_pages;
  const bool follows = end < top_ && info_[end].tag == Tag::free;
  const std::uint32_t spare = follows ? info_[end].pages : 0;
  const std::uint64_t new_end = std::uint64_t{first} + pages;
  const std::uint64_t reach = std::uint64_t{end} + spare;
  if (reach < new_end && (reach != top_ || !secure(new_end))) return false;
  if (follows) unlink(end);
  if (reach > new_end) {
    link({first + pages, static_cast<std::uint32_t>(reach - new_end)});
  } else {
    top_ = std::max(top_, static_cast<std::uint32_t>(new_end));
  }
  mark_used({first, pages}, RunKind::block);
  usage_.add(std::size_t{pages - old_pages} * kPageBytes);
  return true;
}

std::uint32_t PageHeap::block_pages(std::uint32_t first) const noexcept
{
  const std::lock_guard guard(mutex_);
  if (first >= top_ || !starts_.contains(first)) return 0;
  return info_[first].kind == RunKind::block ? info_[first].pages : 0;
}

bool PageHeap::covers(std::size_t offset, std::size_t bytes) const noexcept
{
  const std::lock_guard guard(mutex_);
  if (offset / kPageBytes >= top_) return false;
  const std::uint32_t first = starts_.at_or_below(static_cast<std::uint32_t>(offset / kPageBytes));
  if (first == kNoPage) return false;
  const std::size_t end = (std::size_t{first} + info_[first].pages) * kPageBytes;
  return offset < end && bytes <= end - offset;
}

std::uint32_t PageHeap::top() const noexcept
{
  const std::lock_guard guard(mutex_);
  return top_;
}

std::size_t PageHeap::secured() const noexcept
{
  const std::lock_guard guard(mutex_);
  return secured_;
}

// The first page at or after `first` whose address has the alignment.
std::uint32_t PageHeap::aligned_first(std::uint32_t first,
                                      std::uint32_t alignment_pages) const noexcept
{
  const std::uint64_t address = base_page_ + first;
  const std::uint64_t mask = std::uint64_t{alignment_pages} - 1;
  return first + static_cast<std::uint32_t>(((address + mask) & ~mask) - address);
}

// The tightest run among the first few of a bin, or kNoPage.
std::uint32_t PageHeap::probe(std::uint32_t bin, std::uint32_t pages,
                              std::uint32_t alignment_pages) const noexcept
{
  std::uint32_t best = kNoPage;
  std::uint32_t best_pages = UINT32_MAX;
  std::uint32_t first = bins_[bin];
  for (std::uint32_t i = 0; i < kProbes && first != kNoPage; ++i, first = info_[first].next) {
    const std::uint32_t length = info_[first].pages;
    const std::uint64_t lost = aligned_first(first, alignment_pages) - first;
    if (lost + pages > length || length >= best_pages) continue;
    best = first;
    best_pages = length;
    if (length == pages) break;
  }
  return best;
}

// A run of the nearest filled bin above `bin`, or kNoPage.
std::uint32_t PageHeap::first_of_bin_above(std::uint32_t bin) const noexcept
{
  ++bin;
  std::uint32_t octave = bin / kSplits;
  if (octave >= kOctaves) return kNoPage;
  std::uint32_t splits = split_bits_[octave] & (~0U << (bin % kSplits));
  if (splits == 0) {
    const std::uint32_t octaves = octave_bits_ & (~0U << (octave + 1));
    if (octaves == 0) return kNoPage;
    octave = static_cast<std::uint32_t>(std::countr_zero(octaves));
    splits = split_bits_[octave];
  }
  return bins_[octave * kSplits + static_cast<std::uint32_t>(std::countr_zero(splits))];
}

// The request's own bin comes first, so that a run just freed serves the next request of its size;
// a run from a bin above fits at any alignment if it is the bin above that of the padded request.
std::uint32_t PageHeap::find_free(std::uint32_t pages, std::uint32_t alignment_pages) const noexcept
{
  std::uint32_t found = probe(bin_of(pages), pages, alignment_pages);
  if (found != kNoPage) return found;
  const std::uint64_t padded = std::uint64_t{pages} + alignment_pages - 1;
  if (padded > pages_) return kNoPage;
  const std::uint32_t bin = bin_of(static_cast<std::uint32_t>(padded));
  if (alignment_pages > 1) {
    found = probe(bin, pages, alignment_pages);
    if (found != kNoPage) return found;
  }
  return first_of_bin_above(bin);
}

// A run, in no bin, whose aligned part ends at the new top. It begins with the last run below the
// old top if that is free.
PageHeap::Run PageHeap::take_fresh(std::uint32_t pages, std::uint32_t alignment_pages) noexcept
{
  const bool extends = top_ != 0 && info_[top_ - 1].tag == Tag::free;
  const std::uint32_t first = extends ? top_ - info_[top_ - 1].pages : top_;
  const std::uint64_t end = std::uint64_t{aligned_first(first, alignment_pages)} + pages;
  if (end > pages_ || !secure(end)) return {kNoPage, 0};
  if (extends) unlink(first);
  top_ = static_cast<std::uint32_t>(std::max<std::uint64_t>(top_, end));
  return {first, top_ - first};
}

// Makes [0, end_page) usable, a step ahead if there is room for it; false if there is not.
bool PageHeap::secure(std::uint64_t end_page) noexcept
{
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  if (end_page > pages_) return false;
  const std::size_t end = static_cast<std::size_t>(end_page) * kPageBytes;
  if (end <= secured_) return true;
  const std::size_t step = std::clamp(secured_ / 4, kMiB, 64 * kMiB) / kPageBytes * kPageBytes;
  const std::size_t ahead = std::min(std::max(end, secured_ + step), region_bytes());
  if (host_.secure(host_.context, ahead)) {
    secured_ = ahead;
  } else if (ahead != end && host_.secure(host_.context, end)) {
    secured_ = end;
  } else {
    return false;
  }
  return true;
}

void PageHeap::link(Run run) noexcept
{
  const std::uint32_t bin = bin_of(run.pages);
  const std::uint32_t head = bins_[bin];
  info_[run.first + run.pages - 1] = {run.pages, kNoPage, kNoPage, Tag::free, RunKind::block};
  info_[run.first] = {run.pages, head, kNoPage, Tag::free, RunKind::block};
  if (head != kNoPage) info_[head].previous = run.first;
  bins_[bin] = run.first;
  split_bits_[bin / kSplits] |= static_cast<std::uint16_t>(1U << (bin % kSplits));
  octave_bits_ |= 1U << (bin / kSplits);
}

void PageHeap::unlink(std::uint32_t first) noexcept
{
  const PageInfo& info = info_[first];
  AGNOCAST_CHECK(info.tag == Tag::free);
  if (info.next != kNoPage) info_[info.next].previous = info.previous;
  if (info.previous != kNoPage) {
    info_[info.previous].next = info.next;
    return;
  }
  const std::uint32_t bin = bin_of(info.pages);
  AGNOCAST_CHECK(bins_[bin] == first);
  bins_[bin] = info.next;
  if (info.next != kNoPage) return;
  split_bits_[bin / kSplits] &= static_cast<std::uint16_t>(~(1U << (bin % kSplits)));
  if (split_bits_[bin / kSplits] == 0) octave_bits_ &= ~(1U << (bin / kSplits));
}

void PageHeap::mark_used(Run run, RunKind kind) noexcept
{
  info_[run.first + run.pages - 1] = {run.pages, kNoPage, kNoPage, Tag::inside, kind};
  info_[run.first] = {run.pages, kNoPage, kNoPage, Tag::used, kind};
}

// Links a run that is no longer in use together with its free neighbours (invariant 2).
void PageHeap::free_and_merge(Run run) noexcept
{
  const std::uint32_t end = run.first + run.pages;
  if (end < top_ && info_[end].tag == Tag::free) {
    run.pages += info_[end].pages;
    unlink(end);
  }
  if (run.first != 0 && info_[run.first - 1].tag == Tag::free) {
    const std::uint32_t left = info_[run.first - 1].pages;
    run.first -= left;
    run.pages += left;
    unlink(run.first);
  }
  link(run);
}

}  // namespace agnocast::internal
