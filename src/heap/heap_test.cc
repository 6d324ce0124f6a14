// Tests of the heap as a whole.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "heap/heap.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "heap/heap_test_region.hpp"

#if defined(__SANITIZE_THREAD__)
#define AGNOCAST_TEST_UNDER_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define AGNOCAST_TEST_UNDER_TSAN
#endif
#endif

namespace agnocast::internal {
namespace {

struct Block
{
  std::size_t bytes;
  unsigned char fill;
};

bool filled_with(const void* block, std::size_t bytes, unsigned char value)
{
  const auto* p = static_cast<const unsigned char*>(block);
  return std::all_of(p, p + bytes, [value](unsigned char c) { return c == value; });
}

bool is_multiple(const void* block, std::size_t alignment)
{
  return reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
}

TEST(SizeClass, EveryRequestGetsTheSmallestClassThatHoldsIt)
{
  for (std::size_t bytes = 0; bytes <= kSmallMax; ++bytes) {
    const SizeClass index = class_of(bytes);
    ASSERT_LT(index, kClasses);
    ASSERT_GE(kClassBytes[index], bytes);
    ASSERT_TRUE(index == 0 || kClassBytes[index - 1U] < bytes);
    ASSERT_LE(kClassBytes[index] - bytes, bytes / 4 + kGranule);
  }
  for (std::size_t i = 0; i < kClasses; ++i) {
    EXPECT_EQ(kClassBytes[i] % kGranule, 0U);
    EXPECT_GE(cache_capacity(i), 4U);
    EXPECT_LE(cache_capacity(i) * kClassBytes[i], 32768U);
  }
}

TEST(SizeClass, EveryAlignmentUpToAPageHasAClass)
{
  for (std::size_t alignment = 1; alignment <= kPageBytes; alignment *= 2) {
    for (std::size_t bytes = 0; bytes <= kSmallMax; ++bytes) {
      const SizeClass index = class_of_aligned(bytes, alignment);
      ASSERT_LT(index, kClasses);
      ASSERT_GE(kClassBytes[index], bytes);
      ASSERT_EQ(kClassBytes[index] % alignment, 0U);
    }
  }
}

TEST(Heap, EverySmallSizeGivesAnAlignedUsableDistinctBlock)
{
  TestHeap heap(512 * kMiB);
  std::map<std::byte*, std::size_t> blocks;
  for (std::size_t bytes = 0; bytes <= 3 * kSmallMax; ++bytes) {
    auto* const block = static_cast<std::byte*>(heap->allocate(bytes));
    ASSERT_NE(block, nullptr);
    ASSERT_TRUE(is_multiple(block, 16));
    ASSERT_TRUE(heap->contains(block));
    ASSERT_TRUE(heap->is_live(block, bytes));
    ASSERT_GE(heap->usable_size(block), std::max<std::size_t>(bytes, 1));
    ASSERT_TRUE(blocks.emplace(block, heap->usable_size(block)).second);
  }
  std::byte* end = nullptr;
  for (const auto& [block, bytes] : blocks) {
    ASSERT_GE(block, end);
    end = block + bytes;
  }
  for (const auto& [block, bytes] : blocks) heap->deallocate(block);
  heap->flush_thread_cache();
  EXPECT_EQ(heap->statistics().used_bytes, 0U);
  EXPECT_EQ(heap->statistics().allocations, heap->statistics().deallocations);
}

TEST(Heap, EveryAlignmentIsKept)
{
  TestHeap heap(4 * kGiB);
  for (std::size_t alignment = 1; alignment <= kGiB; alignment *= 2) {
    for (const std::size_t bytes : {0UL, 1UL, 100UL, 4096UL, 8192UL, 8193UL, 100'000UL}) {
      void* const first = heap->allocate_aligned(bytes, alignment);
      void* const second = heap->allocate_aligned(bytes, alignment);
      ASSERT_NE(first, nullptr) << alignment;
      ASSERT_NE(second, nullptr) << alignment;
      ASSERT_NE(first, second);
      ASSERT_TRUE(is_multiple(first, alignment) && is_multiple(second, alignment));
      ASSERT_TRUE(is_multiple(first, 16));
      ASSERT_GE(heap->usable_size(second), bytes);
      heap->deallocate(first);
      heap->deallocate(second);
    }
  }
  EXPECT_EQ(heap->allocate_aligned(1, 0), nullptr);
  EXPECT_EQ(heap->allocate_aligned(1, 24), nullptr);
  EXPECT_EQ(heap->allocate_aligned(SIZE_MAX, 64), nullptr);
}

TEST(Heap, RandomOperationsKeepAllContents)
{
  TestHeap heap(512 * kMiB);
  std::map<void*, Block> live;
  std::mt19937 random(42);
  const auto any_size = [&]() -> std::size_t {
    const auto kind = random() % 20;
    if (kind == 0) return random() % (2 * kMiB);
    if (kind < 4) return random() % (64 * kKiB);
    return random() % 2000;
  };
  for (int i = 0; i < 60'000; ++i) {
    const auto action = random() % 10;
    if (action < 5 || live.empty()) {
      const std::size_t bytes = any_size();
      const std::size_t alignment = random() % 8 == 0 ? 1UL << (random() % 16) : 1;
      void* const block = heap->allocate_aligned(bytes, alignment);
      if (block == nullptr) continue;
      ASSERT_TRUE(is_multiple(block, alignment));
      ASSERT_TRUE(live.emplace(block, Block{bytes, static_cast<unsigned char>(i)}).second);
      std::memset(block, i & 0xff, bytes);
    } else {
      auto chosen = live.lower_bound(heap.region.base() + random() % (heap->extent() + 1));
      if (chosen == live.end()) chosen = live.begin();
      const auto [block, model] = *chosen;
      ASSERT_TRUE(filled_with(block, model.bytes, model.fill));
      if (action < 8) {
        heap->deallocate(block);
        live.erase(chosen);
      } else {
        const std::size_t bytes = any_size();
        void* const moved = heap->reallocate(block, bytes);
        if (moved == nullptr) continue;
        ASSERT_TRUE(filled_with(moved, std::min(bytes, model.bytes), model.fill));
        std::memset(moved, model.fill, bytes);
        live.erase(chosen);
        ASSERT_TRUE(live.emplace(moved, Block{bytes, model.fill}).second);
      }
    }
    if (i % 4096 == 0) {
      ASSERT_STREQ(heap->audit(), nullptr);
    }
  }
  for (const auto& [block, model] : live) {
    ASSERT_TRUE(filled_with(block, model.bytes, model.fill));
    heap->deallocate(block);
  }
  heap->flush_thread_cache();
  const HeapStatistics statistics = heap->statistics();
  EXPECT_EQ(statistics.used_bytes, 0U);
  EXPECT_EQ(statistics.misuse_count, 0U);
  EXPECT_EQ(statistics.allocations, statistics.deallocations);
  EXPECT_GE(statistics.peak_bytes, 1U);
}

TEST(Heap, RepeatedLargeMessagesReuseTheSamePages)
{
  TestHeap heap(kGiB);
  void* const small = heap->allocate(100);
  void* const first = heap->allocate(64 * kMiB);
  heap->deallocate(first);
  const std::size_t extent = heap->extent();
  for (int i = 0; i < 1000; ++i) {
    void* const block = heap->allocate(64 * kMiB);
    ASSERT_EQ(block, first);
    heap->deallocate(block);
  }
  EXPECT_EQ(heap->extent(), extent);
  heap->deallocate(small);
}

TEST(Heap, AGrowingVectorNeedsABoundedExtent)
{
  TestHeap heap(2 * kGiB);
  std::size_t extent = 0;
  for (int round = 0; round < 10; ++round) {
    void* current = heap->allocate(16);
    for (std::size_t bytes = 32; bytes <= 64 * kMiB; bytes *= 2) {
      void* const next = heap->allocate(bytes);
      ASSERT_NE(next, nullptr);
      heap->deallocate(current);
      current = next;
    }
    heap->deallocate(current);
    if (round == 0) extent = heap->extent();
  }
  EXPECT_LE(extent, 144 * kMiB);
  EXPECT_EQ(heap->extent(), extent);
}

TEST(Heap, ReallocateStaysInPlaceWhereItCan)
{
  TestHeap heap(256 * kMiB);
  void* const small = heap->allocate(1000);
  EXPECT_EQ(heap->reallocate(small, 1024), small);
  EXPECT_EQ(heap->reallocate(small, 600), small);
  void* const large = heap->allocate(kMiB);
  EXPECT_EQ(heap->reallocate(large, 10 * kMiB), large);
  EXPECT_EQ(heap->reallocate(large, 10), large);
  EXPECT_EQ(heap->usable_size(large), kPageBytes);
  void* const next = heap->allocate(kMiB);
  EXPECT_NE(heap->reallocate(large, 20 * kMiB), large);
  EXPECT_EQ(heap->reallocate(next, SIZE_MAX), nullptr);
  EXPECT_EQ(heap->usable_size(next), kMiB);
  void* const fresh = heap->reallocate(nullptr, 5);
  EXPECT_EQ(heap->usable_size(fresh), 16U);
}

TEST(Heap, ReallocateReadsNothingBeyondTheOldBlock)
{
  TestHeap heap(8 * kMiB, 3 * kMiB + 5 * kPageBytes);
  void* const first = heap->allocate(3 * kMiB);
  void* const last = heap->allocate(5 * kPageBytes);
  std::memset(last, 7, 5 * kPageBytes);
  heap->deallocate(first);
  void* const moved = heap->reallocate(last, kMiB);
  EXPECT_EQ(moved, first);
  EXPECT_TRUE(filled_with(moved, 5 * kPageBytes, 7));
  EXPECT_EQ(heap->reallocate(moved, 4 * kMiB), nullptr);
  EXPECT_TRUE(filled_with(moved, 5 * kPageBytes, 7));
}

TEST(Heap, MisuseIsCountedAndHarmless)
{
  TestHeap heap(64 * kMiB);
  auto* const small = static_cast<std::byte*>(heap->allocate(100));
  auto* const large = static_cast<std::byte*>(heap->allocate(kMiB));
  int local = 0;
  std::uint64_t expected = 0;
  const auto misuse = [&](void* p) {
    heap->deallocate(p);
    ASSERT_EQ(heap->statistics().misuse_count, ++expected);
  };
  misuse(&local);
  misuse(small + 1);
  misuse(small + 16);
  misuse(large + 16);
  misuse(large + kPageBytes);
  misuse(heap.region.base() + 63 * kMiB);
  heap->deallocate(small);
  misuse(small);
  heap->deallocate(large);
  misuse(large);
  heap->flush_thread_cache();
  misuse(small);
  EXPECT_EQ(heap->reallocate(large, 10), nullptr);
  EXPECT_EQ(heap->usable_size(small), 0U);
  EXPECT_EQ(heap->statistics().misuse_count, expected + 1);
  EXPECT_STREQ(heap->audit(), nullptr);
  heap->deallocate(nullptr);
  EXPECT_NE(heap->allocate(100), heap->allocate(100));
}

TEST(Heap, OnlyMemoryOfRunsInUseIsLive)
{
  TestHeap heap(64 * kMiB);
  auto* const block = static_cast<std::byte*>(heap->allocate(kMiB));
  auto* const other = static_cast<std::byte*>(heap->allocate(kMiB));
  EXPECT_TRUE(heap->is_live(block, kMiB));
  EXPECT_TRUE(heap->is_live(block + 5000, kMiB - 5000));
  EXPECT_FALSE(heap->is_live(block, kMiB + 1));
  EXPECT_FALSE(heap->is_live(block + 1, SIZE_MAX));
  EXPECT_FALSE(heap->is_live(&heap, 1));
  EXPECT_FALSE(heap->is_live(heap.region.base() + 32 * kMiB, 1));
  heap->deallocate(block);
  EXPECT_FALSE(heap->is_live(block, 1));
  EXPECT_TRUE(heap->is_live(other, 1));
}

TEST(Heap, ExhaustionIsAnAnswerAndRecoveryIsComplete)
{
  TestHeap heap(16 * kMiB);
  for (const std::size_t bytes : {64UL, 8192UL, 100'000UL, 1UL << 20}) {
    std::vector<void*> blocks;
    while (void* const block = heap->allocate(bytes)) blocks.push_back(block);
    EXPECT_GE(blocks.size() * bytes, 15 * kMiB) << bytes;
    EXPECT_STREQ(heap->audit(), nullptr);
    for (void* const block : blocks) heap->deallocate(block);
  }
  // What caches and spare slabs hold back is given up for a request that needs it.
  void* const all = heap->allocate(16 * kMiB);
  EXPECT_EQ(all, heap.region.base());
  EXPECT_EQ(heap->allocate(0), nullptr);
  EXPECT_EQ(heap->allocate(SIZE_MAX), nullptr);
  heap->deallocate(all);
  EXPECT_EQ(heap->statistics().used_bytes, 0U);
}

TEST(Heap, MemoryThatCannotBeSecuredIsNeverTouched)
{
  TestHeap heap(kGiB, 5 * kMiB + 3 * kPageBytes);
  std::vector<void*> blocks;
  while (void* const block = heap->allocate(300'000)) {
    std::memset(block, 1, 300'000);
    blocks.push_back(block);
  }
  while (void* const block = heap->allocate(50)) {
    std::memset(block, 2, 50);
    blocks.push_back(block);
  }
  EXPECT_GE(heap->statistics().secured_bytes, 5 * kMiB);
  EXPECT_LE(heap->extent(), heap->statistics().secured_bytes);
  heap.region.limit = SIZE_MAX;
  void* const more = heap->allocate(100 * kMiB);
  ASSERT_NE(more, nullptr);
  std::memset(more, 3, 100 * kMiB);
  for (void* const block : blocks) heap->deallocate(block);
  heap->deallocate(more);
}

TEST(Heap, WorksWithoutMemoryForThreadCaches)
{
  TestHeap heap(16 * kMiB);
  TestRegion::refuse_mapping = true;
  void* const block = heap->allocate(10);
  EXPECT_NE(block, nullptr);
  heap->deallocate(block);
  EXPECT_EQ(heap->statistics().used_bytes, 0U);
  EXPECT_EQ(heap->statistics().allocations, 1U);
  EXPECT_EQ(Heap::create(heap.region.base(), kMiB, 0, heap.region.host()), nullptr);
  TestRegion::refuse_mapping = false;
}

TEST(Heap, SeveralHeapsInOneThreadKeepTheirBlocksApart)
{
  TestRegion region_a(8 * kMiB);
  TestRegion region_b(8 * kMiB);
  Heap* const a = Heap::create(region_a.base(), region_a.bytes(), 0, region_a.host());
  Heap* b = Heap::create(region_b.base(), region_b.bytes(), 0, region_b.host());
  for (int i = 0; i < 1000; ++i) {
    void* const from_a = a->allocate(64);
    void* const from_b = b->allocate(64);
    ASSERT_TRUE(a->contains(from_a) && !b->contains(from_a));
    ASSERT_TRUE(b->contains(from_b) && !a->contains(from_b));
    a->deallocate(from_a);
    b->deallocate(from_b);
    if (i % 100 == 99) {
      // A heap at the address of a destroyed one must not see the old cache.
      Heap::destroy(b);
      b = Heap::create(region_b.base(), region_b.bytes(), 0, region_b.host());
      EXPECT_EQ(b->statistics().allocations, 0U);
    }
  }
  EXPECT_STREQ(a->audit(), nullptr);
  EXPECT_STREQ(b->audit(), nullptr);
  Heap::destroy(a);
  Heap::destroy(b);
}

TEST(ThreadCachePool, NeverGivesACacheTwice)
{
  TestRegion region(kMiB);
  ThreadCachePool pool(region.host());
  ThreadCache* const a = pool.acquire();
  ThreadCache* const b = pool.acquire();
  EXPECT_NE(a, b);
  pool.put_back(a);
  pool.put_back(b);
  const std::set<ThreadCache*> again{pool.acquire(), pool.acquire()};
  EXPECT_EQ(again, (std::set<ThreadCache*>{a, b}));
  EXPECT_EQ(again.count(pool.acquire()), 0U);
  pool.close();
}

TEST(Heap, AThreadThatEndsReturnsItsStock)
{
  TestHeap heap(64 * kMiB);
  for (int round = 0; round < 20; ++round) {
    std::thread([&] {
      std::vector<void*> blocks;
      for (std::size_t i = 0; i < 2000; ++i) blocks.push_back(heap->allocate(i));
      for (void* const block : blocks) heap->deallocate(block);
    }).join();
    ASSERT_EQ(heap->statistics().used_bytes, 0U);
  }
  EXPECT_EQ(heap->statistics().allocations, 40'000U);
  EXPECT_EQ(heap->statistics().deallocations, 40'000U);
}

TEST(Heap, AllocatingInThreadDestructorsLosesNothing)
{
#ifdef AGNOCAST_TEST_UNDER_TSAN
  GTEST_SKIP() << "TSan's own record of a thread is gone in the last round of destructors";
#endif
  TestHeap heap(64 * kMiB);
  static Heap* target = nullptr;
  static pthread_key_t late{};
  static std::atomic<std::uint64_t> rounds{0};
  target = &*heap;
  // Comes again in each round, so the last time after the heap's own destructor.
  const auto again = [](void* value) {
    target->deallocate(target->allocate(40));
    pthread_setspecific(late, value);
    ++rounds;
  };
  ASSERT_EQ(pthread_key_create(&late, again), 0);
  std::thread([&] {
    pthread_setspecific(late, &late);
    heap->deallocate(heap->allocate(40));
  }).join();
  pthread_key_delete(late);
  EXPECT_GT(rounds, 1U);
  EXPECT_EQ(heap->statistics().used_bytes, 0U);
  EXPECT_EQ(heap->statistics().allocations, 1U + rounds);
}

TEST(Heap, ThreadsStormWithFreesAcrossThreads)
{
  TestHeap heap(kGiB);
  constexpr int kThreads = 4;
  struct Mailbox
  {
    std::mutex mutex;
    std::deque<std::pair<void*, Block>> blocks;
  };
  std::array<Mailbox, kThreads> mailboxes;
  std::atomic<int> errors{0};
  const auto finish = [&](const std::pair<void*, Block>& item) {
    if (!filled_with(item.first, item.second.bytes, item.second.fill)) ++errors;
    if (!heap->is_live(item.first, item.second.bytes)) ++errors;
    heap->deallocate(item.first);
  };
  const auto work = [&](unsigned self) {
    std::mt19937 random(self);
    for (int i = 0; i < 30'000; ++i) {
      const auto fill = static_cast<unsigned char>(random());
      const std::size_t bytes = random() % 64 == 0 ? random() % 200'000 : random() % 1000;
      void* block = heap->allocate(bytes);
      if (block == nullptr) {
        ++errors;
        continue;
      }
      std::memset(block, fill, bytes);
      const std::pair<void*, Block> item{block, {bytes, fill}};
      if (random() % 3 == 0) {
        finish(item);
        continue;
      }
      Mailbox& mailbox = mailboxes[random() % kThreads];
      std::unique_lock guard(mailbox.mutex);
      mailbox.blocks.push_back(item);
      if (mailbox.blocks.size() < 50) continue;
      const auto oldest = mailbox.blocks.front();
      mailbox.blocks.pop_front();
      guard.unlock();
      finish(oldest);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (int i = 0; i < 5; ++i) {
    EXPECT_STREQ(heap->audit(), nullptr);
    heap->statistics();
  }
  for (std::thread& thread : threads) thread.join();
  for (Mailbox& mailbox : mailboxes) {
    for (const auto& item : mailbox.blocks) finish(item);
  }
  heap->flush_thread_cache();
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(heap->statistics().used_bytes, 0U);
  EXPECT_EQ(heap->statistics().misuse_count, 0U);
}

TEST(Heap, AForkedChildGetsAWholeHeap)
{
  TestHeap heap(64 * kMiB);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) {
      void* const small = heap->allocate(64);
      void* const large = heap->allocate(20'000);
      heap->deallocate(small);
      heap->deallocate(large);
    }
  });
  for (int i = 0; i < 20; ++i) {
    heap->lock_for_fork();
    const pid_t child = fork();
    heap->unlock_after_fork();
    if (child == 0) {
      for (std::size_t bytes = 0; bytes < 20'000; bytes += 50) {
        heap->deallocate(heap->allocate(bytes));
      }
      _exit(heap->audit() == nullptr ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }
  stop = true;
  busy.join();
}

TEST(Heap, ABlockThatComesAndGoesDoesNotMakeItsSlabComeAndGo)
{
  TestHeap heap(64 * kMiB);
  heap->deallocate(heap->allocate(64));
  heap->flush_thread_cache();
  const std::size_t extent = heap->extent();
  for (int i = 0; i < 100; ++i) {
    void* const block = heap->allocate(64);
    EXPECT_EQ(block, heap.region.base());
    heap->deallocate(block);
    heap->flush_thread_cache();
    EXPECT_TRUE(heap->is_live(heap.region.base(), kSlabBytes));  // its spare slab
  }
  EXPECT_EQ(heap->extent(), extent);
}

TEST(Heap, ReservesAreGivenUpForASmallBlockOfAnotherClass)
{
  TestHeap heap(2 * kSlabBytes);
  for (std::size_t bytes = 16; bytes <= kSmallMax; bytes *= 2) {
    void* const block = heap->allocate(bytes);
    ASSERT_NE(block, nullptr) << bytes;
    heap->deallocate(block);
  }
}

}  // namespace
}  // namespace agnocast::internal
