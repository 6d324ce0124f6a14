// Which of many have something new, found in time that does not grow with the others.
//
// Each of the first few is looked at each time. Each further one has a bit in the own doorbell,
// which whoever has something for it sets; those bits are collected, and only what they name is
// looked at, until it has nothing more.
//
// Who writes what: peers, and leave_hint() in this process, set bits; collect() clears them.
//
// Invariants
// 1. A bit is cleared before what it names is looked at. So what is stored before the bit is set is
//    found by that look, or the bit is set again.
// 2. What has a bit and is not listed was looked at after its bit was cleared, and had nothing.
// 3. A bit that was set for nobody, or for who had it before, costs a look. One that a hostile peer
//    takes away costs time: all are looked at once a second.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "memory/area.hpp"

namespace agnocast::internal {

/// To be derived from.
struct Candidate
{
  std::uint32_t hint = 0;  ///< from reserve()
  bool is_listed = false;
};

/// Not thread-safe: its owner's lock guards it. Nothing but reserve() allocates.
class HintSet
{
 public:
  /// \p without_hint_max so many are looked at each time.
  HintSet(Area& area, std::size_t without_hint_max) noexcept
    : area_(area), without_hint_max_(without_hint_max)
  {
  }
  HintSet(const HintSet&) = delete;
  HintSet& operator=(const HintSet&) = delete;

  /// The hint for one more; 0: it needs none, or there is none left. Throws std::bad_alloc, and has
  /// done nothing then.
  [[nodiscard]] std::uint32_t reserve();
  /// Of one that is not added, or not any more.
  void give_back(std::uint32_t hint) noexcept;

  /// Lists one with a hint from reserve(). What told its peers of the hint was stored before this.
  void add(Candidate& candidate) noexcept;
  /// Its hint is not given back with it.
  void remove(Candidate& candidate) noexcept;

  [[nodiscard]] bool has_hints() const noexcept { return !words_.empty(); }
  /// Lists what hints were left for; and all, once a second (oftener if the doorbell is broken),
  /// since a hint may have got lost. True if it was time for that.
  bool collect() noexcept;
  /// Lists all: when something may have got lost.
  void list_all() noexcept;
  /// In the order in which they came onto the list.
  [[nodiscard]] std::span<Candidate* const> listed() const noexcept { return listed_; }

  /// Whether one of those listed is ready; the look stops at the first. What has a hint and is not
  /// ready leaves the list.
  template <class IsReady>
  bool any_ready(IsReady is_ready)
  {
    std::size_t kept = 0;
    bool found = false;
    for (Candidate* const candidate : listed_) {
      found = found || is_ready(*candidate);
      if (found || candidate->hint == 0) {
        listed_[kept++] = candidate;
      } else {
        candidate->is_listed = false;
      }
    }
    listed_.resize(kept);
    return found;
  }
  /// The same look at all that are listed.
  template <class IsReady>
  void keep_ready(IsReady is_ready)
  {
    std::erase_if(listed_, [&](Candidate* candidate) {
      if (is_ready(*candidate) || candidate->hint == 0) return false;
      candidate->is_listed = false;
      return true;
    });
  }
  /// The first of the list becomes its last.
  void rotate() noexcept;

  /// Gives all words back; the area must still be there.
  void clear() noexcept;

 private:
  struct Word
  {
    std::uint32_t index;      ///< in the doorbell
    std::uint64_t taken = 0;  ///< bits that reserve() has given
    std::array<Candidate*, AGNOCAST_HINTS_IN_WORD> candidates{};
  };

  [[nodiscard]] Word* word_of(std::uint32_t hint) const noexcept;
  void list(Candidate& candidate) noexcept;

  Area& area_;
  const std::size_t without_hint_max_;
  std::vector<std::unique_ptr<Word>> words_;
  std::vector<std::uint32_t> indices_;  ///< of words_: all that a look without a hint reads
  /// Has room for all that were reserved.
  std::vector<Candidate*> listed_;
  std::size_t reserved_ = 0;
  std::size_t without_hint_ = 0;     ///< of reserved_
  std::int64_t list_all_at_ns_ = 0;  ///< of CLOCK_MONOTONIC
};

}  // namespace agnocast::internal
