// The publisher's ring against a model, and as a reader in another process sees it.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

#include "base/atomic.hpp"
#include "memory/test_area.hpp"

namespace agnocast::internal {
namespace {

// One for all tests: a process reserves its window once.
const TestArea& area()
{
  static const TestArea* const area = new TestArea();
  return *area;
}

void* message(std::uint64_t number)
{
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number * 64));
}

/// What a reader does: it looks at the entry of one sequence, and follows the ring when it moved.
class Looker
{
 public:
  explicit Looker(const Ring& ring) : ring_(ring) { locate(); }
  enum class Seen { not_yet, live, retired };

  Seen look(std::uint64_t sequence, std::uint64_t& address)
  {
    for (;;) {
      const agnocast_ring_entry& entry = entries_[sequence & mask_];
      const std::uint64_t mark = load_acquire(entry.mark);  // pairs with Ring::publish
      if (mark == AGNOCAST_ENTRIES_MOVED) {
        locate();
        continue;
      }
      address = load_relaxed(entry.address);
      if (mark == sequence) return Seen::live;
      return (mark & ~AGNOCAST_RETIRED) < sequence ? Seen::not_yet : Seen::retired;
    }
  }

 private:
  void locate()
  {
    const std::uint64_t word = load_acquire(ring_.shared().entries);  // pairs with Ring::reserve
    const std::uint64_t log2 = word % AGNOCAST_CACHE_LINE;
    entries_ = area()->at<agnocast_ring_entry>(word - log2);
    mask_ = (std::uint64_t{1} << log2) - 1;
  }
  const Ring& ring_;
  const agnocast_ring_entry* entries_ = nullptr;
  std::uint64_t mask_ = 0;
};

TEST(Ring, HoldsWhatWasPublishedAndNotRetiredWhateverIsDoneToIt)
{
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::minstd_rand random(seed);
    Ring ring(*area());
    ASSERT_TRUE(ring.open());
    ASSERT_TRUE(ring.reserve(1 + random() % 8));
    std::deque<RingMessage> live;
    std::uint64_t next = 1;
    for (int step = 0; step < 3000; ++step) {
      const auto choice = random() % 100;
      if (choice < 55 && !ring.is_full()) {
        ASSERT_EQ(ring.publish(message(next), next, 10, next % 7), next);
        live.push_back({next, message(next)});
        ++next;
      } else if (choice < 98) {
        if (ring.is_empty()) continue;
        const RingMessage oldest = ring.retire_oldest();
        ASSERT_EQ(oldest.sequence, live.front().sequence);
        ASSERT_EQ(oldest.message, live.front().message);
        live.pop_front();
      } else if (ring.capacity() < 256) {
        ASSERT_TRUE(ring.reserve(ring.capacity() + random() % 3));
      }
      ASSERT_EQ(ring.audit(), nullptr) << ring.audit();
      ASSERT_EQ(ring.live_count(), live.size());
      ASSERT_EQ(ring.head() + 1, next);
      ASSERT_LE(ring.live_count(), ring.capacity());
      std::uint64_t bytes = 0;
      const std::uint64_t until = ring.tail() + random() % 5;
      for (const RingMessage& one : live) {
        if (one.sequence < until) bytes += one.sequence % 7;
      }
      ASSERT_EQ(ring.bytes_before(until), bytes);
    }
  }
}

TEST(Ring, ShowsEachReaderTheRightMessageAlsoIfItLooksAtEntriesThatWereLeft)
{
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::minstd_rand random(seed);
    Ring ring(*area());
    ASSERT_TRUE(ring.open());
    ASSERT_TRUE(ring.reserve(2));
    std::vector<Looker> lookers(4, Looker(ring));  // each finds out by itself that the ring moved
    for (int step = 0; step < 2000; ++step) {
      if (ring.is_full()) {
        if (random() % 20 == 0) {
          ASSERT_TRUE(ring.reserve(ring.capacity() + 1));
        } else {
          ring.retire_oldest();
        }
      }
      if (random() % 3 == 0 && !ring.is_empty()) ring.retire_oldest();
      ring.publish(message(ring.head() + 1), 1, 1, 1);
      Looker& looker = lookers[random() % lookers.size()];
      for (std::uint64_t seq = ring.tail(); seq <= ring.head() + 1; ++seq) {
        std::uint64_t address = 0;
        const auto seen = looker.look(seq, address);
        if (seq > ring.head()) {
          ASSERT_EQ(seen, Looker::Seen::not_yet);
        } else {
          ASSERT_EQ(seen, Looker::Seen::live);
          ASSERT_EQ(address, reinterpret_cast<std::uintptr_t>(message(seq)));
        }
      }
      if (ring.tail() > 1) {
        std::uint64_t address = 0;
        ASSERT_EQ(looker.look(ring.tail() - 1, address), Looker::Seen::retired);
      }
    }
  }
}

// What Connection does: at the entry of its cursor it finds the message, or that it was skipped,
// and goes on at the tail; or that it is not there yet.
TEST(Ring, LetsAReaderThatWasFarBehindWhenItGrewComeToTheNewestMessage)
{
  for (std::uint64_t behind = 1; behind <= 40; ++behind) {
    Ring ring(*area());
    ASSERT_TRUE(ring.open());
    ASSERT_TRUE(ring.reserve(8));
    const auto publish = [&](std::uint64_t count, std::uint64_t live) {
      for (; count > 0; --count) {
        while (ring.live_count() >= live) ring.retire_oldest();
        ring.publish(message(ring.head() + 1), 1, 1, 1);
      }
    };
    publish(behind, 1);
    Looker looker(ring);
    std::uint64_t cursor = 1;
    ASSERT_TRUE(ring.reserve(200));
    publish(300, 1);
    for (int steps = 0; cursor <= ring.head(); ++steps) {
      ASSERT_LT(steps, 10) << "stuck at " << cursor << " of " << ring.head();
      std::uint64_t address = 0;
      const auto seen = looker.look(cursor, address);
      ASSERT_NE(seen, Looker::Seen::not_yet) << "at " << cursor << " of " << ring.head();
      cursor = seen == Looker::Seen::live ? cursor + 1 : std::max(cursor + 1, ring.tail());
    }
  }
}

// Growth in its two steps: the memory is made while others publish and retire.
TEST(Ring, GrowsWithAllThatWasPublishedAndRetiredWhileTheMemoryWasMade)
{
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::minstd_rand random(seed);
    Ring ring(*area());
    ASSERT_TRUE(ring.open());
    ASSERT_TRUE(ring.reserve(4));
    const auto work = [&](std::uint64_t steps) {
      for (; steps > 0; --steps) {
        if (ring.is_full() || (random() % 2 == 0 && !ring.is_empty())) {
          ring.retire_oldest();
        } else {
          ring.publish(message(ring.head() + 1), 1, 1, ring.head() % 7);
        }
      }
    };
    work(random() % 40);
    Looker looker(ring), late(ring);
    auto growth = ring.make_growth(ring.capacity() + 1 + random() % 30, ring.tail());
    ASSERT_TRUE(growth.has_value());
    work(random() % 100);  // may come round the new entries more than once
    const std::uint64_t live = ring.live_count();
    const std::uint64_t kept_bytes = ring.bytes_before(ring.head() + 1);
    ring.grow(*growth);
    ASSERT_EQ(ring.audit(), nullptr) << ring.audit();
    ASSERT_EQ(ring.live_count(), live);
    ASSERT_EQ(ring.capacity(), growth->capacity());
    ASSERT_EQ(ring.bytes_before(ring.head() + 1), kept_bytes);
    for (const std::uint64_t more : {0U, 1U, 50U}) {
      work(more);
      ASSERT_EQ(ring.audit(), nullptr) << ring.audit();
      const std::uint64_t entries = ring.capacity() + 1;
      const std::uint64_t oldest = ring.head() + 1 - std::min(ring.head(), entries);
      for (std::uint64_t seq = oldest; seq <= ring.head() + 1; ++seq) {
        std::uint64_t address = 0;
        ASSERT_EQ(looker.look(seq, address), seq < ring.tail()    ? Looker::Seen::retired
                                             : seq <= ring.head() ? Looker::Seen::live
                                                                  : Looker::Seen::not_yet)
          << seq << " of " << ring.tail() << " to " << ring.head();
      }
    }
    std::uint64_t address = 0;
    ASSERT_EQ(late.look(ring.head() + 1, address), Looker::Seen::not_yet);
  }
}

TEST(Ring, GivesBackTheMemoryOfAGrowthThatItDoesNotTake)
{
  Ring ring(*area());
  ASSERT_TRUE(ring.open());
  ASSERT_TRUE(ring.reserve(3));
  ring.publish(message(1), 1, 1, 1);
  // Ten times as often as the control part has room for.
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(ring.make_growth(std::uint64_t{1} << 17, ring.tail()));
  EXPECT_EQ(ring.capacity(), 3u);
  EXPECT_EQ(ring.audit(), nullptr);
}

TEST(Ring, RefusesToGrowBeyondItsLimitAndStaysAsItIs)
{
  Ring ring(*area());
  ASSERT_TRUE(ring.open());
  ASSERT_TRUE(ring.reserve(3));
  ring.publish(message(1), 1, 1, 1);
  EXPECT_FALSE(ring.reserve(std::uint64_t{1} << AGNOCAST_RING_ENTRIES_LOG2_MAX));
  EXPECT_EQ(ring.audit(), nullptr);
  EXPECT_EQ(ring.capacity(), 3u);
  EXPECT_EQ(ring.live_count(), 1u);
}

}  // namespace
}  // namespace agnocast::internal
