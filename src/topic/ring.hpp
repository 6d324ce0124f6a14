// The publisher's ring: which messages can be taken, in the order in which they were published.
//
// Who writes what: this process the ring and its entries; readers only look (topic/connection).
//
// Invariants
// 1. Live are the sequences [tail, head]; fewer than there are entries, so that the entry to be
//    written next is that of a retired message.
// 2. An entry's mark says what is in it, and its address belongs to that mark: a reader that finds
//    the mark it looks for before and after it read the address has the right one.
// 3. Entries that a larger ring replaced stay where they are, marked as moved, as long as the ring.
//
// Ordering: publish() stores address, mark, head; a reader loads mark, address, and the mark again
// after it has set its hold (the retire race in publisher_core.hpp).
//
// If we die here: readers read on to the last entry that was marked.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "abi/area_layout.h"
#include "memory/area.hpp"

namespace agnocast::internal {

/// A message that was published: which, and where it lies in this process's own memory.
struct RingMessage
{
  std::uint64_t sequence;
  void* message;
};

/// Thread safety: none, but readers in other processes need none, and make_growth() goes with all
/// but grow() and itself.
class Ring
{
  struct Kept;

 public:
  /// A larger ring's memory, before the ring has it: making it takes long, having it does not.
  /// Gives back what it has: the new memory, or after grow() the old.
  class Growth
  {
   public:
    Growth(const Growth&) = delete;
    Growth& operator=(const Growth&) = delete;
    Growth(Growth&& other) noexcept;
    Growth& operator=(Growth&&) = delete;
    ~Growth();
    [[nodiscard]] std::uint64_t capacity() const noexcept
    {
      return (std::uint64_t{1} << log2_) - 1;
    }

   private:
    friend class Ring;
    explicit Growth(Area& area) noexcept : area_(area) {}
    Area& area_;
    std::uint64_t offset_ = 0;  ///< of the entries; 0: the ring has them
    std::uint32_t log2_ = 0;
    std::uint64_t tail_ = 1;  ///< of the ring: what is older is marked as retired already
    std::vector<Kept> kept_;
  };

  explicit Ring(Area& area) noexcept : area_(area) {}
  /// Gives the memory back. Not in a forked child, where it is the parent's.
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// Takes memory for the ring itself, without entries. False if the control part is full.
  bool open();
  /// Makes room for so many live messages; what is live stays. False if there is no memory, and
  /// then the ring is as it was. Throws std::bad_alloc; with the same effect.
  bool reserve(std::uint64_t live_messages);
  /// The same in two steps, for a ring of which \p tail was the tail a moment ago: whatever is
  /// published and retired between the two is in the larger ring too. The first gives nothing if
  /// there is no memory, and throws std::bad_alloc.
  std::optional<Growth> make_growth(std::uint64_t live_messages, std::uint64_t tail);
  /// Precondition: the ring has not grown since. O(live messages + entries that are left).
  void grow(Growth& growth) noexcept;

  /// The entry that the next message will get: for prefetching.
  [[nodiscard]] const agnocast_ring_entry& next_entry() const noexcept { return entry(head_ + 1); }
  /// Precondition: !is_full(). Makes the message visible and returns its sequence.
  /// \p told_bytes: for tools; \p kept_bytes: for bytes_before().
  std::uint64_t publish(void* message, std::uint64_t stamp_ns, std::uint64_t told_bytes,
                        std::uint64_t kept_bytes) noexcept;
  /// Precondition: !is_empty(). No reader takes the message from now on; those that hold it do.
  RingMessage retire_oldest() noexcept;

  [[nodiscard]] bool is_empty() const noexcept { return tail_ > head_; }
  [[nodiscard]] bool is_full() const noexcept { return live_count() >= capacity(); }
  [[nodiscard]] std::uint64_t head() const noexcept { return head_; }  ///< 0: nothing published
  [[nodiscard]] std::uint64_t tail() const noexcept { return tail_; }  ///< the oldest live one
  [[nodiscard]] std::uint64_t live_count() const noexcept { return head_ + 1 - tail_; }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return entry_mask_; }
  /// Of all live messages that are older than that sequence, as far as it is known.
  [[nodiscard]] std::uint64_t bytes_before(std::uint64_t sequence) const noexcept;

  [[nodiscard]] agnocast_ring& shared() const noexcept { return *ring_; }
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
  /// The first invariant that does not hold, or nullptr. For tests.
  [[nodiscard]] const char* audit() const noexcept;

 private:
  /// What is known of a message here. Which message to destroy is never read from the area, where
  /// another process of the same user may have wiped it.
  struct Kept
  {
    void* message = nullptr;
    std::uint64_t kept_bytes = 0;  ///< with all messages before it
  };

  [[nodiscard]] agnocast_ring_entry& entry(std::uint64_t sequence) const noexcept
  {
    return entries_[sequence & entry_mask_];
  }

  Area& area_;
  std::uint64_t offset_ = 0;
  agnocast_ring* ring_ = nullptr;
  agnocast_ring_entry* entries_ = nullptr;
  std::uint64_t entry_mask_ = 0;
  std::vector<Kept> kept_;  ///< one for each entry
  /// Offset and bytes of all entries there ever were; the last are in use.
  std::vector<std::pair<std::uint64_t, std::size_t>> blocks_;
  std::uint64_t head_ = 0;  ///< as in the ring
  std::uint64_t tail_ = 1;
  std::uint64_t told_bytes_ = 0;
  std::uint64_t kept_bytes_ = 0;
};

}  // namespace agnocast::internal
