// Messages that are retired and not freed yet, and which of them somebody still holds.
//
// A pass goes once through these and once through all holds: O(retired + holds). It is only worth
// making when enough has been retired since the last one. So what it costs a message does not
// depend on how many are held, nor on how many holds a hostile reader invents.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "topic/ring.hpp"

namespace agnocast::internal {

/// Thread safety: none.
class RetiredMessages
{
  struct Retired
  {
    RingMessage message{};
    bool is_held = false;
  };

 public:
  /// Memory for so many, before they have it. Throws std::bad_alloc.
  class Room
  {
   public:
    explicit Room(std::size_t count) { messages_.reserve(count); }

   private:
    friend class RetiredMessages;
    std::vector<Retired> messages_;
  };
  /// Room for as many as that, if it is more than there is. O(count()).
  void move_to(Room& room) noexcept
  {
    if (room.messages_.capacity() <= messages_.capacity()) return;
    room.messages_.assign(messages_.begin(), messages_.end());
    messages_.swap(room.messages_);
  }
  /// Room for so many. Throws std::bad_alloc.
  void reserve(std::size_t count) { messages_.reserve(count); }
  [[nodiscard]] std::size_t capacity() const noexcept { return messages_.capacity(); }
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
  }
  /// Somebody holds the message of that sequence; of one that is not here, nothing is noted.
  /// Returns how many messages were looked at: one, if none is missing between the oldest and the
  /// newest, and never more than the logarithm of how many there are. For tests.
  std::size_t note_hold(std::uint64_t sequence) noexcept
  {
    if (messages_.empty() || sequence < messages_.front().message.sequence ||
        sequence > messages_.back().message.sequence) {
      return 0;
    }
    // It has at least as many sequences on either side as messages.
    const auto before = static_cast<std::size_t>(sequence - messages_.front().message.sequence);
    const auto behind = static_cast<std::size_t>(messages_.back().message.sequence - sequence);
    const std::size_t last = messages_.size() - 1;
    std::size_t begin = last - std::min(last, behind);
    std::size_t end = std::min(last, before) + 1;
    std::size_t looks = 0;
    while (begin < end) {
      ++looks;
      const std::size_t middle = begin + (end - begin) / 2;
      Retired& retired = messages_[middle];
      if (retired.message.sequence == sequence) {
        retired.is_held = true;
        break;
      }
      if (retired.message.sequence < sequence) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    return looks;
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
  std::vector<Retired> messages_;  ///< in order of their sequences
  std::size_t known_ = 0;          ///< how many were there in the last pass
  std::size_t held_ = 0;
};

}  // namespace agnocast::internal
