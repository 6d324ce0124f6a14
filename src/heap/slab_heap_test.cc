// Tests of the central store of small blocks.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "heap/slab_heap.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <vector>

namespace agnocast::internal {
namespace {

// A slab heap never touches its region, so a bare address will do.
class SlabHeapTest : public ::testing::Test
{
 protected:
  static constexpr std::uint32_t kPages = 1024;

  const char* audit(std::size_t& taken)
  {
    slabs_->lock();
    pages_->lock();
    const char* error = pages_->audit();
    if (error == nullptr) error = slabs_->audit(taken);
    pages_->unlock();
    slabs_->unlock();
    return error;
  }

  struct alignas(64) Line
  {
    std::byte bytes[64];
  };
  static std::vector<Line> zeroes(std::size_t bytes) { return std::vector<Line>(bytes / 64 + 1); }

  std::vector<Line> for_pages_ = zeroes(PageHeap::metadata_bytes(kPages));
  std::vector<Line> for_slabs_ = zeroes(SlabHeap::metadata_bytes(kPages));
  std::vector<Line> for_map_ = zeroes(BlockMap::metadata_bytes(kPages * kPageBytes));
  std::byte* const base_ = reinterpret_cast<std::byte*>(std::uintptr_t{0x100000003000});
  Usage usage_;
  BlockMap map_{reinterpret_cast<std::uint8_t*>(for_map_.data())};
  std::unique_ptr<PageHeap> pages_ =
    std::make_unique<PageHeap>(for_pages_.data(), base_, kPages, kPages* kPageBytes,
                               HeapHost{nullptr, nullptr, nullptr, nullptr}, usage_);
  std::unique_ptr<SlabHeap> slabs_ =
    std::make_unique<SlabHeap>(for_slabs_.data(), base_, *pages_, map_, usage_);
};

TEST_F(SlabHeapTest, EachClassFillsSlabsWithDistinctBlocksAndGivesThemBack)
{
  for (std::size_t i = 0; i < kClasses; ++i) {
    const auto size_class = static_cast<SizeClass>(i);
    const std::uint32_t in_slab = static_cast<std::uint32_t>(kSlabBytes / kClassBytes[i]);
    std::vector<std::byte*> blocks(in_slab * 3 - 1);
    const auto count = static_cast<std::uint32_t>(blocks.size());
    ASSERT_EQ(slabs_->take(size_class, blocks.data(), count), count);
    std::set<std::byte*> distinct(blocks.begin(), blocks.end());
    ASSERT_EQ(distinct.size(), count);
    for (std::byte* const block : blocks) {
      const auto offset = static_cast<std::size_t>(block - base_);
      ASSERT_EQ(map_.load(offset), BlockMap::kResting | size_class);
      ASSERT_EQ(offset % kSlabBytes % kClassBytes[i], 0U);
    }
    std::size_t taken = 0;
    ASSERT_STREQ(audit(taken), nullptr);
    ASSERT_EQ(taken, count * kClassBytes[i]);
    ASSERT_EQ(usage_.used(), taken);
    ASSERT_EQ(slabs_->give(size_class, blocks.data(), count), 0U);
    EXPECT_TRUE(slabs_->trim());
    EXPECT_FALSE(slabs_->trim());
  }
  EXPECT_EQ(pages_->allocate(pages_->top(), 1, RunKind::block), 0U) << "a slab was not given back";
}

TEST_F(SlabHeapTest, RefusesBlocksThatAreFreeOrNoBlocksOfTheClass)
{
  std::byte* blocks[4];
  const SizeClass size_class = class_of(100);
  ASSERT_EQ(slabs_->take(size_class, blocks, 4), 4U);
  std::byte* const wrong[] = {blocks[0] + 16, base_ + kSlabBytes - 16, base_ + 100 * kPageBytes};
  EXPECT_EQ(slabs_->give(size_class, wrong, 3), 3U);
  EXPECT_EQ(slabs_->give(class_of(10), blocks, 4), 4U);
  std::byte* const twice[] = {blocks[1], blocks[2], blocks[1]};
  EXPECT_EQ(slabs_->give(size_class, twice, 3), 1U);
  EXPECT_EQ(slabs_->give(size_class, blocks, 4), 2U);
  std::size_t taken = 0;
  EXPECT_STREQ(audit(taken), nullptr);
  EXPECT_EQ(taken, 0U);
}

TEST_F(SlabHeapTest, SharesHaveSlabsOfTheirOwnUntilMemoryIsExhausted)
{
  const SizeClass size_class = class_of(8192);
  std::byte* first = nullptr;
  std::byte* second = nullptr;
  ASSERT_EQ(slabs_->take(size_class, &first, 1, 0), 1U);
  ASSERT_EQ(slabs_->take(size_class, &second, 1, 1), 1U);
  EXPECT_GE(std::abs(second - first), static_cast<std::ptrdiff_t>(kSlabBytes));
  std::vector<std::byte*> blocks(1000);
  const std::uint32_t all = kPages / kSlabPages * 8;
  EXPECT_EQ(slabs_->take(size_class, blocks.data(), 1000, 2), all - 2) << "also those of others";
  std::size_t taken = 0;
  EXPECT_STREQ(audit(taken), nullptr);
  EXPECT_EQ(taken, std::size_t{all} * 8192);
  blocks.resize(all - 2);
  blocks.insert(blocks.end(), {first, second});
  EXPECT_EQ(slabs_->give(size_class, blocks.data(), all), 0U);
  EXPECT_STREQ(audit(taken), nullptr);
}

TEST_F(SlabHeapTest, TakesWhatThereIsWhenMemoryIsExhausted)
{
  std::vector<std::byte*> blocks(1000);
  const std::uint32_t there = kPages / kSlabPages * 8;
  EXPECT_EQ(slabs_->take(class_of(8192), blocks.data(), 1000), there);
  EXPECT_EQ(slabs_->take(class_of(16), blocks.data() + there, 1), 0U);
  EXPECT_EQ(slabs_->give(class_of(8192), blocks.data(), there), 0U);
  EXPECT_EQ(slabs_->take(class_of(16), blocks.data(), 1), 1U);
}

}  // namespace
}  // namespace agnocast::internal
