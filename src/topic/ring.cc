// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/ring.hpp"

#include <algorithm>
#include <bit>

#include "base/atomic.hpp"
#include "os/failpoint.hpp"

namespace agnocast::internal {

Ring::~Ring()
{
  for (const auto& [offset, bytes] : blocks_) area_.free_control(offset, bytes);
  if (offset_ != 0) area_.free_control(offset_, sizeof(agnocast_ring));
}

bool Ring::open()
{
  offset_ = area_.allocate_control(sizeof(agnocast_ring));
  if (offset_ == 0) return false;
  ring_ = area_.at<agnocast_ring>(offset_);
  // A subscription that still knows the former ring of this place may look: pairs with its loads.
  store_relaxed(ring_->tail, std::uint64_t{1});
  store_relaxed(ring_->waiter, std::uint32_t{AGNOCAST_NO_WAITER});
  AGNOCAST_FAILPOINT("publisher.ring_allocated");
  return true;
}

// The old entries are marked as left after the new ones are in place: a reader that looks at one of
// them looks at ring.entries again. All of them: a reader that skips what is retired comes to any.
bool Ring::reserve(std::uint64_t live_messages)
{
  if (live_messages <= capacity()) return true;
  const auto log2 = static_cast<std::uint32_t>(std::bit_width(live_messages));
  if (log2 > AGNOCAST_RING_ENTRIES_LOG2_MAX) return false;
  const std::size_t count = std::size_t{1} << log2;
  const std::size_t bytes = count * sizeof(agnocast_ring_entry);
  std::vector<Kept> kept(count);
  blocks_.reserve(blocks_.size() + 1);
  const std::uint64_t offset = area_.allocate_control(bytes);
  if (offset == 0) return false;
  blocks_.emplace_back(offset, bytes);
  // With the one before the tail: bytes_before() subtracts it.
  for (std::uint64_t seq = tail_ - 1; seq <= head_ && !kept_.empty(); ++seq) {
    kept[seq & (count - 1)] = kept_[seq & entry_mask_];
  }
  agnocast_ring_entry* const old_entries = entries_;
  const std::uint64_t old_mask = entry_mask_;
  entries_ = area_.at<agnocast_ring_entry>(offset);
  entry_mask_ = count - 1;
  kept_ = std::move(kept);
  for (std::uint64_t seq = head_ + 1 - std::min<std::uint64_t>(head_, count); seq < tail_; ++seq) {
    entry(seq).mark = seq | AGNOCAST_RETIRED;  // who comes late must not wait for it
  }
  for (std::uint64_t seq = tail_; seq <= head_; ++seq) {
    const agnocast_ring_entry& from = old_entries[seq & old_mask];
    entry(seq).stamp_ns = from.stamp_ns;
    entry(seq).total_bytes = from.total_bytes;
    entry(seq).address = from.address;
    entry(seq).mark = from.mark;
  }
  AGNOCAST_FAILPOINT("growth.entries_copied");
  // Pairs with the load in Connection::locate_entries.
  store_seq_cst(ring_->entries, offset + log2);
  AGNOCAST_FAILPOINT("growth.entries_replaced");
  if (old_entries == nullptr) return true;
  for (std::uint64_t i = 0; i <= old_mask; ++i) {
    // Pairs with the second load in Connection::take, as in retire_oldest().
    store_seq_cst(old_entries[i].mark, std::uint64_t{AGNOCAST_ENTRIES_MOVED});
    AGNOCAST_FAILPOINT("growth.old_entry_left");
  }
  return true;
}

std::uint64_t Ring::publish(void* message, std::uint64_t stamp_ns, std::uint64_t told_bytes,
                            std::uint64_t kept_bytes) noexcept
{
  const std::uint64_t seq = head_ + 1;
  agnocast_ring_entry& slot = entry(seq);
  store_relaxed(slot.stamp_ns, stamp_ns);
  told_bytes_ += told_bytes;
  store_relaxed(slot.total_bytes, told_bytes_);
  AGNOCAST_FAILPOINT("publish.stamped");
  kept_bytes_ += kept_bytes;
  kept_[seq & entry_mask_] = {message, kept_bytes_};
  // Pairs with the load in Connection::take: who sees this address sees that the mark was another.
  store_release(slot.address, std::uint64_t{reinterpret_cast<std::uintptr_t>(message)});
  AGNOCAST_FAILPOINT("publish.addressed");
  store_release(slot.mark, seq);  // pairs with the load in Connection::next_entry
  AGNOCAST_FAILPOINT("publish.numbered");
  head_ = seq;
  store_seq_cst(ring_->head, seq);  // (A) of the sleep race; pairs with Connection::has_unread
  AGNOCAST_FAILPOINT("publish.visible");
  return seq;
}

RingMessage Ring::retire_oldest() noexcept
{
  const RingMessage oldest{tail_, kept_[tail_ & entry_mask_].message};
  // (A) of the retire race; pairs with Connection::take.
  store_seq_cst(entry(tail_).mark, std::uint64_t{tail_ | AGNOCAST_RETIRED});
  AGNOCAST_FAILPOINT("retire.marked");
  ++tail_;
  store_release(ring_->tail, tail_);  // pairs with the load in Connection::skip_gone
  AGNOCAST_FAILPOINT("retire.tail_moved");
  return oldest;
}

std::uint64_t Ring::bytes_before(std::uint64_t sequence) const noexcept
{
  if (sequence <= tail_) return 0;
  // Entry `tail - 1` is that of a retired message, or of none: it is not used again before `head`
  // comes round to it, and a ring is never that full.
  const std::uint64_t last = std::min(sequence - 1, head_);
  return kept_[last & entry_mask_].kept_bytes - kept_[(tail_ - 1) & entry_mask_].kept_bytes;
}

const char* Ring::audit() const noexcept
{
  if (tail_ == 0 || tail_ > head_ + 1) return "the tail is beyond the head";
  if (live_count() > capacity()) return "more live messages than entries but one";
  if (load_relaxed(ring_->head) != head_) return "the head is not what the ring says";
  if (load_relaxed(ring_->tail) != tail_) return "the tail is not what the ring says";
  for (std::uint64_t seq = tail_; seq <= head_; ++seq) {
    if (load_relaxed(entry(seq).mark) != seq) return "a live message is not marked as such";
    if (load_relaxed(entry(seq).address) !=
        reinterpret_cast<std::uintptr_t>(kept_[seq & entry_mask_].message)) {
      return "a live message has another address";
    }
  }
  return nullptr;
}

}  // namespace agnocast::internal
