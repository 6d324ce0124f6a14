// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/connection.hpp"

#include <algorithm>
#include <bit>

#include "base/atomic.hpp"
#include "base/log.hpp"
#include "os/failpoint.hpp"
#include "os/futex.hpp"

namespace agnocast::internal {

namespace {
constexpr int steps_max = 256;
constexpr std::uint32_t holds_end_min = 8;  // below it, holds_end is not set back
}  // namespace

Connection::Connection(Context& context, const ConnectionSetup& setup,
                       const EndpointView& publisher, std::shared_ptr<PeerArea> area,
                       const agnocast_ring* ring, Start start)
  : setup_(setup),
    publisher_id_(publisher.id),
    area_(std::move(area)),
    ring_(ring),
    shared_(*context.area->at<agnocast_connection>(setup.offset)),
    handles_(new ReceivedHandle[setup.hold_limit])
{
  hint = setup_.hint;
  for (std::uint32_t i = 0; i < setup_.hold_limit; ++i) {
    handles_[i].connection = this;
    handles_[i].hold = i;
    handles_[i].info.publisher_id = publisher_id_;
  }
  switch (start) {
    case Start::first:
      break;
    case Start::oldest: {
      const std::uint64_t next = head() + 1;
      const std::uint64_t kept = std::min({setup_.depth, setup_.publisher_depth, next - 1});
      // Pairs with retire_oldest(). At least 1, and no more than what comes next.
      cursor_ = std::clamp<std::uint64_t>(load_acquire(ring_->tail), next - kept, next);
      owed_from_ = next;
      break;
    }
    case Start::next:
      cursor_ = head() + 1;
      break;
  }
  // A publisher that still knows the former connection of this place may look. Pairs with the load
  // in find_connection().
  store_relaxed(shared_.holds_capacity, static_cast<std::uint16_t>(setup_.hold_limit));
  store_relaxed(shared_.hint, static_cast<std::uint16_t>(setup_.hint));
  store_relaxed(shared_.cursor, cursor_);
  AGNOCAST_FAILPOINT("connection.prepared");
  // Last, so that who finds the id finds the cursor. Pairs with the load in find_connection().
  store_seq_cst(shared_.publisher_id, publisher_id_);
  AGNOCAST_FAILPOINT("connection.opened");
  // What was published before the publisher could see the connection may be gone, and is no loss.
  if (start == Start::next) move_cursor(head() + 1);
}

void Connection::disconnect() noexcept
{
  // Pairs with the load in find_connection(). No hold is set, so nobody loses one.
  store_seq_cst(shared_.publisher_id, std::uint64_t{0});
  AGNOCAST_FAILPOINT("connection.closed");
}

// The publisher's head if it is possible at all: no publisher lives through 2^63 messages, and sums
// of what is below do not overflow. An impossible one reads as "nothing published".
std::uint64_t Connection::head() const noexcept
{
  const std::uint64_t head = load_seq_cst(ring_->head);  // pairs with publish()
  return head < (std::uint64_t{1} << 63) ? head : 0;
}

bool Connection::has_unread() noexcept
{
  if (broken_) return false;
  const std::uint64_t head = this->head();  // (D) of the sleep race, see publish()
  if (head < cursor_) return false;
  if (next_entry() != nullptr) return true;
  // The entry was stored before the head that was read. What take() will never find must not keep
  // who waits for it awake.
  if (is_caught_up_ && head >= cursor_) broken_ = true;
  return false;
}

// Where the entries lie now; false if that is impossible.
bool Connection::locate_entries() noexcept
{
  const std::uint64_t word = load_acquire(ring_->entries);  // pairs with Ring::grow
  if (word == entries_word_ && entries_ != nullptr) return true;
  const std::uint64_t log2 = word % AGNOCAST_CACHE_LINE;
  if (log2 > AGNOCAST_RING_ENTRIES_LOG2_MAX) return false;
  const auto* entries = area_->at<agnocast_ring_entry>(
    word - log2, (std::uint64_t{1} << log2) * sizeof(agnocast_ring_entry));
  if (entries == nullptr) return false;
  entries_ = entries;
  entries_word_ = word;
  entry_mask_ = (std::uint64_t{1} << log2) - 1;
  return true;
}

void Connection::move_cursor(std::uint64_t sequence) noexcept
{
  cursor_ = sequence;
  if (setup_.reliable_keep_all) {
    store_seq_cst(shared_.cursor, cursor_);  // pairs with slowest_cursor(), and tell_publisher()
    AGNOCAST_FAILPOINT("take.cursor_moved");
    tell_publisher();
  } else {
    store_release(shared_.cursor, cursor_);  // pairs with slowest_cursor()
  }
}

// A publisher under keep_all may wait for the room that this cursor makes. The mirror image of the
// sleep race: cursor stored, then sleeping loaded; there sleeping stored, then cursor loaded.
void Connection::tell_publisher() noexcept
{
  const std::uint32_t waiter = load_relaxed(ring_->waiter);
  if (waiter >= AGNOCAST_WAITERS) return;
  // Pairs with the store in PublisherCore::wait_for_room.
  if (load_seq_cst(area_->waiter(waiter).sleeping) != 0) area_->ring(waiter);
}

// Called when the message of the cursor is retired: true if there may be a later one.
bool Connection::skip_gone() noexcept
{
  const std::uint64_t head = this->head();
  if (head < cursor_) return false;  // a lie: what is retired was published before
  std::uint64_t next =
    std::max(cursor_ + 1, load_acquire(ring_->tail));  // pairs with retire_oldest()
  next = std::min(next, head + 1);
  // After head and tail: a ring that has grown since has room for what is between them.
  if (!locate_entries()) {
    broken_ = true;
    return false;
  }
  if (head - next > entry_mask_ && next <= head) next = head - entry_mask_;
  skip_to(next);
  return true;
}

void Connection::skip_to(std::uint64_t sequence) noexcept
{
  lost_ += sequence - cursor_;
  move_cursor(sequence);
}

// Called when the message of the cursor is there: true if it is older than the depth allows, and
// was skipped with all that are. Only when others made the publisher keep more than our depth is
// its head looked at: a reader that polls would take that line from it each time.
bool Connection::skip_beyond_depth() noexcept
{
  // Pairs with the store in PublisherCore::tell_live_max, which is before the mark that was read.
  if (load_relaxed(ring_->live_max) <= setup_.depth) return false;
  const std::uint64_t head = this->head();
  if (head < cursor_ || head - cursor_ < setup_.depth) return false;
  skip_to(head + 1 - setup_.depth);
  return true;
}

void Connection::lose_peeked() noexcept
{
  if (cursor_ >= owed_from_) ++lost_;
  move_cursor(cursor_ + 1);
}

std::uint64_t Connection::unread_count() const noexcept
{
  const std::uint64_t head = this->head();
  return broken_ || head < cursor_ ? 0 : std::min(head + 1 - cursor_, setup_.depth);
}

const agnocast_ring_entry* Connection::next_entry() noexcept
{
  is_caught_up_ = false;
  if (broken_) return nullptr;
  if (area_->is_broken()) {
    broken_ = true;
    return nullptr;
  }
  if (entries_ == nullptr && !locate_entries()) {
    broken_ = true;
    return nullptr;
  }
  // Few steps do, since skip_gone() goes to the tail at once; a publisher that overtakes us, or
  // lies, does not keep us here.
  for (int i = 0; i < steps_max; ++i) {
    const agnocast_ring_entry& entry = entries_[cursor_ & entry_mask_];
    // Pairs with the stores in publish(), retire_oldest() and grow(). Of ring.head nothing is
    // read here: a reader that polls would take that line from the publisher each time.
    const std::uint64_t mark = load_acquire(entry.mark);
    if (mark == cursor_) {
      if (skip_beyond_depth()) continue;
      return &entry;
    }
    if (mark == AGNOCAST_ENTRIES_MOVED) {
      const std::uint64_t left = entries_word_;
      if (!locate_entries() || entries_word_ == left) {
        broken_ = true;
        return nullptr;
      }
    } else if ((mark & ~AGNOCAST_RETIRED) < cursor_) {
      is_caught_up_ = true;
      // The hold that the next message will need: its publisher has looked at it since.
      prefetch_for_write(&shared_);
      return nullptr;
    } else if (!skip_gone()) {
      return nullptr;
    }
  }
  return nullptr;
}

std::optional<Connection::Peeked> Connection::peek() noexcept
{
  const agnocast_ring_entry* entry = next_entry();
  if (entry == nullptr) return std::nullopt;
  return Peeked{believed(load_relaxed(entry->stamp_ns))};
}

// A message is stamped before it can be seen. One of the future is a lie, which would make its
// publisher the newest of all for ever, at the cost of the others' messages: it comes before them.
// A lie about the past cannot be told from a message that waits. The clock is read once for a
// message at the most.
std::uint64_t Connection::believed(std::uint64_t stamp_ns) noexcept
{
  if (stamp_ns <= latest_ns_) return stamp_ns;
  latest_ns_ = static_cast<std::uint64_t>(os::monotonic_ns()) - setup_.clock_offset_ns;
  return stamp_ns <= latest_ns_ ? stamp_ns : 0;
}

std::optional<std::uint32_t> Connection::reserve_hold() noexcept
{
  const std::uint32_t first = likely_free_.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < setup_.hold_limit; ++i) {
    const std::uint32_t hold =
      first + i < setup_.hold_limit ? first + i : first + i - setup_.hold_limit;
    // Pairs with the store in release_hold(): the handle of a hold that is free is free too.
    if (load_acquire(hold_of(shared_, hold)) != 0) continue;
    likely_free_.store(hold + 1 < setup_.hold_limit ? hold + 1 : 0, std::memory_order_relaxed);
    set_holds_end(hold);
    return hold;
  }
  return std::nullopt;
}

// Before that hold is set: so that the publisher looks at it, and not for ever at as many as there
// were once. A publisher that sees an end from before this looked before the hold was set: (C)
// before (D) of the retire race, so (E) sees that the message is retired.
void Connection::set_holds_end(std::uint32_t hold) noexcept
{
  const std::uint32_t end = load_relaxed(shared_.holds_end);
  std::uint32_t wanted = std::max(end, hold + 1);
  // Pairs with release_hold(). Nobody sets a hold meanwhile: that is done under our lock.
  while (wanted > hold + 1 && wanted > holds_end_min &&
         load_acquire(hold_of(shared_, wanted - 1)) == 0) {
    --wanted;
  }
  if (wanted == end) return;
  store_seq_cst(shared_.holds_end, wanted);  // pairs with the load in note_holds()
  AGNOCAST_FAILPOINT("take.holds_grown");
}

bool Connection::is_held() const noexcept
{
  const std::uint32_t end = load_relaxed(shared_.holds_end);
  for (std::uint32_t hold = 0; hold < end; ++hold) {
    if (load_acquire(hold_of(shared_, hold)) != 0) return true;  // pairs with release_hold()
  }
  return false;
}

ReceivedHandle* Connection::take(const void*& address) noexcept
{
  for (int i = 0; i < steps_max; ++i) {
    const agnocast_ring_entry* entry = next_entry();
    if (entry == nullptr) return nullptr;
    const auto hold = reserve_hold();
    if (!hold) return nullptr;
    const std::uint64_t found = load_acquire(entry->address);  // pairs with publish()
    const std::uint64_t stamp = load_relaxed(entry->stamp_ns);
    store_seq_cst(hold_of(shared_, *hold), cursor_);  // (D) of the retire race
    AGNOCAST_FAILPOINT("take.held");
    if (load_seq_cst(entry->mark) != cursor_) {                  // (E) of the retire race
      store_release(hold_of(shared_, *hold), std::uint64_t{0});  // pairs with note_holds()
      AGNOCAST_FAILPOINT("take.missed");
      continue;
    }
    ReceivedHandle& handle = handles_[*hold];
    handle.info.sequence = cursor_;
    handle.info.publish_time_ns = stamp + setup_.clock_offset_ns;
    handle.references.store(1, std::memory_order_relaxed);
    if (found % setup_.message_alignment != 0 ||
        !area_->holds_message(found, setup_.message_bytes)) {
      broken_ = true;
      release_hold(*hold);
      return nullptr;
    }
    AGNOCAST_FAILPOINT("take.checked");
    address = reinterpret_cast<const void*>(found);
    owed_from_ = 0;
    move_cursor(cursor_ + 1);
    AGNOCAST_FAILPOINT("take.taken");
    return &handle;
  }
  return nullptr;
}

void Connection::release_hold(std::uint32_t hold) noexcept
{
  if (hold < likely_free_.load(std::memory_order_relaxed)) {
    likely_free_.store(hold, std::memory_order_relaxed);
  }
  // After all reads of the message. Pairs with the loads in note_holds() and reserve_hold().
  store_release(hold_of(shared_, hold), std::uint64_t{0});
  AGNOCAST_FAILPOINT("release.hold_cleared");
}

void Connection::skip_to_newest() noexcept
{
  if (const std::uint64_t head = this->head(); head > cursor_) move_cursor(head);
}

void Connection::skip_all() noexcept
{
  if (const std::uint64_t head = this->head(); head >= cursor_) move_cursor(head + 1);
}

}  // namespace agnocast::internal
