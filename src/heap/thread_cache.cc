// Thread caches: see thread_cache.hpp for the contract.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "heap/thread_cache.hpp"

#include <algorithm>
#include <mutex>
#include <new>

namespace agnocast::internal {

bool ThreadCache::refill(SizeClass size_class, SlabHeap& slabs) noexcept
{
  std::byte** const stock = blocks_[size_class].data();
  const std::uint32_t taken = slabs.take(size_class, stock, half(size_class), share_);
  // The lowest address on top: blocks are handed out in the order of their addresses.
  std::reverse(stock, stock + taken);
  set_depth(state_[size_class], taken);
  add(fetched_, taken);
  return taken != 0;
}

std::uint32_t ThreadCache::spill(SizeClass size_class, std::uint32_t kept, SlabHeap& slabs) noexcept
{
  const std::uint32_t count = depth(load(state_[size_class]));
  if (count <= kept) return 0;
  std::byte** const stock = blocks_[size_class].data();
  const std::uint32_t refused = slabs.give(size_class, stock, count - kept);
  std::copy(stock + (count - kept), stock + count, stock);
  set_depth(state_[size_class], kept);
  add(returned_, count - kept);
  return refused;
}

std::uint32_t ThreadCache::spill_all(SlabHeap& slabs) noexcept
{
  std::uint32_t refused = 0;
  for (std::size_t i = 0; i < kClasses; ++i) refused += spill(static_cast<SizeClass>(i), 0, slabs);
  return refused;
}

ThreadCache* ThreadCachePool::acquire() noexcept
{
  {
    const std::lock_guard guard(mutex_);
    if (ThreadCache* const cache = idle_; cache != nullptr) {
      idle_ = cache->next_idle_;
      return cache;
    }
  }
  void* const memory = host_.map_private(sizeof(ThreadCache));
  if (memory == nullptr) return nullptr;
  auto* const cache = new (memory) ThreadCache;
  const std::lock_guard guard(mutex_);
  cache->share_ = all_ == nullptr ? 0 : (all_->share_ + 1) % SlabHeap::kShares;
  cache->next_ = all_;
  all_ = cache;
  return cache;
}

void ThreadCachePool::put_back(ThreadCache* cache) noexcept
{
  const std::lock_guard guard(mutex_);
  cache->next_idle_ = idle_;
  idle_ = cache;
}

void ThreadCachePool::add_counters(std::uint64_t& allocations,
                                   std::uint64_t& deallocations) const noexcept
{
  const std::lock_guard guard(mutex_);
  for (const ThreadCache* cache = all_; cache != nullptr; cache = cache->next_) {
    std::uint64_t popped = 0;
    std::uint64_t here = 0;
    for (const std::atomic<std::uint64_t>& word : cache->state_) {
      const std::uint64_t state = ThreadCache::load(word);
      popped += state / ThreadCache::one_pop;
      here += ThreadCache::depth(state);
    }
    allocations += popped;
    deallocations +=
      popped + here + ThreadCache::load(cache->returned_) - ThreadCache::load(cache->fetched_);
  }
}

void ThreadCachePool::close() noexcept
{
  const std::lock_guard guard(mutex_);
  while (all_ != nullptr) {
    ThreadCache* const cache = all_;
    all_ = cache->next_;
    host_.unmap_private(cache, sizeof(ThreadCache));
  }
  idle_ = nullptr;
}

}  // namespace agnocast::internal
