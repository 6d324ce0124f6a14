// The heap's front: routes by size, through the thread's cache; see heap.hpp for the contract.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "heap/heap.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "base/check.hpp"
#include "base/sanitizer.hpp"

namespace agnocast::internal {
namespace {

constinit std::atomic<std::uint64_t> last_heap_id{0};

constexpr std::size_t kRegionMax = std::size_t{1} << 43;

constexpr std::size_t round_up(std::size_t bytes, std::size_t unit)
{
  return (bytes + unit - 1) / unit * unit;
}

// The sanitizer lets the block's owner have what was asked for, and not the rest of the block.
void* open_to_owner(void* block, std::size_t bytes)
{
  if (access_is_checked && block != nullptr) allow_access(block, bytes);
  return block;
}

// Where the parts of a heap's private memory begin.
struct Metadata
{
  explicit constexpr Metadata(std::size_t region_bytes)
    : pages(round_up(sizeof(Heap), kPageBytes)),
      summary((pages + PageHeap::set_offset(region_bytes / kPageBytes) +
               PageSet::first_level_bytes(region_bytes / kPageBytes)) /
              kPageBytes * kPageBytes),
      slabs(pages + round_up(PageHeap::metadata_bytes(region_bytes / kPageBytes), kPageBytes)),
      map(slabs + round_up(SlabHeap::metadata_bytes(region_bytes / kPageBytes), kPageBytes)),
      end(map + round_up(BlockMap::metadata_bytes(region_bytes), kPageBytes))
  {
  }
  std::size_t pages;
  std::size_t summary;  // the upper levels of the set of pages, on whole pages
  std::size_t slabs;
  std::size_t map;
  std::size_t end;
};

}  // namespace

[[gnu::visibility("default")]] constinit thread_local ThreadMemo tls_memo{};

Heap::Heap(std::byte* base, std::size_t bytes, std::size_t secured, const HeapHost& host,
           std::byte* metadata, std::size_t metadata_bytes) noexcept
  : id_(last_heap_id.fetch_add(1, std::memory_order_relaxed) + 1),
    base_(base),
    bytes_(bytes),
    map_(reinterpret_cast<std::uint8_t*>(metadata + Metadata(bytes).map)),
    host_(host),
    metadata_bytes_(metadata_bytes),
    pages_(metadata + Metadata(bytes).pages, base, static_cast<std::uint32_t>(bytes / kPageBytes),
           secured, host_of_pages(), usage_),
    slabs_(metadata + Metadata(bytes).slabs, base, pages_, map_, usage_),
    caches_(host)
{
  has_key_ = pthread_key_create(&key_, &Heap::on_thread_exit) == 0;
}

Heap* Heap::create(std::byte* base, std::size_t bytes, std::size_t secured,
                   const HeapHost& host) noexcept
{
  AGNOCAST_CHECK(reinterpret_cast<std::uintptr_t>(base) % kPageBytes == 0);
  AGNOCAST_CHECK(bytes % kPageBytes == 0);
  if (bytes == 0 || bytes > kRegionMax) return nullptr;
  const std::size_t metadata_bytes = Metadata(bytes).end;
  const bool opens = host.make_writable != nullptr;
  void* const memory =
    opens ? host.map_read_only(metadata_bytes) : host.map_private(metadata_bytes);
  if (memory == nullptr) return nullptr;
  const Metadata parts(bytes);
  auto* const metadata = static_cast<std::byte*>(memory);
  if (opens && !(host.make_writable(memory, parts.pages) &&
                 host.make_writable(metadata + parts.summary, parts.slabs - parts.summary) &&
                 open_metadata(host, metadata, bytes, secured))) {
    host.unmap_private(memory, metadata_bytes);
    return nullptr;
  }
  return new (memory)
    Heap(base, bytes, secured, host, static_cast<std::byte*>(memory), metadata_bytes);
}

HeapHost Heap::host_of_pages() noexcept
{
  if (host_.make_writable == nullptr) return host_;
  HeapHost host = host_;
  host.secure = [](void* self, std::size_t end) { return static_cast<Heap*>(self)->secure(end); };
  host.context = this;
  return host;
}

bool Heap::secure(std::size_t end) noexcept
{
  return open_metadata(host_, reinterpret_cast<std::byte*>(this), bytes_, end) &&
         host_.secure(host_.context, end);
}

// What describes pages that are not secured stays read-only, so that nothing makes it resident: it
// is a twelfth of the whole region.
bool Heap::open_metadata(const HeapHost& host, std::byte* metadata, std::size_t bytes,
                         std::size_t end) noexcept
{
  const Metadata parts(bytes);
  const std::size_t pages = end / kPageBytes;
  const std::size_t set = parts.pages + PageHeap::set_offset(bytes / kPageBytes);
  const auto open = [&](std::size_t from, std::size_t size, std::size_t limit) {
    const std::size_t first = from / kPageBytes * kPageBytes;
    const std::size_t last = std::min(round_up(from + size, kPageBytes), limit);
    return first >= last || host.make_writable(metadata + first, last - first);
  };
  return open(parts.pages, PageHeap::set_offset(pages), parts.slabs) &&
         open(set, PageSet::first_level_bytes(pages), parts.slabs) &&
         open(parts.slabs, SlabHeap::metadata_bytes(pages), parts.map) &&
         open(parts.map, BlockMap::metadata_bytes(end), parts.end);
}

void Heap::destroy(Heap* heap) noexcept
{
  if (heap == nullptr) return;
  if (heap->has_key_) pthread_key_delete(heap->key_);
  heap->caches_.close();
  if (access_is_checked) allow_access(heap->base_, heap->pages_.secured());
  const HeapHost host = heap->host_;
  const std::size_t bytes = heap->metadata_bytes_;
  heap->~Heap();
  host.unmap_private(heap, bytes);
}

inline ThreadCache* Heap::thread_cache() noexcept
{
  if (tls_memo.heap_id == id_) [[likely]]
    return tls_memo.cache;
  return find_thread_cache();
}

// The thread's cache for this heap, made if need be; nullptr if it can have none (now).
[[gnu::noinline]] ThreadCache* Heap::find_thread_cache() noexcept
{
  if (tls_memo.creating || tls_memo.ended || !has_key_) return nullptr;
  auto* cache = static_cast<ThreadCache*>(pthread_getspecific(key_));
  if (cache == nullptr) cache = create_thread_cache();
  if (cache == nullptr) return nullptr;
  tls_memo.cache = cache;
  tls_memo.heap_id = id_;
  return cache;
}

ThreadCache* Heap::create_thread_cache() noexcept
{
  tls_memo.creating = true;
  ThreadCache* cache = caches_.acquire();
  if (cache != nullptr) {
    cache->heap = this;
    if (pthread_setspecific(key_, cache) != 0) {
      caches_.put_back(cache);
      cache = nullptr;
    }
  }
  tls_memo.creating = false;
  return cache;
}

void Heap::on_thread_exit(void* value)
{
  auto* const cache = static_cast<ThreadCache*>(value);
  Heap* const heap = cache->heap;
  tls_memo.ended = true;
  tls_memo.heap_id = 0;
  heap->count_misuse(cache->spill_all(heap->slabs_));
  heap->caches_.put_back(cache);
}

void* Heap::allocate(std::size_t bytes) noexcept
{
  if (bytes <= kSmallMax) [[likely]]
    return open_to_owner(allocate_small(class_of(bytes)), bytes);
  return open_to_owner(allocate_large(bytes, kPageBytes), bytes);
}

void* Heap::allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept
{
  if (!std::has_single_bit(alignment)) return nullptr;
  if (alignment <= kPageBytes && bytes <= kSmallMax) {
    const SizeClass size_class = class_of_aligned(bytes, alignment);
    if (size_class < kClasses) return open_to_owner(allocate_small(size_class), bytes);
  }
  return open_to_owner(allocate_large(bytes, std::max(alignment, kPageBytes)), bytes);
}

inline void* Heap::allocate_small(SizeClass size_class) noexcept
{
  ThreadCache* const cache = thread_cache();
  if (cache != nullptr) [[likely]] {
    std::byte* const block = cache->pop(size_class);
    if (block != nullptr) [[likely]]
      return hand_out(block, size_class, cache);
  }
  return allocate_small_slow(size_class, cache);
}

[[gnu::noinline]] void* Heap::allocate_small_slow(SizeClass size_class, ThreadCache* cache) noexcept
{
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::byte* block = nullptr;
    if (cache == nullptr) {
      slabs_.take(size_class, &block, 1);
    } else if (cache->refill(size_class, slabs_)) {
      block = cache->pop(size_class);
    }
    if (block != nullptr) return hand_out(block, size_class, cache);
    if (!make_room()) break;
  }
  return nullptr;
}

inline void* Heap::hand_out(std::byte* block, SizeClass size_class, ThreadCache* cache) noexcept
{
  map_.set_live(offset_of(block), size_class);
  if (cache == nullptr) allocations_.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void* Heap::allocate_large(std::size_t bytes, std::size_t alignment) noexcept
{
  if (bytes > bytes_ || alignment > bytes_) return nullptr;
  const std::size_t pages = std::max(round_up(bytes, kPageBytes), kPageBytes) / kPageBytes;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::uint32_t first =
      pages_.allocate(static_cast<std::uint32_t>(pages),
                      static_cast<std::uint32_t>(alignment / kPageBytes), RunKind::block);
    if (first != kNoPage) {
      allocations_.fetch_add(1, std::memory_order_relaxed);
      return base_ + std::size_t{first} * kPageBytes;
    }
    if (!make_room()) break;
  }
  return nullptr;
}

void Heap::deallocate(void* block) noexcept
{
  if (block == nullptr) return;
  const std::size_t offset = offset_of(block);
  if (offset >= bytes_ || offset % kGranule != 0) [[unlikely]]
    return count_misuse(1);
  const std::uint8_t mark = map_.load(offset);
  if ((mark & BlockMap::kLive) == 0) [[unlikely]]
    return deallocate_large(offset);
  const auto size_class = static_cast<SizeClass>(mark & BlockMap::kClassMask);
  map_.set_resting(offset, size_class);
  forbid_access(block, kClassBytes[size_class]);
  ThreadCache* const cache = thread_cache();
  if (cache != nullptr && cache->push(size_class, static_cast<std::byte*>(block))) [[likely]]
    return;
  deallocate_small_slow(static_cast<std::byte*>(block), size_class, cache);
}

[[gnu::noinline]] void Heap::deallocate_small_slow(std::byte* block, SizeClass size_class,
                                                   ThreadCache* cache) noexcept
{
  if (cache == nullptr) {
    deallocations_.fetch_add(1, std::memory_order_relaxed);
    return count_misuse(slabs_.give(size_class, &block, 1));
  }
  count_misuse(cache->spill(size_class, ThreadCache::half(size_class), slabs_));
  AGNOCAST_CHECK(cache->push(size_class, block));
}

[[gnu::noinline]] void Heap::deallocate_large(std::size_t offset) noexcept
{
  const auto first = static_cast<std::uint32_t>(offset / kPageBytes);
  if (access_is_checked && offset % kPageBytes == 0) {
    forbid_access(base_ + offset, pages_.block_pages(first) * kPageBytes);
  }
  if (offset % kPageBytes != 0 || pages_.release(first, RunKind::block) == 0) {
    return count_misuse(1);
  }
  deallocations_.fetch_add(1, std::memory_order_relaxed);
}

void* Heap::reallocate(void* block, std::size_t bytes) noexcept
{
  if (block == nullptr) return allocate(bytes);
  const std::size_t usable = usable_size(block);
  if (usable == 0) {
    count_misuse(1);
    return nullptr;
  }
  if (bytes > bytes_) return nullptr;
  // Before the pages behind it go: they may be somebody else's at once.
  if (bytes < usable) forbid_access(static_cast<std::byte*>(block) + bytes, usable - bytes);
  const std::size_t offset = offset_of(block);
  const bool is_small = (map_.load(offset) & BlockMap::kLive) != 0;
  if (is_small) {
    if (bytes <= usable && bytes >= usable / 2) return block;
  } else {
    const std::size_t pages = std::max(round_up(bytes, kPageBytes), kPageBytes) / kPageBytes;
    const auto first = static_cast<std::uint32_t>(offset / kPageBytes);
    if (pages_.resize(first, static_cast<std::uint32_t>(pages))) return open_to_owner(block, bytes);
  }
  void* const moved = allocate(bytes);
  if (moved == nullptr) return bytes <= usable ? block : nullptr;
  std::memcpy(moved, block, std::min(bytes, usable));
  deallocate(block);
  return moved;
}

std::size_t Heap::usable_size(const void* block) const noexcept
{
  const std::size_t bytes = block_size(block);
  if (access_is_checked) allow_access(block, bytes);  // who asks may use it
  return bytes;
}

std::size_t Heap::block_size(const void* block) const noexcept
{
  const std::size_t offset = offset_of(block);
  if (offset >= bytes_ || offset % kGranule != 0) return 0;
  const std::uint8_t mark = map_.load(offset);
  if ((mark & BlockMap::kLive) != 0) return kClassBytes[mark & BlockMap::kClassMask];
  if (offset % kPageBytes != 0) return 0;
  return pages_.block_pages(static_cast<std::uint32_t>(offset / kPageBytes)) * kPageBytes;
}

bool Heap::is_live(const void* p, std::size_t bytes) const noexcept
{
  const std::size_t offset = offset_of(p);
  return offset < bytes_ && pages_.covers(offset, bytes);
}

std::size_t Heap::extent() const noexcept
{
  return std::size_t{pages_.top()} * kPageBytes;
}

HeapStatistics Heap::statistics() const noexcept
{
  HeapStatistics result{};
  result.region_bytes = bytes_;
  result.secured_bytes = pages_.secured();
  result.used_bytes = usage_.used();
  result.peak_bytes = usage_.peak();
  result.allocations = allocations_.load(std::memory_order_relaxed);
  result.deallocations = deallocations_.load(std::memory_order_relaxed);
  result.misuse_count = misuse_.load(std::memory_order_relaxed);
  caches_.add_counters(result.allocations, result.deallocations);
  return result;
}

std::size_t Heap::lock_for_fork() noexcept
{
  caches_.lock();
  slabs_.lock();
  pages_.lock();
  return std::size_t{pages_.top_locked()} * kPageBytes;
}

void Heap::unlock_after_fork() noexcept
{
  pages_.unlock();
  slabs_.unlock();
  caches_.unlock();
}

void Heap::flush_thread_cache() noexcept
{
  ThreadCache* const cache = thread_cache();
  if (cache != nullptr) count_misuse(cache->spill_all(slabs_));
}

// When memory is exhausted: gives back what this thread and the slabs hold in reserve. Visits each
// class. True if another attempt may succeed.
bool Heap::make_room() noexcept
{
  flush_thread_cache();
  return slabs_.trim();
}

void Heap::count_misuse(std::uint64_t count) noexcept
{
  if (count != 0) misuse_.fetch_add(count, std::memory_order_relaxed);
}

}  // namespace agnocast::internal
