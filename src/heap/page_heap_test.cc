// Tests of page runs and of the set of pages, against std models.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "heap/page_heap.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "heap/page_set.hpp"

namespace agnocast::internal {
namespace {

// Numbers in [0, below), the same in each run.
class Draw
{
 public:
  explicit Draw(std::uint32_t seed) : random_(seed) {}
  std::uint32_t operator()(std::uint32_t below)
  {
    return static_cast<std::uint32_t>(random_() % below);
  }

 private:
  std::mt19937 random_;
};

// A page heap never touches its region, so a bare address will do.
class PageHeapTest : public ::testing::Test
{
 protected:
  static constexpr std::uint32_t kPages = 1U << 16;

  static bool secure(void* context, std::size_t end)
  {
    auto* const self = static_cast<PageHeapTest*>(context);
    self->asked_.push_back(end);
    return end <= self->limit_;
  }
  std::uint32_t take(std::uint32_t pages, std::uint32_t alignment = 1)
  {
    return heap_->allocate(pages, alignment, RunKind::block);
  }
  bool aligned(std::uint32_t first, std::uint32_t pages) const
  {
    return (reinterpret_cast<std::uintptr_t>(base_) / kPageBytes + first) % pages == 0;
  }

  std::vector<std::uint64_t> metadata_ =
    std::vector<std::uint64_t>(PageHeap::metadata_bytes(kPages) / 8 + 1);
  std::vector<std::size_t> asked_;
  std::size_t limit_ = SIZE_MAX;
  // On purpose aligned to no more than a page.
  std::byte* const base_ = reinterpret_cast<std::byte*>(std::uintptr_t{0x100000003000});
  Usage usage_;
  std::unique_ptr<PageHeap> heap_ =
    std::make_unique<PageHeap>(metadata_.data(), base_, kPages, std::size_t{0},
                               HeapHost{nullptr, nullptr, &PageHeapTest::secure, this}, usage_);
};

TEST(PageSet, FindsTheNearestMemberBelowLikeStdSet)
{
  constexpr std::uint32_t kSize = 300'000;
  std::vector<std::uint64_t> memory(PageSet::metadata_bytes(kSize) / 8);
  PageSet set(memory.data(), kSize);
  std::set<std::uint32_t> model;
  Draw draw(1);
  for (int i = 0; i < 50'000; ++i) {
    // Half of the values cluster, so that whole words fill and empty.
    const std::uint32_t page = draw(i % 2 == 0 ? kSize : 500);
    if (draw(2) == 0) {
      set.insert(page);
      model.insert(page);
    } else {
      set.erase(page);
      model.erase(page);
    }
    const std::uint32_t probe = draw(kSize);
    const auto above = model.upper_bound(probe);
    const std::uint32_t expected = above == model.begin() ? kNoPage : *std::prev(above);
    ASSERT_EQ(set.at_or_below(probe), expected) << probe;
    ASSERT_EQ(set.contains(page), model.count(page) == 1);
  }
  EXPECT_EQ(set.count(kSize), model.size());
}

TEST(PageSet, WorksForEverySmallSize)
{
  for (std::uint32_t size = 1; size < 200; ++size) {
    std::vector<std::uint64_t> memory(PageSet::metadata_bytes(size) / 8);
    PageSet set(memory.data(), size);
    EXPECT_EQ(set.at_or_below(size - 1), kNoPage);
    set.insert(size - 1);
    EXPECT_EQ(set.at_or_below(size - 1), size - 1);
    if (size > 1) {
      EXPECT_EQ(set.at_or_below(size - 2), kNoPage);
      set.insert(0);
      EXPECT_EQ(set.at_or_below(size - 2), 0U);
    }
  }
}

TEST_F(PageHeapTest, RunsNeverOverlapAndAgreeWithAModel)
{
  std::map<std::uint32_t, std::uint32_t> runs;  // first page to length
  Draw draw(7);
  for (int i = 0; i < 60'000; ++i) {
    const std::uint32_t pages = 1 + draw(draw(8) == 0 ? 900 : 40);
    const std::uint32_t action = draw(10);
    if (action < 5) {
      const std::uint32_t alignment = draw(4) == 0 ? 1U << draw(8) : 1;
      const std::uint32_t first = take(pages, alignment);
      if (first == kNoPage) continue;
      ASSERT_TRUE(aligned(first, alignment));
      const auto next = runs.lower_bound(first);
      ASSERT_TRUE(next == runs.end() || first + pages <= next->first);
      ASSERT_TRUE(next == runs.begin() ||
                  std::prev(next)->first + std::prev(next)->second <= first);
      runs[first] = pages;
    } else if (!runs.empty()) {
      auto run = runs.lower_bound(draw(kPages));
      if (run == runs.end()) run = runs.begin();
      ASSERT_EQ(heap_->block_pages(run->first), run->second);
      if (action < 9) {
        ASSERT_EQ(heap_->release(run->first, RunKind::block), run->second);
        runs.erase(run);
      } else if (heap_->resize(run->first, pages)) {
        run->second = pages;
        const auto next = std::next(run);
        ASSERT_TRUE(next == runs.end() || run->first + pages <= next->first);
      } else {
        ASSERT_GT(pages, run->second);
      }
    }
    const std::uint32_t probe = draw(kPages);
    const auto above = runs.upper_bound(probe);
    const bool live =
      above != runs.begin() && probe < std::prev(above)->first + std::prev(above)->second;
    ASSERT_EQ(heap_->covers(std::size_t{probe} * kPageBytes + 5, 1), live);
    if (i % 512 == 0) {
      ASSERT_STREQ(heap_->audit(), nullptr);
    }
  }
  std::size_t pages = 0;
  for (const auto& [first, length] : runs) pages += length;
  EXPECT_EQ(usage_.used(), pages * kPageBytes);
  for (const auto& [first, length] : runs) heap_->release(first, RunKind::block);
  EXPECT_STREQ(heap_->audit(), nullptr);
  EXPECT_EQ(usage_.used(), 0U);
}

TEST_F(PageHeapTest, ARunJustFreedIsFoundAgainAmongNeighboursOfItsBin)
{
  std::vector<std::uint32_t> runs;
  for (std::uint32_t i = 0; i < 4; ++i) {
    runs.push_back(take(1000 + i));  // all in one bin
    take(1);                         // keeps them apart
  }
  for (const std::uint32_t run : runs) heap_->release(run, RunKind::block);
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(take(1000 + i), runs[i]);
}

TEST_F(PageHeapTest, TheLastFreeRunIsExtendedRatherThanSkipped)
{
  take(3);
  const std::uint32_t run = take(100);
  heap_->release(run, RunKind::block);
  EXPECT_EQ(take(150), run);
  EXPECT_EQ(heap_->top(), 153U);
  EXPECT_STREQ(heap_->audit(), nullptr);
}

TEST_F(PageHeapTest, FreedNeighboursBecomeOneRun)
{
  const std::uint32_t a = take(10);
  const std::uint32_t b = take(10);
  const std::uint32_t c = take(10);
  take(1);
  heap_->release(a, RunKind::block);
  heap_->release(c, RunKind::block);
  heap_->release(b, RunKind::block);
  EXPECT_EQ(take(30), a);
}

TEST_F(PageHeapTest, AlignedRunsLeaveTheirTrimmingsToOthers)
{
  take(1);
  const std::uint32_t run = take(512, 512);
  ASSERT_TRUE(aligned(run, 512));
  EXPECT_LT(take(4), run);
  const std::uint32_t top = heap_->top();
  for (int i = 0; i < 10; ++i) {
    heap_->release(run, RunKind::block);
    EXPECT_EQ(take(512, 512), run);
  }
  EXPECT_EQ(heap_->top(), top);
  EXPECT_STREQ(heap_->audit(), nullptr);
}

TEST_F(PageHeapTest, ResizeGrowsIntoAFreeNeighbourAndFreshPages)
{
  const std::uint32_t a = take(10);
  const std::uint32_t b = take(10);
  EXPECT_FALSE(heap_->resize(a, 11));
  heap_->release(b, RunKind::block);
  EXPECT_TRUE(heap_->resize(a, 15));
  EXPECT_EQ(heap_->top(), 20U);
  EXPECT_TRUE(heap_->resize(a, 50));
  EXPECT_EQ(heap_->top(), 50U);
  EXPECT_TRUE(heap_->resize(a, 2));
  EXPECT_EQ(take(48), 2U);
  EXPECT_FALSE(heap_->resize(1, 1));
  EXPECT_FALSE(heap_->resize(a, 0));
  EXPECT_STREQ(heap_->audit(), nullptr);
}

TEST_F(PageHeapTest, OnlyTheStartOfARunOfTheSameKindCanBeReleased)
{
  const std::uint32_t run = take(10);
  EXPECT_EQ(heap_->release(run + 1, RunKind::block), 0U);
  EXPECT_EQ(heap_->release(run, RunKind::slab), 0U);
  EXPECT_EQ(heap_->release(run + 10, RunKind::block), 0U);
  EXPECT_EQ(heap_->release(run, RunKind::block), 10U);
  EXPECT_EQ(heap_->release(run, RunKind::block), 0U);
  EXPECT_STREQ(heap_->audit(), nullptr);
}

TEST_F(PageHeapTest, SecuresAheadAndFallsBackToTheExactNeed)
{
  take(1);
  ASSERT_EQ(asked_, (std::vector<std::size_t>{1U << 20}));
  limit_ = (1U << 20) + 5 * kPageBytes;
  asked_.clear();
  EXPECT_NE(take(260), kNoPage);
  EXPECT_EQ(asked_, (std::vector<std::size_t>{2U << 20, 261 * kPageBytes}));
  EXPECT_EQ(take(1), kNoPage);
  EXPECT_EQ(heap_->top(), 261U);
  limit_ = SIZE_MAX;
  EXPECT_NE(take(1), kNoPage);
  EXPECT_STREQ(heap_->audit(), nullptr);
}

TEST_F(PageHeapTest, TheWholeRegionCanBeTakenAndNoMore)
{
  EXPECT_EQ(take(kPages + 1), kNoPage);
  EXPECT_EQ(take(UINT32_MAX), kNoPage);
  EXPECT_EQ(take(1, 1U << 31), kNoPage);
  const std::uint32_t all = take(kPages);
  EXPECT_EQ(all, 0U);
  EXPECT_EQ(take(1), kNoPage);
  EXPECT_EQ(heap_->release(all, RunKind::block), kPages);
  EXPECT_EQ(take(kPages), 0U);
  EXPECT_STREQ(heap_->audit(), nullptr);
}

}  // namespace
}  // namespace agnocast::internal
