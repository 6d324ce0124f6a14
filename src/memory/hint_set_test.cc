// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "memory/hint_set.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "base/atomic.hpp"
#include "memory/doorbell.hpp"
#include "memory/test_area.hpp"

namespace agnocast::internal {
namespace {

constexpr std::size_t without = 8;

/// Has something new if `head` is beyond `read`, as a ring has.
struct Source : Candidate
{
  std::uint64_t head = 0;
  std::uint64_t read = 0;
  [[nodiscard]] bool has_new() const { return load_seq_cst(head) > read; }  // pairs with tell()
};

bool has_new(const Candidate& candidate)
{
  return static_cast<const Source&>(candidate).has_new();
}

void tell(Area& area, Source& source)
{
  store_seq_cst(source.head, load_relaxed(source.head) + 1);  // pairs with has_new()
  leave_hint(area.doorbell(), source.hint);
}

class Hints : public testing::Test
{
 protected:
  Source& add()
  {
    sources.push_back(std::make_unique<Source>());
    sources.back()->hint = set.reserve();
    set.add(*sources.back());
    return *sources.back();
  }
  void remove(std::size_t i)
  {
    set.remove(*sources[i]);
    set.give_back(sources[i]->hint);
    sources.erase(sources.begin() + static_cast<std::ptrdiff_t>(i));
  }
  std::set<const Candidate*> look()
  {
    set.collect();
    set.keep_ready(has_new);
    return {set.listed().begin(), set.listed().end()};
  }

  void TearDown() override
  {
    set.clear();
    forget_all();
  }
  static void forget_all()
  {
    // Pairs with nothing: no other thread runs.
    for (std::uint64_t& word : area->doorbell().hints) store_seq_cst(word, std::uint64_t{0});
  }

  inline static TestArea area;  // one can be had in a process
  HintSet set{*area, without};
  std::vector<std::unique_ptr<Source>> sources;
};

TEST_F(Hints, TheFirstFewHaveNoneAndAreAlwaysListed)
{
  for (std::size_t i = 0; i < without; ++i) EXPECT_EQ(add().hint, 0U);
  EXPECT_FALSE(set.has_hints());
  EXPECT_EQ(look().size(), without);
  EXPECT_EQ(look().size(), without);
  EXPECT_NE(add().hint, 0U);
  EXPECT_TRUE(set.has_hints());
}

TEST_F(Hints, OneThatIsAddedIsLookedAtOnceWithoutAHint)
{
  for (std::size_t i = 0; i < without; ++i) add();
  Source& late = add();
  EXPECT_EQ(set.listed().size(), without + 1);
  EXPECT_EQ(look().count(&late), 0U) << "it has nothing";
  late.head = 1;
  EXPECT_EQ(look().count(&late), 0U) << "nobody left a hint";
  tell(*area, late);
  EXPECT_EQ(look().count(&late), 1U);
}

TEST_F(Hints, OneStaysListedUntilItHasNothing)
{
  for (std::size_t i = 0; i < 100; ++i) add();
  look();
  Source& source = *sources[50];
  tell(*area, source);
  tell(*area, source);
  EXPECT_EQ(look().count(&source), 1U);
  source.read = 1;
  EXPECT_EQ(look().count(&source), 1U);
  source.read = 2;
  EXPECT_EQ(look().count(&source), 0U);
  EXPECT_EQ(look().size(), without);
}

TEST_F(Hints, ALookForAnyStopsAtTheFirstAndKeepsTheRest)
{
  for (std::size_t i = 0; i < 100; ++i) add();
  look();
  for (const std::size_t i : {20U, 40U, 60U}) tell(*area, *sources[i]);
  sources[20]->read = 1;
  set.collect();
  std::size_t looks = 0;
  EXPECT_TRUE(set.any_ready([&](const Candidate& candidate) {
    ++looks;
    return has_new(candidate);
  }));
  EXPECT_EQ(looks, without + 2) << "those without, one that has nothing, one that has";
  EXPECT_EQ(look().size(), without + 2);
}

TEST_F(Hints, AreGivenAgainAndTheirWordsGoBack)
{
  std::set<std::uint32_t> given;
  for (std::size_t i = 0; i < without + 200; ++i) given.insert(add().hint);
  EXPECT_EQ(given.size(), 201U);
  while (sources.size() > without) remove(sources.size() - 1);
  EXPECT_FALSE(set.has_hints());
  while (!sources.empty()) remove(0);
  EXPECT_TRUE(set.listed().empty());
  for (std::size_t i = 0; i < without; ++i) EXPECT_EQ(add().hint, 0U);
  EXPECT_EQ(given.count(add().hint), 1U);
}

TEST_F(Hints, WhoGetsNoneIsAlwaysListed)
{
  HintSet greedy(*area, without);
  std::vector<Source> others(AGNOCAST_HINTS + without + 1);
  for (Source& source : others) {
    source.hint = greedy.reserve();
    greedy.add(source);
  }
  EXPECT_NE(others[others.size() - 2].hint, 0U);
  EXPECT_EQ(others.back().hint, 0U) << "there are no more";
  greedy.keep_ready(has_new);
  EXPECT_EQ(greedy.listed().size(), without + 1);
  for (std::size_t i = 0; i < without; ++i) add();
  EXPECT_EQ(add().hint, 0U);
  greedy.clear();
  EXPECT_NE(add().hint, 0U);
}

TEST_F(Hints, OfNobodyAndOfFormerOwnersDoNothing)
{
  for (std::size_t i = 0; i < without + 2; ++i) add();
  const std::uint32_t former = sources.back()->hint;
  remove(sources.size() - 1);
  look();
  for (const std::uint32_t hint :
       {0U, former, former + 1, AGNOCAST_HINTS, AGNOCAST_HINTS + 1, ~0U}) {
    leave_hint(area->doorbell(), hint);
  }
  EXPECT_EQ(look().size(), without);
}

TEST_F(Hints, ThatAreTakenAwayCostTimeOnly)
{
  for (std::size_t i = 0; i < without + 10; ++i) add();
  look();
  Source& robbed = *sources.back();
  tell(*area, robbed);
  forget_all();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (look().count(&robbed) == 0) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
}

// Threads leave hints, each for sources of its own, while they are collected: when they have ended,
// everything is found that they told.
TEST_F(Hints, LoseNothingWhileThreadsLeaveThem)
{
  constexpr std::size_t per_thread = 40;
  constexpr std::size_t threads_count = 3;
  for (std::size_t i = 0; i < threads_count * per_thread; ++i) add();
  std::uint64_t read = 0;
  const auto read_one_of_each = [&] {
    const std::uint64_t before = read;
    set.collect();
    set.keep_ready(has_new);
    for (Candidate* const candidate : set.listed()) {
      auto& source = static_cast<Source&>(*candidate);
      if (!source.has_new()) continue;
      ++source.read;
      ++read;
    }
    return read != before;
  };
  for (unsigned round = 0; round < 300; ++round) {
    std::atomic<std::size_t> running{threads_count};
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < threads_count; ++t) {
      threads.emplace_back([&, t] {
        std::minstd_rand random(static_cast<unsigned>(round * threads_count + t));
        for (int i = 0; i < 100; ++i) tell(*area, *sources[t * per_thread + random() % per_thread]);
        --running;
      });
    }
    while (running != 0) read_one_of_each();
    while (read_one_of_each()) {
    }
    ASSERT_EQ(read, (round + 1) * threads_count * 100) << "round " << round;
  }
}

}  // namespace
}  // namespace agnocast::internal
