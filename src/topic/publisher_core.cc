// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/publisher_core.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/atomic.hpp"
#include "base/epoch.hpp"
#include "os/failpoint.hpp"
#include "os/futex.hpp"

namespace agnocast::internal {

namespace {

constexpr std::size_t retired_max = 16;
constexpr std::size_t large_message_bytes = std::size_t{4} << 20;

// Alone on its lines, so that two messages never share one.
std::size_t message_alignment(std::uint64_t alignment)
{
  return std::max<std::size_t>(static_cast<std::size_t>(alignment), AGNOCAST_CACHE_LINE);
}

}  // namespace

PublisherCore::PublisherCore(Context& context, PublisherSetup setup)
  : context_(context), setup_(std::move(setup)), epoch_(current_epoch())
{
  retired_.reserve(64);
  holds_.reserve(256);
}

Result<std::shared_ptr<PublisherCore>> PublisherCore::create(Context& context, PublisherSetup setup)
{
  std::shared_ptr<PublisherCore> core(new PublisherCore(context, std::move(setup)));
  if (Status status = core->start(); !status) return std::move(status.failure());
  return core;
}

Status PublisherCore::start()
{
  const std::lock_guard lock(mutex_);
  retention_ = setup_.endpoint.depth;
  ring_offset_ = context_.area->allocate_control(sizeof(agnocast_ring));
  if (ring_offset_ == 0) {
    return Failure{
      FailureKind::resource,
      "no room for another publisher: the control part of this process's area is full, "
      "or /dev/shm is; destroy publishers and subscriptions that are not needed"};
  }
  ring_ = context_.area->at<agnocast_ring>(ring_offset_);
  // A subscription that still knows the former ring of this place may look: pairs with its loads.
  store_relaxed(ring_->tail, std::uint64_t{1});
  store_relaxed(ring_->waiter, std::uint32_t{AGNOCAST_NO_WAITER});
  AGNOCAST_FAILPOINT("publisher.ring_allocated");
  if (setup_.endpoint.history == AGNOCAST_KEEP_ALL) {
    waiter_ = context_.area->take_waiter();
    if (waiter_ == AGNOCAST_NO_WAITER) {
      return Failure{FailureKind::resource,
                     "no more keep_all publishers: a process can have " +
                       std::to_string(AGNOCAST_WAITERS - 1) +
                       " of them, counting wait sets and spinning nodes; destroy some"};
    }
    store_relaxed(ring_->waiter, waiter_);  // pairs with the same loads
  }
  if (!make_ring(static_cast<std::uint32_t>(std::bit_width(retention_)))) {
    return Failure{FailureKind::resource,
                   "no room for the ring of topic '" + setup_.endpoint.topic + "' with depth " +
                     std::to_string(retention_) + ": choose a smaller depth"};
  }
  setup_.endpoint.control_offset = ring_offset_;
  store_relaxed(ring_->description, setup_.endpoint.description_offset);
  AGNOCAST_FAILPOINT("publisher.ring_ready");
  auto ticket = context_.registry->add_endpoint(context_.ticket, setup_.endpoint);
  if (!ticket) return std::move(ticket.failure());
  ticket_ = *ticket;
  AGNOCAST_FAILPOINT("publisher.registered");
  generation_ = context_.registry->topic_generation(ticket_.topic);
  store_release(ring_->publisher_id, ticket_.id);  // pairs with the load in connect()
  AGNOCAST_FAILPOINT("publisher.opened");
  refresh();
  return Nothing{};
}

PublisherCore::~PublisherCore()
{
  if (epoch_ != current_epoch()) return;
  // Created, but never handed out: its creation failed later on.
  if (ticket_.id != 0 && !closed_) context_.registry->remove_endpoint(ticket_);
  for (const auto& [offset, bytes] : entry_blocks_) context_.area->free_control(offset, bytes);
  if (ring_offset_ != 0) context_.area->free_control(ring_offset_, sizeof(agnocast_ring));
  if (waiter_ != AGNOCAST_NO_WAITER) context_.area->give_back_waiter(waiter_);
}

// Makes room for more live messages. The old entries are marked as left after the new ones are in
// place: a reader that looks at one of them looks at ring.entries again. Those of messages below
// the tail need no such mark: they say that their messages are retired, which stays true.
bool PublisherCore::make_ring(std::uint32_t entries_log2)
{
  if (entries_log2 > AGNOCAST_RING_ENTRIES_LOG2_MAX) return false;
  const std::size_t count = std::size_t{1} << entries_log2;
  const std::size_t bytes = count * sizeof(agnocast_ring_entry);
  const std::uint64_t offset = context_.area->allocate_control(bytes);
  if (offset == 0) return false;
  std::vector<void*> messages(count, nullptr);
  for (std::uint64_t seq = tail_; seq <= head_; ++seq) {
    messages[seq & (count - 1)] = messages_[seq & entry_mask_];
  }
  agnocast_ring_entry* const old_entries = entries_;
  const std::uint64_t old_mask = entry_mask_;
  entries_ = context_.area->at<agnocast_ring_entry>(offset);
  entry_mask_ = count - 1;
  messages_ = std::move(messages);
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
  store_seq_cst(ring_->entries, offset + entries_log2);
  AGNOCAST_FAILPOINT("growth.entries_replaced");
  if (old_entries != nullptr) {
    // The next message too: a reader that has taken all waits at its entry.
    for (std::uint64_t seq = tail_; seq <= head_ + 1; ++seq) {
      // Pairs with the second load in Connection::take, as in retire_oldest().
      store_seq_cst(old_entries[seq & old_mask].mark, std::uint64_t{AGNOCAST_ENTRIES_MOVED});
      AGNOCAST_FAILPOINT("growth.old_entry_left");
    }
  }
  entry_blocks_.emplace_back(offset, bytes);
  return true;
}

void* PublisherCore::allocate_message() noexcept
{
  reclaim_before_loan();
  const std::size_t alignment = message_alignment(setup_.endpoint.type_alignment);
  const std::size_t bytes = (setup_.endpoint.type_bytes + alignment - 1) / alignment * alignment;
  void* message = context_.heap->allocate_aligned(bytes, alignment);
  if (message != nullptr) return message;
  reclaim_early();
  return context_.heap->allocate_aligned(bytes, alignment);
}

void PublisherCore::count_moved(std::uint64_t parts) noexcept
{
  add_relaxed(ring_->moved_parts, parts);
}

std::uint64_t PublisherCore::moved_count() const noexcept
{
  return load_relaxed(ring_->moved_parts);
}

void PublisherCore::free_message(void* message) noexcept
{
  context_.heap->deallocate(message);
}

PublishOutcome PublisherCore::publish(void* message, std::uint64_t owned_bytes)
{
  std::unique_lock lock(mutex_);
  count_use();
  // While it comes, the clock is read.
  prefetch_for_write(&entry(head_ + 1));
  if (waiter_ != AGNOCAST_NO_WAITER && !wait_for_room(lock)) return PublishOutcome::timed_out;
  // What may fail comes first: nothing is thrown once the message can be seen.
  retired_.reserve(retired_.size() + live_count() + 1);
  const std::uint64_t seq = head_ + 1;
  agnocast_ring_entry& slot = entry(seq);
  store_relaxed(slot.stamp_ns,
                static_cast<std::uint64_t>(os::monotonic_ns() - context_.clock_offset_ns));
  total_bytes_ += setup_.endpoint.type_bytes + owned_bytes;
  store_relaxed(slot.total_bytes, total_bytes_);
  AGNOCAST_FAILPOINT("publish.stamped");
  messages_[seq & entry_mask_] = message;
  // Pairs with the load in Connection::take: who sees this address sees that the mark was another.
  store_release(slot.address, std::uint64_t{reinterpret_cast<std::uintptr_t>(message)});
  AGNOCAST_FAILPOINT("publish.addressed");
  store_release(slot.mark, seq);  // pairs with the load in Connection::next_entry
  AGNOCAST_FAILPOINT("publish.numbered");
  head_ = seq;
  store_seq_cst(ring_->head, seq);  // (A) of the sleep race; pairs with Connection::has_unread
  AGNOCAST_FAILPOINT("publish.visible");
  while (live_count() > retention_) retire_oldest();
  is_large_ = context_.heap->used_bytes() >=
              used_at_loan_.load(std::memory_order_relaxed) + large_message_bytes;
  refresh_if_changed();
  AGNOCAST_FAILPOINT("publish.before_wake");
  wake_sleepers();
  AGNOCAST_FAILPOINT("publish.woken");
  return retired_.size() < retired_max ? PublishOutcome::published
                                       : PublishOutcome::published_and_many_retired;
}

void PublisherCore::refresh_if_changed() noexcept
{
  // (B) of the retire race; pairs with the fence after the registry's stores.
  if (load_seq_cst(*generation_) == seen_generation_) return;
  try {
    refresh();
  } catch (const std::bad_alloc&) {
    seen_generation_ =
      0;  // no generation: it is tried again, and gather_holds() gives up until then
  }
}

void PublisherCore::refresh()
{
  // Before the records are read: what changes after this is seen at the next look. Pairs with the
  // fence after the registry's stores.
  const std::uint64_t generation = load_seq_cst(*generation_);
  std::vector<Peer> peers;
  std::vector<PeerIdentity> unreachable;
  std::uint64_t retention = setup_.endpoint.depth;
  for (const EndpointView& view :
       context_.registry->endpoints(ticket_.topic, AGNOCAST_SUBSCRIPTION)) {
    retention = std::max<std::uint64_t>(retention, std::min<std::uint32_t>(view.depth, 1u << 16));
    if (!add_peer(view, peers)) unreachable.push_back(view.process);
  }
  if (context_.registry->complain_if_broken()) return;  // what was read does not count
  keep_unlisted_holders(peers);
  holds_.reserve(peers.size() * AGNOCAST_HOLDS_MAX);  // gather_holds() must not allocate
  peers_ = std::move(peers);
  unreachable_ = std::move(unreachable);
  look_who_needs_care();
  seen_generation_ = generation;
  if (retention >= entry_mask_ + 1 &&
      !make_ring(static_cast<std::uint32_t>(std::bit_width(retention)))) {
    retention = entry_mask_;  // no memory for what the newcomer asks; what we have serves
  }
  retention_ = retention;
  if (waiting_ != 0) {
    // Whom they wait for may have left without ever connecting: nobody else tells them. Pairs with
    // the load in wait_for_room().
    std::uint32_t& word = context_.area->doorbell().words[waiter_];
    add_seq_cst(word, 1u);
    os::futex_wake_all(&word);
  }
}

// The registry's word alone does not end a hold: it can be written by all who may join. Only the
// subscriber itself, or its death.
void PublisherCore::keep_unlisted_holders(std::vector<Peer>& peers)
{
  for (Peer& old : peers_) {
    const bool listed =
      std::any_of(peers.begin(), peers.end(), [&](const Peer& peer) { return peer.id == old.id; });
    // Pairs with the store in SubscriptionCore::start.
    if (listed || old.area->is_gone() ||
        load_acquire(old.subscription->subscription_id) != old.id ||
        find_connection(old) == nullptr) {
      continue;
    }
    peers.push_back(old);
    peers.back().depth = 0;
    peers.back().is_unlisted = true;
  }
}

bool PublisherCore::add_peer(const EndpointView& view, std::vector<Peer>& peers)
{
  const auto known = std::find_if(peers_.begin(), peers_.end(),
                                  [&](const Peer& peer) { return peer.id == view.id; });
  if (known != peers_.end()) {
    peers.push_back(*known);
    peers.back().depth = view.depth;
    peers.back().is_unlisted = false;
    return true;
  }
  auto area = context_.peers->get(view.process, PeerUse::control);
  if (!area) {
    if (area.failure().kind == FailureKind::broken_peer) {
      if (unreachable_said_.first()) log_warning(area.failure().text);
      return true;  // a lie: it holds nothing that could be seen
    }
    // Gone meanwhile, or a limit of this process: until it is known, its holds must be respected.
    unreachable_why_ = area.failure().text;
    return false;
  }
  const auto* subscription = (*area)->at<agnocast_subscription>(view.control_offset);
  if (subscription == nullptr) return true;  // a lie: it costs the liar its wake-ups
  Peer peer;
  peer.id = view.id;
  peer.area = std::move(*area);
  peer.subscription = subscription;
  peer.depth = view.depth;
  peer.blocks = view.history == AGNOCAST_KEEP_ALL && view.reliability == AGNOCAST_RELIABLE;
  peers.push_back(std::move(peer));
  return true;
}

const agnocast_connection* PublisherCore::find_connection(Peer& peer) const
{
  // Pairs with the store in Connection's constructor: a connection that is ours stays ours until 0.
  if (peer.connection != nullptr && load_seq_cst(peer.connection->publisher_id) == ticket_.id) {
    return peer.connection;
  }
  peer.connection = nullptr;
  // Pairs with the store that links a new connection in. Links never change, so no walk misses one.
  std::uint64_t offset = load_seq_cst(peer.subscription->first_connection);
  for (std::uint32_t i = 0; offset != 0 && i < AGNOCAST_CONNECTIONS_MAX; ++i) {
    const auto* connection = peer.area->at<agnocast_connection>(offset);
    if (connection == nullptr) break;
    if (load_seq_cst(connection->publisher_id) == ticket_.id) {  // pairs as above
      // Read once: what it says later may not be what was checked.
      peer.holds_capacity = std::min(load_relaxed(connection->holds_capacity), AGNOCAST_HOLDS_MAX);
      if (peer.area->at<agnocast_connection>(
            offset, AGNOCAST_HOLDS_OFFSET + peer.holds_capacity * sizeof(std::uint64_t)) !=
          nullptr) {
        peer.connection = connection;
      }
      break;
    }
    offset = load_acquire(connection->next);  // pairs with the store before it was linked in
  }
  return peer.connection;
}

void PublisherCore::wake_sleepers()
{
  for (const Peer& peer : peers_) {
    const std::uint32_t waiter =
      load_seq_cst(peer.subscription->waiter);  // pairs with set_waiter()
    if (waiter >= AGNOCAST_WAITERS) continue;
    // (B) of the sleep race; pairs with the store in WaitSetCore::wait.
    if (load_seq_cst(peer.area->waiter(waiter).sleeping) != 0) peer.area->ring(waiter);
  }
}

void PublisherCore::wake_all()
{
  const std::lock_guard lock(mutex_);
  for (const Peer& peer : peers_) {
    const std::uint32_t waiter =
      load_seq_cst(peer.subscription->waiter);  // pairs with set_waiter()
    if (waiter < AGNOCAST_WAITERS) peer.area->ring(waiter);
  }
}

// The least sequence that a subscription still wants; head_ + 1 if none wants any.
std::uint64_t PublisherCore::slowest_cursor(bool blocking_only)
{
  std::uint64_t slowest = head_ + 1;
  for (Peer& peer : peers_) {
    if (peer.depth == 0 || (blocking_only && !peer.blocks) || peer.area->is_gone()) continue;
    const agnocast_connection* connection = find_connection(peer);
    if (connection != nullptr) {
      // Pairs with the store in Connection::take, after the hold was set.
      slowest = std::min(slowest, load_seq_cst(connection->cursor));
    } else if (peer.id < ticket_.id && !closed_) {
      slowest = std::min(slowest, tail_);  // it was here before us and will read from our first
    }
  }
  return slowest;
}

bool PublisherCore::wait_for_room(std::unique_lock<os::ShortLock>& lock)
{
  const auto has_room = [&] {
    refresh_if_changed();
    return head_ + 1 - slowest_cursor(true) < setup_.endpoint.depth;
  };
  const std::int64_t now = os::monotonic_ns();
  const std::int64_t timeout = setup_.keep_all_timeout.count();
  const bool for_ever = timeout > std::numeric_limits<std::int64_t>::max() - now;
  const std::int64_t deadline = for_ever ? -1 : now + std::max<std::int64_t>(timeout, 0);
  std::uint32_t& sleeping = context_.area->waiter(waiter_).sleeping;
  const std::uint32_t& word = context_.area->doorbell().words[waiter_];
  while (!has_room()) {
    ++waiting_;
    const std::uint32_t seen = load_seq_cst(word);  // before the last look; pairs with ring()
    store_seq_cst(sleeping, 1u);  // pairs with the load in Connection::tell_publisher
    AGNOCAST_FAILPOINT("room.sleeping");
    os::Woken woken = os::Woken::yes;
    if (!has_room()) {
      lock.unlock();
      const std::int64_t until = context_.area->look_again_at(deadline);
      woken = os::futex_wait(&word, seen, until);
      if (until != deadline) woken = os::Woken::yes;
      lock.lock();
    }
    // Pairs with the load in Connection::tell_publisher; the last of several that wait clears it.
    if (--waiting_ == 0) store_seq_cst(sleeping, 0u);
    AGNOCAST_FAILPOINT("room.awake");
    if (woken == os::Woken::timed_out && !has_room()) return false;
  }
  return true;
}

bool PublisherCore::awaits_reader()
{
  const std::lock_guard lock(mutex_);
  refresh_if_changed();
  return live_count() != 0 && std::any_of(peers_.begin(), peers_.end(), [&](Peer& peer) {
           return peer.id < ticket_.id && peer.depth != 0 && !peer.area->is_gone() &&
                  find_connection(peer) == nullptr;
         });
}

void PublisherCore::wait_for_readers()
{
  constexpr std::int64_t patience_ns = 50'000'000;
  const std::int64_t deadline = os::monotonic_ns() + patience_ns;
  if (!awaits_reader()) return;
  wake_all();
  while (awaits_reader() && os::monotonic_ns() < deadline) os::sleep_ns(100'000);
}

void PublisherCore::close()
{
  wait_for_readers();
  AGNOCAST_FAILPOINT("publisher.closing");
  context_.registry->remove_endpoint(ticket_);
  AGNOCAST_FAILPOINT("publisher.unregistered");
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  reclaim_early();
  wake_all();
  AGNOCAST_FAILPOINT("publisher.closed");
}

bool PublisherCore::is_finished()
{
  const std::lock_guard lock(mutex_);
  if (live_count() != 0 || !retired_.empty()) return false;
  // Before the connections are looked at: who connects after this sees it and lets go. Pairs with
  // the load in SubscriptionCore::connect.
  store_seq_cst(ring_->publisher_id, std::uint64_t{0});
  AGNOCAST_FAILPOINT("publisher.finished");
  refresh_if_changed();
  if (!unreachable_.empty()) return false;
  return std::none_of(peers_.begin(), peers_.end(), [&](Peer& peer) {
    return !peer.area->is_gone() && find_connection(peer) != nullptr;
  });
}

std::size_t PublisherCore::retained_count()
{
  const std::lock_guard lock(mutex_);
  return live_count() + retired_.size();
}

std::size_t PublisherCore::subscription_count() const
{
  const auto views = context_.registry->endpoints(ticket_.topic, AGNOCAST_SUBSCRIPTION);
  return static_cast<std::size_t>(
    std::count_if(views.begin(), views.end(), [](const EndpointView& v) { return v.depth != 0; }));
}

std::vector<PeerIdentity> PublisherCore::subscriber_processes() const
{
  std::vector<PeerIdentity> processes;
  for (const EndpointView& view :
       context_.registry->endpoints(ticket_.topic, AGNOCAST_SUBSCRIPTION)) {
    const bool known = std::any_of(processes.begin(), processes.end(), [&](const PeerIdentity& p) {
      return p.process_id == view.process.process_id;
    });
    if (!known) processes.push_back(view.process);
  }
  return processes;
}

std::string PublisherCore::holders()
{
  const std::lock_guard lock(mutex_);
  std::string text = std::to_string(live_count()) + " kept on '" + setup_.endpoint.topic + "'";
  for (Peer& peer : peers_) {
    const agnocast_connection* connection = find_connection(peer);
    if (connection == nullptr) continue;
    const std::uint32_t end = std::min(load_relaxed(connection->holds_end), peer.holds_capacity);
    std::uint32_t held = 0;
    for (std::uint32_t i = 0; i < end; ++i) held += load_relaxed(hold_of(*connection, i)) != 0;
    if (held != 0) {
      text += ", " + std::to_string(held) + " held by process " +
              std::to_string(peer.area->identity().pid);
    }
  }
  return text;
}

}  // namespace agnocast::internal
