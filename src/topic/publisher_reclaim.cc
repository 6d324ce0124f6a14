// What becomes of messages once they are published: retired, found unheld, destroyed.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>

#include "base/atomic.hpp"
#include "heap/thread_window.hpp"
#include "os/failpoint.hpp"
#include "topic/publisher_core.hpp"

namespace agnocast::internal {

namespace {

// By so much the heap must have grown for messages to be looked at that would else wait: memory is
// worth more than the look then.
constexpr std::size_t worth_a_look_bytes = std::size_t{1} << 20;
// So many live messages are worth a look at how far their readers are.
constexpr std::uint64_t worth_a_look_messages = 64;
// A pass waits until there is one message more for so many words of holds that it looks at: there
// may be 4096 for each reader, whatever is in them.
constexpr std::size_t words_for_a_message = 128;
// No publish retires more than so many, so that none waits long after a deep reader has left.
constexpr int retired_at_once_max = 256;

}  // namespace

void PublisherCore::retire_oldest()
{
  retired_.add(ring_->retire_oldest());
}

void PublisherCore::retire_beyond_depth()
{
  for (int i = 0; i < retired_at_once_max && ring_->live_count() > depth_; ++i) {
    if (retired_.is_full()) return;
    retire_oldest();
  }
}

// What only others' depth keeps, down to that many bytes. What a publish waits for is within the
// own depth, so nobody who blocks loses any.
void PublisherCore::retire_surplus(std::uint64_t bytes_max)
{
  const std::uint64_t first_own = ring_->head() + 1 - setup_.endpoint.depth;
  while (ring_->tail() < first_own && ring_->bytes_before(first_own) > bytes_max &&
         !retired_.is_full()) {
    retire_oldest();
  }
}

// Precondition: the ring is not empty.
bool PublisherCore::wants_oldest(Reader& reader)
{
  if (reader.depth < ring_->live_count() || reader.area->is_gone()) return false;
  const agnocast_connection* connection = reader.find_connection(ticket_.id);
  // Pairs with the store in Connection::take, after the hold was set.
  return connection != nullptr && load_seq_cst(connection->cursor) <= ring_->tail();
}

// The least sequence that a subscription has not read yet; the next one if all have read all.
std::uint64_t PublisherCore::slowest_cursor(bool blocking_only)
{
  std::uint64_t slowest = ring_->head() + 1;
  if (blocking_only && readers_->has_unreachable_blocking) slowest = ring_->tail();
  for (Reader& reader : readers_->readers) {
    if (reader.depth == 0 || (blocking_only && !reader.blocks) || reader.area->is_gone()) continue;
    const agnocast_connection* connection = reader.find_connection(ticket_.id);
    // What is beyond its depth it will not get.
    const std::uint64_t depth = std::min<std::uint64_t>(reader.depth, ring_->head());
    const std::uint64_t oldest = blocking_only ? 0 : ring_->head() + 1 - depth;
    if (connection != nullptr) {
      // Pairs with the store in Connection::take, after the hold was set.
      slowest = std::min(slowest, std::max(load_seq_cst(connection->cursor), oldest));
    } else if (reader.id < ticket_.id && !closed_) {
      // It was here before us and will read from our first.
      slowest = std::min(slowest, std::max(ring_->tail(), oldest));
    }
  }
  return slowest;
}

// Retires what no subscription will take any more, if no newcomer may ask for it either.
void PublisherCore::retire_read()
{
  if (!is_current() || !readers_->unreachable.empty() || ring_->is_empty()) return;
  // As long as the one that stood in the way last time still does, the others do not matter.
  std::vector<Reader>& readers = readers_->readers;
  if (in_the_way_ < readers.size() && wants_oldest(readers[in_the_way_])) return;
  in_the_way_ = 0;
  while (in_the_way_ < readers.size() && !wants_oldest(readers[in_the_way_])) ++in_the_way_;
  if (in_the_way_ < readers.size()) return;
  std::uint64_t wanted = slowest_cursor(false);
  if (setup_.endpoint.durability != AGNOCAST_VOLATILE && !closed_) {
    const std::uint64_t depth = std::min<std::uint64_t>(setup_.endpoint.depth, ring_->head());
    wanted = std::min(wanted, ring_->head() + 1 - depth);
  }
  while (!ring_->is_empty() && ring_->tail() < wanted && !retired_.is_full()) retire_oldest();
}

// Tells retired_ of all holds of live subscriptions. False if somebody's cannot be seen.
bool PublisherCore::note_holds()
{
  // After the tail was stored: see the retire race.
  if (!is_current() || !readers_->unreachable.empty()) return false;
  looked_at_ = 0;
  for (Reader& reader : readers_->readers) {
    const agnocast_connection* connection = reader.find_connection(ticket_.id);
    if (connection == nullptr) continue;
    // Pairs with the store that raises it before the first hold above is set.
    const std::uint32_t end = std::min(load_seq_cst(connection->holds_end), reader.holds_capacity);
    // One who is found dead after its holds were noted costs a pass.
    if (end != 0 && reader.area->is_gone()) continue;
    looked_at_ += end;
    for (std::uint32_t i = 0; i < end; ++i) {
      // (C) of the retire race; pairs with Connection::take and, when it reads 0, with release().
      if (const std::uint64_t seq = load_seq_cst(hold_of(*connection, i)); seq != 0) {
        retired_.note_hold(seq);
      }
    }
  }
  return true;
}

bool PublisherCore::is_pass_due() const noexcept
{
  if (retired_.is_empty()) return false;
  const std::size_t share = std::max<std::size_t>(
    {retired_.held_count() / 8, looked_at_ / words_for_a_message, std::size_t{1}});
  return retired_.new_count() >= share || has_heap_grown();
}

bool PublisherCore::has_heap_grown() const noexcept
{
  return context_.heap->used_bytes() > used_at_pass_ + worth_a_look_bytes;
}

void PublisherCore::collect_unheld(Unheld& unheld)
{
  if (retired_.is_empty()) return;
  retired_.begin_pass();
  if (!note_holds()) return;
  AGNOCAST_FAILPOINT("reclaim.holds_gathered");
  used_at_pass_ = context_.heap->used_bytes();
  retired_.end_pass(unheld.messages.size() - unheld.count,
                    [&](void* message) { unheld.messages[unheld.count++] = message; });
}

void PublisherCore::destroy_message(void* message) noexcept
{
  // What stood in a wiped area is no object any more.
  if (!context_.area->is_broken()) {
    const UserWork user;
    setup_.destroy(message, setup_.destroy_context);
  }
  AGNOCAST_FAILPOINT("reclaim.destroyed");
  free_message(message);
}

void PublisherCore::destroy_all(const Unheld& unheld) noexcept
{
  for (std::size_t i = 0; i < unheld.count; ++i) destroy_message(unheld.messages[i]);
}

// What all have read is retired here if there is much of it: large messages as soon as they are
// read, since their memory is warm and the next one's would not be; small ones once they are many.
void PublisherCore::reclaim_before_loan() noexcept
{
  Unheld unheld;
  {
    const std::lock_guard lock(mutex_);
    count_use();
    used_at_pass_ = std::min(used_at_pass_, context_.heap->used_bytes());
    if (!ring_->is_empty() && (ring_->live_count() >= worth_a_look_messages || has_heap_grown())) {
      if (!is_current()) ask_for_readers(has_heap_grown());
      retire_read();
    }
    if (is_pass_due()) collect_unheld(unheld);
  }
  destroy_all(unheld);
  used_at_loan_.store(context_.heap->used_bytes(), std::memory_order_relaxed);
}

void PublisherCore::reclaim_retired() noexcept
{
  const LibraryWork work;
  Unheld unheld;
  {
    const std::lock_guard lock(mutex_);
    collect_unheld(unheld);
  }
  destroy_all(unheld);
}

// Destroys all that is retired and that nobody holds; before each round, \p retire retires.
template <class Retire>
std::size_t PublisherCore::reclaim_rounds(Retire retire)
{
  std::size_t count = 0;
  Unheld unheld;
  do {
    unheld.count = 0;
    {
      const std::lock_guard lock(mutex_);
      retire();
      collect_unheld(unheld);
    }
    destroy_all(unheld);
    count += unheld.count;
  } while (unheld.is_full());
  return count;
}

std::vector<Unreachable> PublisherCore::unreachable()
{
  const std::lock_guard lock(mutex_);
  return readers_->unreachable;
}

// Once for each process.
void PublisherCore::say_unreachable(const Unreachable& subscriber)
{
  {
    const std::lock_guard one(prepare_mutex_);
    const std::uint64_t id = subscriber.process.process_id;
    if (std::find(unreachable_said_.begin(), unreachable_said_.end(), id) !=
        unreachable_said_.end()) {
      return;
    }
    unreachable_said_.push_back(id);
  }
  log_warning(
    "topic '" + setup_.endpoint.topic +
    "' frees no messages as long as a subscriber that may hold them cannot be looked at: " +
    subscriber.why);
}

std::size_t PublisherCore::reclaim_early()
{
  const LibraryWork work;
  if (needs_care_.load(std::memory_order_relaxed)) {
    prepare();
    // Those that died before we could look at them; the others may be reachable by now.
    for (const Unreachable& subscriber : unreachable()) {
      if (!context_.registry->recover(subscriber.process)) say_unreachable(subscriber);
    }
  }
  prepare_if_changed();
  return reclaim_rounds([this] { retire_read(); });
}

std::size_t PublisherCore::give_up_surplus() noexcept
{
  const LibraryWork work;
  return reclaim_rounds([this] {
    if (ring_->live_count() > setup_.endpoint.depth) retire_surplus(0);
  });
}

void PublisherCore::count_use() noexcept
{
  uses_.store(uses_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void PublisherCore::look_who_needs_care() noexcept
{
  needs_care_.store(!readers_->unreachable.empty() || readers_->has_unlisted(),
                    std::memory_order_relaxed);
}

PublisherCore::Look PublisherCore::look_if_idle()
{
  const std::uint64_t uses = uses_.load(std::memory_order_relaxed);
  const bool is_idle = std::exchange(uses_seen_, uses) == uses;
  const bool needs_care = needs_care_.load(std::memory_order_relaxed);
  if (!is_idle && !needs_care) return Look::in_use;
  if (uses == empty_since_use_ && !needs_care) return Look::empty;
  const std::lock_guard lock(mutex_);
  if (!is_current() || must_look_again()) return Look::has_unheld;
  retire_read();
  if (ring_->is_empty() && retired_.is_empty()) {
    empty_since_use_ = uses;
    return Look::empty;
  }
  if (retired_.is_empty()) return Look::waits;
  retired_.begin_pass();
  return note_holds() && retired_.end_pass(0, [](void*) {}) ? Look::has_unheld : Look::waits;
}

// Somebody could not be looked at, or one who is not in the registry any more has let go.
bool PublisherCore::must_look_again()
{
  return !readers_->unreachable.empty() ||
         std::any_of(readers_->readers.begin(), readers_->readers.end(), [&](Reader& reader) {
           return reader.is_unlisted &&
                  (reader.area->is_gone() || reader.find_connection(ticket_.id) == nullptr);
         });
}

}  // namespace agnocast::internal
