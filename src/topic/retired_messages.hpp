// Messages that are retired and not freed yet, and which of them somebody still holds.
//
// A pass goes once through these and once through all holds: O(retired + held), and it is only
// worth making when enough has been retired since the last one. So what it costs a message does not
// depend on how many are held.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "topic/ring.hpp"

namespace agnocast::internal {

/// Thread safety: none.
class RetiredMessages
{
 public:
  /// Room for so many, and for a pass over them. Throws std::bad_alloc.
  void reserve(std::size_t count)
  {
    if (count <= messages_.capacity() && places_.size() >= 2 * count) return;
    // In this order: more places than messages, whatever fails. A vector may reserve more than
    // asked.
    places_.resize(std::bit_ceil(std::max<std::size_t>(4 * count, 16)));
    messages_.reserve(count);
  }
  [[nodiscard]] bool is_full() const noexcept { return messages_.size() == messages_.capacity(); }
  [[nodiscard]] bool is_empty() const noexcept { return messages_.empty(); }
  [[nodiscard]] std::size_t count() const noexcept { return messages_.size(); }
  /// Those that were added since the last pass.
  [[nodiscard]] std::size_t new_count() const noexcept { return messages_.size() - known_; }
  /// Those that were found held in the last pass.
  [[nodiscard]] std::size_t held_count() const noexcept { return held_; }

  /// Precondition: !is_full(). Sequences only grow.
  void add(const RingMessage& message) noexcept { messages_.push_back({message, false}); }

  /// Begins a pass: nothing is held.
  void begin_pass() noexcept
  {
    for (Retired& retired : messages_) retired.is_held = false;
    if (is_short()) return;
    std::fill(places_.begin(), places_.end(), none);
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      places_[find_place(messages_[i].message.sequence)] = static_cast<std::uint32_t>(i);
    }
  }
  /// Somebody holds the message of that sequence; of one that is not here, nothing is noted.
  void note_hold(std::uint64_t sequence) noexcept
  {
    if (is_short()) {
      for (Retired& retired : messages_) {
        retired.is_held = retired.is_held || retired.message.sequence == sequence;
      }
      return;
    }
    const std::uint32_t at = places_[find_place(sequence)];
    if (at != none) messages_[at].is_held = true;
  }
  /// Ends the pass: gives out at most \p most messages that nobody holds, oldest first, by
  /// free(void*). True if there are more: another pass is due.
  template <class Free>
  bool end_pass(std::size_t most, Free free)
  {
    std::size_t kept = 0, given = 0;
    held_ = 0;
    bool more = false;
    for (const Retired& retired : messages_) {
      if (!retired.is_held && given < most) {
        ++given;
        free(retired.message.message);
        continue;
      }
      held_ += retired.is_held ? 1 : 0;
      more = more || !retired.is_held;
      messages_[kept++] = retired;
    }
    messages_.resize(kept);
    known_ = more ? 0 : kept;
    return more;
  }

 private:
  struct Retired
  {
    RingMessage message{};
    bool is_held = false;
  };
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  // So few that to look at each is quicker than the table.
  [[nodiscard]] bool is_short() const noexcept { return messages_.size() <= 8; }
  // Open addressing: where the sequence stands, or the free place where it would. Sequences that
  // follow each other get places that follow each other, so collisions are few.
  [[nodiscard]] std::size_t find_place(std::uint64_t sequence) const noexcept
  {
    const std::size_t mask = places_.size() - 1;
    std::size_t place = static_cast<std::size_t>(sequence) & mask;
    while (places_[place] != none && messages_[places_[place]].message.sequence != sequence) {
      place = (place + 1) & mask;
    }
    return place;
  }

  std::vector<Retired> messages_;      ///< in order of their sequences
  std::vector<std::uint32_t> places_;  ///< hash table of a pass: indices into messages_
  std::size_t known_ = 0;              ///< how many were there in the last pass
  std::size_t held_ = 0;
};

}  // namespace agnocast::internal
