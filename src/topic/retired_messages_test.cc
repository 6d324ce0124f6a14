// Retired messages and holds against a model.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/retired_messages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace agnocast::internal {
namespace {

void* message(std::uint64_t sequence)
{
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(sequence));
}

TEST(RetiredMessages, GivesOutEachMessageOnceAndOnlyWhenNobodyHoldsIt)
{
  for (unsigned seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::minstd_rand random(seed);
    RetiredMessages retired;
    retired.reserve(64);
    std::set<std::uint64_t> kept;
    std::vector<std::uint64_t> holds;  // also of what is not retired, and the same twice
    std::uint64_t next = 1;
    for (int step = 0; step < 2000; ++step) {
      if (retired.is_full()) retired.reserve(2 * retired.count());
      const auto choice = random() % 4;
      if (choice < 2) {
        next += random() % 3;
        retired.add({next, message(next)});
        kept.insert(next);
        if (random() % 2 == 0) holds.push_back(next + random() % 4);
        ++next;
        continue;
      }
      if (choice == 2 && !holds.empty()) {
        holds.erase(holds.begin() + static_cast<std::ptrdiff_t>(random() % holds.size()));
      }
      retired.begin_pass();
      std::shuffle(holds.begin(), holds.end(), random);
      for (const std::uint64_t hold : holds) retired.note_hold(hold);
      const std::size_t most = 1 + random() % 40;
      std::size_t given = 0;
      const bool more = retired.end_pass(most, [&](void* freed) {
        const auto sequence = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(freed));
        ++given;
        ASSERT_EQ(kept.erase(sequence), 1u) << "freed twice, or never retired";
        ASSERT_EQ(std::count(holds.begin(), holds.end(), sequence), 0) << "freed under its holder";
      });
      ASSERT_LE(given, most);
      const auto unheld = std::count_if(kept.begin(), kept.end(), [&](std::uint64_t sequence) {
        return std::count(holds.begin(), holds.end(), sequence) == 0;
      });
      ASSERT_EQ(more, unheld != 0);
      ASSERT_EQ(retired.count(), kept.size());
      ASSERT_EQ(retired.held_count(), kept.size() - static_cast<std::size_t>(unheld));
      ASSERT_EQ(retired.new_count(), more ? kept.size() : 0u);
    }
  }
}

TEST(RetiredMessages, MakesNothingOfHoldsThatAHostileReaderInvents)
{
  RetiredMessages retired;
  retired.reserve(1024);
  for (std::uint64_t i = 1; i <= 1000; ++i) retired.add({i * 2, message(i * 2)});
  retired.begin_pass();
  // As many as a connection has, all different, all wrong, and all at the same place of the table.
  for (std::uint64_t i = 0; i < 4096; ++i) retired.note_hold((i << 40) + 1);
  retired.note_hold(~std::uint64_t{0});
  std::size_t given = 0;
  while (retired.end_pass(32, [&](void*) { ++given; })) retired.begin_pass();
  EXPECT_EQ(given, 1000u);
  EXPECT_TRUE(retired.is_empty());
}

}  // namespace
}  // namespace agnocast::internal
