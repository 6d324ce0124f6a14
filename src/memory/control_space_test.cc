// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "memory/control_space.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "abi/area_layout.h"

namespace agnocast::internal {
namespace {

constexpr std::uint64_t line = AGNOCAST_CACHE_LINE;
constexpr std::uint64_t begin = 4096;

TEST(ControlSpace, GivesWholeCacheLinesAndNoMore)
{
  ControlSpace space(begin, begin + 100 * line);
  EXPECT_EQ(ControlSpace::rounded(0), line);
  EXPECT_EQ(ControlSpace::rounded(line), line);
  EXPECT_EQ(ControlSpace::rounded(line + 1), 2 * line);
  const std::uint64_t a = space.allocate(1);
  const std::uint64_t b = space.allocate(3 * line + 1);
  const std::uint64_t c = space.allocate(line);
  EXPECT_EQ(a, begin);
  EXPECT_EQ(b, a + line);
  EXPECT_EQ(c, b + 4 * line);
  EXPECT_EQ(space.free_bytes(), 94 * line);
}

TEST(ControlSpace, WhatWasGivenBackInPiecesServesOneLargeBlock)
{
  for (int order = 0; order < 6; ++order) {
    ControlSpace space(begin, begin + 30 * line);
    std::vector<std::uint64_t> blocks;
    for (int i = 0; i < 3; ++i) blocks.push_back(space.allocate(10 * line));
    EXPECT_EQ(space.allocate(1), 0u);
    std::vector<std::size_t> places{0, 1, 2};
    for (int i = 0; i < order; ++i) std::next_permutation(places.begin(), places.end());
    for (const std::size_t place : places) {
      space.give_back(blocks[place], 10 * line);
      EXPECT_EQ(space.audit(), nullptr);
    }
    EXPECT_EQ(space.pieces(), 1u);
    EXPECT_EQ(space.allocate(30 * line), begin);
  }
}

TEST(ControlSpace, WhatWasGivenBackAsOneServesManySmallBlocks)
{
  ControlSpace space(begin, begin + 64 * line);
  space.give_back(space.allocate(64 * line), 64 * line);
  for (std::uint64_t i = 0; i < 64; ++i) EXPECT_EQ(space.allocate(line), begin + i * line);
  EXPECT_EQ(space.allocate(line), 0u);
  EXPECT_EQ(space.free_bytes(), 0u);
}

TEST(ControlSpace, TakesTheSmallestPieceThatFits)
{
  ControlSpace space(begin, begin + 100 * line);
  std::vector<std::uint64_t> wide;
  for (const std::uint64_t lines : std::vector<std::uint64_t>{8, 4, 6}) {
    wide.push_back(space.allocate(lines * line));
    space.allocate(line);  // keeps them apart
  }
  space.give_back(wide[0], 8 * line);
  space.give_back(wide[1], 4 * line);
  space.give_back(wide[2], 6 * line);
  EXPECT_EQ(space.allocate(4 * line), wide[1]);
  EXPECT_EQ(space.allocate(5 * line), wide[2]);
  EXPECT_EQ(space.allocate(5 * line), wide[0]);
  EXPECT_EQ(space.largest_free(), (100 - 21) * line);
}

TEST(ControlSpace, RefusesWhatCannotFitWhateverItsSize)
{
  ControlSpace space(begin, begin + 4 * line);
  for (const std::uint64_t bytes : {4 * line + 1, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    EXPECT_EQ(space.allocate(bytes), 0u) << bytes;
  }
  EXPECT_EQ(space.allocate(4 * line), begin);
}

/// What is in use, and what a first look at every gap between that says is free.
class Model
{
 public:
  explicit Model(std::uint64_t end) : end_(end) {}

  void add(std::uint64_t offset, std::uint64_t bytes)
  {
    const auto after = used_.lower_bound(offset);
    ASSERT_TRUE(after == used_.end() || offset + ControlSpace::rounded(bytes) <= after->first);
    ASSERT_TRUE(after == used_.begin() || end_of(*std::prev(after)) <= offset);
    ASSERT_GE(offset, begin);
    ASSERT_LE(offset + ControlSpace::rounded(bytes), end_);
    ASSERT_EQ(offset % line, 0u);
    used_[offset] = bytes;
  }
  std::pair<std::uint64_t, std::uint64_t> remove(std::size_t place)
  {
    const auto found = std::next(used_.begin(), static_cast<std::ptrdiff_t>(place));
    const auto block = *found;
    used_.erase(found);
    return block;
  }
  [[nodiscard]] std::size_t count() const { return used_.size(); }

  /// Sum, largest and number of the gaps.
  [[nodiscard]] std::vector<std::uint64_t> gaps() const
  {
    std::vector<std::uint64_t> result{0, 0, 0};
    std::uint64_t last = begin;
    const auto add_gap = [&](std::uint64_t until) {
      if (until == last) return;
      result[0] += until - last;
      result[1] = std::max(result[1], until - last);
      ++result[2];
    };
    for (const auto& block : used_) {
      add_gap(block.first);
      last = end_of(block);
    }
    add_gap(end_);
    return result;
  }

 private:
  static std::uint64_t end_of(const std::pair<const std::uint64_t, std::uint64_t>& block)
  {
    return block.first + ControlSpace::rounded(block.second);
  }

  const std::uint64_t end_;
  std::map<std::uint64_t, std::uint64_t> used_;
};

TEST(ControlSpace, RandomOperationsKeepToTheModel)
{
  const char* const given = std::getenv("AGNOCAST_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  SCOPED_TRACE("AGNOCAST_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::uint64_t end = begin + 2'000 * line;
  ControlSpace space(begin, end);
  Model model(end);
  for (int step = 0; step < 20'000 && !HasFatalFailure(); ++step) {
    // Now more that comes, now more that goes.
    const bool comes = random() % 100 < ((step / 1'000) % 2 == 0 ? 70u : 30u);
    if (comes) {
      const std::uint64_t bytes =
        random() % 8 == 0 ? random() % (200 * line) : random() % (6 * line);
      const std::uint64_t offset = space.allocate(bytes);
      if (offset != 0) {
        model.add(offset, bytes);
      } else {
        ASSERT_GT(ControlSpace::rounded(bytes), model.gaps()[1]) << "it would have fit";
      }
    } else if (model.count() != 0) {
      const auto [offset, bytes] = model.remove(random() % model.count());
      space.give_back(offset, bytes);
    }
    ASSERT_EQ(space.audit(), nullptr);
    const auto gaps = model.gaps();
    ASSERT_EQ(space.free_bytes(), gaps[0]);
    ASSERT_EQ(space.largest_free(), gaps[1]);
    ASSERT_EQ(space.pieces(), gaps[2]);
  }
  while (model.count() != 0) {
    const auto [offset, bytes] = model.remove(random() % model.count());
    space.give_back(offset, bytes);
  }
  EXPECT_EQ(space.pieces(), 1u);
  EXPECT_EQ(space.free_bytes(), 2'000 * line);
}

TEST(ControlSpaceDeathTest, ABlockThatIsGivenBackTwiceStopsTheProcess)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
    {
      ControlSpace space(begin, begin + 4 * line);
      const std::uint64_t block = space.allocate(line);
      space.allocate(line);
      space.give_back(block, line);
      space.give_back(block, line);
    },
    "does not hold");
}

}  // namespace
}  // namespace agnocast::internal
