// Retired messages and holds against a model.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/retired_messages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

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

// As many holds as a connection has, all different, against as many messages: what a hostile reader
// may make its publisher do.
TEST(RetiredMessages, MakesNothingOfHoldsThatAHostileReaderInvents)
{
  constexpr std::uint64_t message_count = 4000, hold_count = 4096, base = std::uint64_t{1} << 20;
  struct Invented
  {
    const char* what;
    std::uint64_t (*hold)(std::uint64_t);
  };
  const Invented all_invented[] = {
    {"far beyond", [](std::uint64_t i) { return base + ((i + 1) << 40) + 1; }},
    {"before the first", [](std::uint64_t i) { return base - i - 1; }},
    {"the highest", [](std::uint64_t i) { return ~i; }},
    {"in the gaps", [](std::uint64_t i) { return base + 16 * i + 1; }},
    {"the same", [](std::uint64_t) { return base + 16 * 1000 + 3; }},
  };
  for (const std::uint64_t step : {1U, 2U, 16U}) {
    for (const Invented& invented : all_invented) {
      if (step == 1 && invented.hold(1) > base && invented.hold(1) < base + 0x100000) continue;
      SCOPED_TRACE(std::string(invented.what) + ", each " + std::to_string(step));
      RetiredMessages retired;
      retired.reserve(message_count);
      for (std::uint64_t i = 0; i < message_count; ++i) {
        retired.add({base + step * i, message(base + step * i)});
      }
      retired.begin_pass();
      std::size_t looks = 0;
      for (std::uint64_t i = 0; i < hold_count; ++i) looks += retired.note_hold(invented.hold(i));
      EXPECT_LE(looks, hold_count * 12) << "more than the logarithm of how many there are";
      std::size_t given = 0;
      while (retired.end_pass(32, [&](void*) { ++given; })) retired.begin_pass();
      EXPECT_EQ(given, message_count);
      EXPECT_TRUE(retired.is_empty());
    }
  }
}

TEST(RetiredMessages, FindsAHoldWithOneLookIfNoSequenceIsMissing)
{
  RetiredMessages retired;
  retired.reserve(4000);
  for (std::uint64_t i = 1; i <= 4000; ++i) retired.add({i, message(i)});
  retired.begin_pass();
  for (std::uint64_t i = 1; i <= 4000; ++i) ASSERT_EQ(retired.note_hold(i), 1u) << i;
  EXPECT_FALSE(retired.end_pass(4000, [](void*) {}));
  EXPECT_EQ(retired.held_count(), 4000u);
}

TEST(RetiredMessages, MovesToMoreRoomWithAllThatIsKnownOfThem)
{
  RetiredMessages retired;
  retired.reserve(4);
  for (std::uint64_t i = 1; i <= 4; ++i) retired.add({i, message(i)});
  retired.begin_pass();
  for (std::uint64_t i = 1; i <= 4; ++i) retired.note_hold(i);
  EXPECT_FALSE(retired.end_pass(4, [](void*) {}));
  RetiredMessages::Room less(2), more(100);
  retired.move_to(less);
  EXPECT_EQ(retired.capacity(), 4u);
  retired.move_to(more);
  EXPECT_GE(retired.capacity(), 100u);
  EXPECT_EQ(retired.new_count(), 0u);
  EXPECT_EQ(retired.held_count(), 4u);
  retired.begin_pass();
  retired.note_hold(3);
  std::vector<void*> freed;
  EXPECT_FALSE(retired.end_pass(4, [&](void* one) { freed.push_back(one); }));
  EXPECT_EQ(freed, (std::vector<void*>{message(1), message(2), message(4)}));
}

}  // namespace
}  // namespace agnocast::internal
