// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/ring.hpp"

#include <algorithm>
#include <bit>
#include <utility>

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

Ring::Growth::Growth(Growth&& other) noexcept
  : area_(other.area_),
    offset_(std::exchange(other.offset_, 0)),
    log2_(other.log2_),
    tail_(other.tail_),
    kept_(std::move(other.kept_))
{
}

Ring::Growth::~Growth()
{
  if (offset_ != 0) area_.free_control(offset_, sizeof(agnocast_ring_entry) << log2_);
}

bool Ring::reserve(std::uint64_t live_messages)
{
  if (live_messages <= capacity()) return true;
  auto growth = make_growth(live_messages, tail_);
  if (growth) grow(*growth);
  return growth.has_value();
}

std::optional<Ring::Growth> Ring::make_growth(std::uint64_t live_messages, std::uint64_t tail)
{
  Growth growth(area_);
  growth.log2_ = static_cast<std::uint32_t>(std::bit_width(live_messages));
  if (growth.log2_ > AGNOCAST_RING_ENTRIES_LOG2_MAX) return std::nullopt;
  const std::size_t count = std::size_t{1} << growth.log2_;
  growth.kept_.resize(count);
  blocks_.reserve(blocks_.size() + 1);
  growth.offset_ = area_.allocate_control(count * sizeof(agnocast_ring_entry));
  if (growth.offset_ == 0) return std::nullopt;
  // Who comes late must not wait for what is retired.
  auto* const entries = area_.at<agnocast_ring_entry>(growth.offset_);
  growth.tail_ = tail;
  for (std::uint64_t seq = tail - std::min<std::uint64_t>(tail - 1, count); seq < tail; ++seq) {
    // Pairs with the load in Connection::next_entry, by the store to ring.entries.
    store_relaxed(entries[seq & (count - 1)].mark, std::uint64_t{seq | AGNOCAST_RETIRED});
  }
  AGNOCAST_FAILPOINT("growth.entries_made");
  return growth;
}

// The old entries are marked as left after the new ones are in place: a reader that looks at one of
// them looks at ring.entries again. All of them: a reader that skips what is retired comes to any.
void Ring::grow(Growth& growth) noexcept
{
  const std::uint64_t count = std::uint64_t{1} << growth.log2_;
  blocks_.emplace_back(growth.offset_, count * sizeof(agnocast_ring_entry));
  // With the one before the tail: bytes_before() subtracts it.
  for (std::uint64_t seq = tail_ - 1; seq <= head_ && !kept_.empty(); ++seq) {
    growth.kept_[seq & (count - 1)] = kept_[seq & entry_mask_];
  }
  kept_.swap(growth.kept_);
  agnocast_ring_entry* const old_entries = entries_;
  const std::uint64_t old_mask = entry_mask_;
  entries_ = area_.at<agnocast_ring_entry>(growth.offset_);
  entry_mask_ = count - 1;
  // What was retired since the growth was made. The stores pair as in make_growth().
  const std::uint64_t oldest = head_ + 1 - std::min<std::uint64_t>(head_, count);
  for (std::uint64_t seq = std::max(oldest, growth.tail_); seq < tail_; ++seq) {
    store_relaxed(entry(seq).mark, std::uint64_t{seq | AGNOCAST_RETIRED});
  }
  for (std::uint64_t seq = tail_; seq <= head_; ++seq) {
    const agnocast_ring_entry& from = old_entries[seq & old_mask];
    store_relaxed(entry(seq).stamp_ns, from.stamp_ns);
    store_relaxed(entry(seq).total_bytes, from.total_bytes);
    store_relaxed(entry(seq).address, from.address);
    store_relaxed(entry(seq).mark, from.mark);
  }
  AGNOCAST_FAILPOINT("growth.entries_copied");
  // Pairs with the load in Connection::locate_entries.
  store_seq_cst(ring_->entries, std::exchange(growth.offset_, 0) + growth.log2_);
  AGNOCAST_FAILPOINT("growth.entries_replaced");
  if (old_entries == nullptr) return;
  for (std::uint64_t seq = tail_; seq <= tail_ + old_mask; ++seq) {
    std::uint64_t& mark = old_entries[seq & old_mask].mark;
    if (seq <= head_) {
      // Pairs with the second load in Connection::take, as in retire_oldest().
      store_seq_cst(mark, std::uint64_t{AGNOCAST_ENTRIES_MOVED});
    } else {
      // Nobody takes from it: it only has to be found left by who knows of the next publish. Pairs
      // with the load in Connection::next_entry.
      store_release(mark, std::uint64_t{AGNOCAST_ENTRIES_MOVED});
    }
    AGNOCAST_FAILPOINT("growth.old_entry_left");
  }
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
