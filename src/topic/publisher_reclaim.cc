// What becomes of messages once they are published: retired, found unheld, destroyed.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/atomic.hpp"
#include "os/failpoint.hpp"
#include "topic/publisher_core.hpp"

namespace agnocast::internal {

void PublisherCore::retire_oldest()
{
  agnocast_ring_entry& slot = entry(tail_);
  retired_.push_back({tail_, messages_[tail_ & entry_mask_]});
  // (A) of the retire race; pairs with Connection::take.
  store_seq_cst(slot.mark, std::uint64_t{tail_ | AGNOCAST_RETIRED});
  AGNOCAST_FAILPOINT("retire.marked");
  ++tail_;
  store_release(ring_->tail, tail_);  // pairs with the load in Connection::skip_gone
  AGNOCAST_FAILPOINT("retire.tail_moved");
}

bool PublisherCore::wants_oldest(Peer& peer) const
{
  if (peer.depth == 0 || tail_ > head_ || peer.area->is_gone()) return false;
  const agnocast_connection* connection = find_connection(peer);
  // Pairs with the store in Connection::take, after the hold was set.
  return connection != nullptr && load_seq_cst(connection->cursor) <= tail_;
}

// Retires what no subscription will take any more, if no newcomer may ask for it either.
void PublisherCore::retire_read()
{
  if (setup_.endpoint.durability != AGNOCAST_VOLATILE && !closed_) return;
  // As long as the one that stood in the way last time still does, the others do not matter.
  if (in_the_way_ < peers_.size() && wants_oldest(peers_[in_the_way_])) return;
  in_the_way_ = 0;
  while (in_the_way_ < peers_.size() && !wants_oldest(peers_[in_the_way_])) ++in_the_way_;
  const std::uint64_t wanted = in_the_way_ < peers_.size() ? tail_ : slowest_cursor(false);
  while (tail_ <= head_ && tail_ < wanted && unreachable_.empty()) retire_oldest();
}

// All sequences that a live subscription holds, into holds_. False if somebody's cannot be seen.
bool PublisherCore::gather_holds()
{
  refresh_if_changed();  // after the tail was stored: see the retire race
  if (seen_generation_ == 0 || !unreachable_.empty()) return false;
  holds_.clear();
  for (Peer& peer : peers_) {
    const agnocast_connection* connection = find_connection(peer);
    if (connection == nullptr) continue;
    // Pairs with the store that raises it before the first hold above is set.
    const std::uint32_t end = std::min(load_seq_cst(connection->holds_end), peer.holds_capacity);
    const std::size_t before = holds_.size();
    for (std::uint32_t i = 0; i < end; ++i) {
      // (C) of the retire race; pairs with Connection::take and, when it reads 0, with release().
      if (const std::uint64_t seq = load_seq_cst(hold_of(*connection, i)); seq != 0)
        holds_.push_back(seq);
    }
    if (holds_.size() != before && peer.area->is_gone()) holds_.resize(before);
  }
  return true;
}

void PublisherCore::collect_unheld(Unheld& unheld)
{
  if (!gather_holds()) return;
  AGNOCAST_FAILPOINT("reclaim.holds_gathered");
  std::erase_if(retired_, [&](const Retired& retired) {
    if (unheld.is_full() ||
        std::find(holds_.begin(), holds_.end(), retired.sequence) != holds_.end()) {
      return false;
    }
    unheld.messages[unheld.count++] = retired.message;
    return true;
  });
}

void PublisherCore::destroy_message(void* message) noexcept
{
  // What stood in a wiped area is no object any more.
  if (!context_.area->is_broken()) setup_.destroy(message, setup_.destroy_context);
  AGNOCAST_FAILPOINT("reclaim.destroyed");
  free_message(message);
}

void PublisherCore::destroy_all(const Unheld& unheld) noexcept
{
  for (std::size_t i = 0; i < unheld.count; ++i) destroy_message(unheld.messages[i]);
}

// A message that fills much of the machine's caches is retired as soon as all have read it, and not
// when its successor is published: its memory is warm, and the next one's would not be. For small
// ones that takes longer than it gains.
void PublisherCore::reclaim_before_loan() noexcept
{
  Unheld unheld;
  {
    const std::lock_guard lock(mutex_);
    count_use();
    if (is_large_ && live_count() != 0) {
      refresh_if_changed();
      retire_read();
    }
    if (!retired_.empty()) collect_unheld(unheld);
  }
  destroy_all(unheld);
  used_at_loan_.store(context_.heap->used_bytes(), std::memory_order_relaxed);
}

void PublisherCore::reclaim_retired() noexcept
{
  Unheld unheld;
  {
    const std::lock_guard lock(mutex_);
    if (retired_.empty()) return;
    collect_unheld(unheld);
  }
  destroy_all(unheld);
}

std::vector<PeerIdentity> PublisherCore::look_for_unreachable()
{
  const std::lock_guard lock(mutex_);
  if (!unreachable_.empty()) refresh();
  return unreachable_;
}

void PublisherCore::say_unreachable()
{
  if (!unreachable_said_.first()) return;
  const std::lock_guard lock(mutex_);
  log_warning("topic '" + setup_.endpoint.topic +
              "' frees no messages until a subscriber can be looked at: " + unreachable_why_);
}

void PublisherCore::drop_gone_holders()
{
  std::erase_if(peers_, [&](Peer& peer) {
    return peer.is_unlisted && (peer.area->is_gone() || find_connection(peer) == nullptr);
  });
  look_who_needs_care();
}

std::size_t PublisherCore::reclaim_early()
{
  // Those that died before we could look at them; the others may be reachable by now.
  for (const PeerIdentity& process : look_for_unreachable()) {
    if (!context_.registry->recover(process)) say_unreachable();
  }
  std::size_t count = 0;
  Unheld unheld;
  do {
    unheld.count = 0;
    {
      const std::lock_guard lock(mutex_);
      refresh_if_changed();
      drop_gone_holders();
      retire_read();
      if (!retired_.empty()) collect_unheld(unheld);
    }
    destroy_all(unheld);
    count += unheld.count;
  } while (unheld.is_full());
  return count;
}

void PublisherCore::count_use() noexcept
{
  uses_.store(uses_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void PublisherCore::look_who_needs_care() noexcept
{
  const bool any =
    !unreachable_.empty() ||
    std::any_of(peers_.begin(), peers_.end(), [](const Peer& peer) { return peer.is_unlisted; });
  needs_care_.store(any, std::memory_order_relaxed);
}

PublisherCore::Look PublisherCore::look_if_idle()
{
  const std::uint64_t uses = uses_.load(std::memory_order_relaxed);
  const bool is_idle = std::exchange(uses_seen_, uses) == uses;
  const bool needs_care = needs_care_.load(std::memory_order_relaxed);
  if (!is_idle && !needs_care) return Look::in_use;
  if (uses == empty_since_use_ && !needs_care) return Look::empty;
  const std::lock_guard lock(mutex_);
  refresh_if_changed();
  drop_gone_holders();
  if (!unreachable_.empty()) return Look::has_unheld;
  retire_read();
  if (live_count() == 0 && retired_.empty()) {
    empty_since_use_ = uses;
    return Look::empty;
  }
  const auto is_held = [&](const Retired& retired) {
    return std::find(holds_.begin(), holds_.end(), retired.sequence) != holds_.end();
  };
  return !retired_.empty() && gather_holds() &&
             !std::all_of(retired_.begin(), retired_.end(), is_held)
           ? Look::has_unheld
           : Look::waits;
}

}  // namespace agnocast::internal
