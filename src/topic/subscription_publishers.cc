// How a subscription comes to its publishers: looked for off the message path, and let go.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/atomic.hpp"
#include "memory/doorbell.hpp"
#include "os/failpoint.hpp"
#include "topic/subscription_core.hpp"

namespace agnocast::internal {

bool SubscriptionCore::retry_unreachable()
{
  if (!has_unreachable_.load(std::memory_order_relaxed)) return false;
  prepare();
  std::vector<PeerIdentity> unreachable;
  std::string why;
  {
    const std::lock_guard lock(mutex_);
    unreachable = unreachable_;
    why = unreachable_why_;
  }
  for (const PeerIdentity& process : unreachable) {
    // One that has just died is nothing to speak of.
    if (context_.registry->recover(process) || !unreachable_said_.first()) continue;
    log_warning("topic '" + endpoint_.topic + "': " + why + "; trying again until it works");
  }
  return true;
}

void SubscriptionCore::prepare_if_changed()
{
  bool is_current = false;
  {
    const std::lock_guard lock(mutex_);
    is_current = this->is_current() && starting_.empty();
  }
  if (!is_current) prepare();
  const std::lock_guard lock(mutex_);
  drop_finished_locked();
}

// Nothing slow is done under mutex_: who takes waits for that one.
void SubscriptionCore::prepare()
{
  Prepared prepared;
  {
    const std::lock_guard one(prepare_mutex_);
    prepare_locked(prepared);
  }
  if (!prepared.complaint.empty()) log_warning(prepared.complaint);
  static_cast<void>(context_.registry->complain_if_broken());
}

void SubscriptionCore::prepare_locked(Prepared& prepared)
{
  if (closed_.load(std::memory_order_relaxed)) return;
  // Before the records are read: what changes after this is seen at the next look. Pairs with the
  // fence after the registry's stores.
  const std::uint64_t generation = load_seq_cst(*generation_);
  const auto views = context_.registry->endpoints(ticket_.topic, AGNOCAST_PUBLISHER);
  if (context_.registry->is_broken()) return;  // what was read does not count
  const std::vector<std::uint64_t> known = known_publishers();
  const auto undo = [&] {
    for (const auto& connection : prepared.connections) {
      connection->disconnect();
      give_back({connection->offset(), connection->hint});
    }
  };
  bool any = false;
  try {
    for (const EndpointView& view : views) {
      if (std::find(known.begin(), known.end(), view.id) == known.end()) connect(view, prepared);
    }
    any = !prepared.connections.empty();
    const std::lock_guard lock(mutex_);
    if (!closed_.load(std::memory_order_relaxed)) {
      take_over(prepared, views);
      seen_generation_ = generation;
      publishers_request_.done();
    }
  } catch (...) {
    undo();
    throw;
  }
  undo();  // of what is left: it was closed meanwhile
  prepared.connections.clear();
  if (any) wake_own();
}

std::vector<std::uint64_t> SubscriptionCore::known_publishers()
{
  std::vector<std::uint64_t> known;
  const std::lock_guard lock(mutex_);
  known = ignored_;
  for (const auto& connection : connections_) known.push_back(connection->publisher_id());
  return known;
}

void SubscriptionCore::take_over(Prepared& prepared, const std::vector<EndpointView>& views)
{
  // What can fail comes first.
  const std::size_t connections = connections_.size() + prepared.connections.size();
  connections_.reserve(connections);
  oldest_.reserve(connections);
  broken_.reserve(connections);
  ignored_.reserve(ignored_.size() + prepared.ignored.size() + connections);
  const auto is_there = [&](std::uint64_t id) {
    return std::any_of(views.begin(), views.end(),
                       [&](const EndpointView& view) { return view.id == id; });
  };
  for (const auto& connection : connections_) {
    if (!is_there(connection->publisher_id())) {
      connection->draining.store(true, std::memory_order_release);
    }
  }
  drop_finished_locked();
  std::erase_if(ignored_, [&](std::uint64_t id) { return !is_there(id); });
  ignored_.insert(ignored_.end(), prepared.ignored.begin(), prepared.ignored.end());
  lacks_place_ = prepared.lacks_place;
  starting_.swap(prepared.starting);
  unreachable_.swap(prepared.unreachable);
  unreachable_why_.swap(prepared.unreachable_why);
  has_unreachable_.store(!unreachable_.empty() || !starting_.empty(), std::memory_order_relaxed);
  for (auto& connection : prepared.connections) {
    hints_.add(*connection);
    connections_.push_back(std::move(connection));
  }
  prepared.connections.clear();
}

void SubscriptionCore::wake_own() const noexcept
{
  const std::uint32_t waiter = load_seq_cst(shared_->waiter);  // pairs with set_waiter()
  if (waiter >= AGNOCAST_WAITERS) return;
  leave_hint(context_.area->doorbell(), load_relaxed(shared_->hint));  // own; pairs with collect()
  ring_bell(context_.area->doorbell(), waiter);
}

SubscriptionCore::Place SubscriptionCore::take_place()
{
  const std::uint64_t offset = free_connection();
  if (offset == 0) return {};
  const std::lock_guard lock(mutex_);
  try {
    const Place place{offset, hints_.reserve()};
    // Before the connection is opened: who finds it sees this. Pairs with leave_hints().
    if (place.hint != 0) store_seq_cst(shared_->has_hinted_connections, std::uint16_t{1});
    return place;
  } catch (const std::bad_alloc&) {
    free_places_.push_back(offset);
    throw;
  }
}

void SubscriptionCore::give_back(Place place) noexcept
{
  const std::lock_guard lock(mutex_);
  give_back_locked(place);
}

void SubscriptionCore::give_back_locked(Place place) noexcept
{
  free_places_.push_back(place.offset);
  hints_.give_back(place.hint);
  if (place.hint == 0 || hints_.has_hints()) return;
  // Nobody has one now. Pairs with leave_hints().
  store_seq_cst(shared_->has_hinted_connections, std::uint16_t{0});
}

std::uint64_t SubscriptionCore::free_connection()
{
  {
    const std::lock_guard lock(mutex_);
    if (!free_places_.empty()) {
      const std::uint64_t place = free_places_.back();
      free_places_.pop_back();
      return place;
    }
  }
  if (places_.size() >= AGNOCAST_CONNECTIONS_MAX) return 0;
  places_.reserve(places_.size() + 1);
  {
    const std::lock_guard lock(mutex_);
    free_places_.reserve(places_.size() + 1);  // to give one back never fails
  }
  const std::uint64_t place = context_.area->allocate_control(connection_bytes(hold_limit_));
  if (place == 0) return 0;
  auto* shared = context_.area->at<agnocast_connection>(place);
  store_release(shared->next, load_relaxed(shared_->first_connection));  // pairs with the walk
  places_.push_back(place);
  AGNOCAST_FAILPOINT("connection.before_link");
  // Pairs with the load where find_connection() begins its walk.
  store_seq_cst(shared_->first_connection, place);
  AGNOCAST_FAILPOINT("connection.linked");
  return place;
}

void SubscriptionCore::connect(const EndpointView& publisher, Prepared& prepared)
{
  const auto note_unreachable = [&](std::string why) {
    prepared.unreachable.push_back(publisher.process);
    prepared.unreachable_why = std::move(why);
  };
  auto area = context_.peers->get(publisher.process, PeerUse::messages);
  if (!area && area.failure().kind == FailureKind::broken_peer) {
    prepared.ignored.push_back(publisher.id);
    if (unreachable_said_.first()) prepared.complaint = area.failure().text;
    return;
  }
  if (!area) return note_unreachable(area.failure().text);
  const auto* ring = (*area)->at<agnocast_ring>(publisher.control_offset);
  if (ring == nullptr || (*area)->is_broken()) return;  // a lie: there is nothing to read
  // Pairs with the store in PublisherCore::start. Looked at again below.
  if (load_seq_cst(ring->publisher_id) != publisher.id) {
    prepared.starting.push_back(std::move(*area));
    return;
  }
  const Place place = take_place();
  if (place.offset == 0) {
    prepared.lacks_place = true;
    return note_unreachable(
      "no room for a connection to another publisher: the control part of this process's area is "
      "full, or /dev/shm is");
  }
  const bool both_transient = endpoint_.durability == AGNOCAST_TRANSIENT_LOCAL &&
                              publisher.durability == AGNOCAST_TRANSIENT_LOCAL;
  const Connection::Start start = publisher.id > ticket_.id ? Connection::Start::first
                                  : both_transient          ? Connection::Start::oldest
                                                            : Connection::Start::next;
  const ConnectionSetup setup{
    place.offset,
    place.hint,
    hold_limit_,
    endpoint_.type_bytes,
    endpoint_.type_alignment,
    endpoint_.history == AGNOCAST_KEEP_ALL && endpoint_.reliability == AGNOCAST_RELIABLE,
    endpoint_.history == AGNOCAST_KEEP_ALL ? publisher.depth : endpoint_.depth,
    publisher.depth,
    static_cast<std::uint64_t>(context_.clock_offset_ns),
    this};
  std::unique_ptr<Connection> connection;
  try {
    prepared.connections.reserve(prepared.connections.size() + 1);
    connection = std::make_unique<Connection>(context_, setup, publisher, *area, ring, start);
  } catch (const std::bad_alloc&) {
    give_back(place);
    throw;
  }
  // After the connection is in the list. Pairs with the stores in PublisherCore: 0 before the ring
  // is ready (look again) and once it is to be freed (the registry will say so).
  if (load_seq_cst(ring->publisher_id) != publisher.id) {
    connection->disconnect();
    give_back(place);
    prepared.starting.push_back(std::move(*area));
    return;
  }
  prepared.connections.push_back(std::move(connection));
  AGNOCAST_FAILPOINT("connection.made");
}

void SubscriptionCore::drop_finished_locked()
{
  std::size_t draining = 0;
  for (const auto& connection : connections_) {
    draining += connection->draining.load(std::memory_order_acquire) ? 1 : 0;
  }
  if (draining == 0) return;
  std::erase_if(connections_, [&](const std::unique_ptr<Connection>& connection) {
    if (!connection->draining.load(std::memory_order_acquire) || connection->is_held())
      return false;
    if (connection->has_unread() && draining <= draining_max) return false;
    --draining;
    count_lost(connection->take_lost());
    connection->disconnect();
    hints_.remove(*connection);
    give_back_locked({connection->offset(), connection->hint});
    AGNOCAST_FAILPOINT("connection.dropped");
    return true;
  });
}

void SubscriptionCore::drop_broken()
{
  {
    const std::lock_guard lock(mutex_);
    for (const auto& connection : connections_) {
      if (connection->area().is_broken()) static_cast<void>(connection->peek());
    }
    drop_broken_locked();
    drop_finished_locked();
  }
  complain_of_broken();
}

void SubscriptionCore::drop_broken_locked() noexcept
{
  for (const auto& connection : connections_) {
    if (!connection->is_broken()) continue;
    if (connection->draining.exchange(true, std::memory_order_acq_rel)) continue;
    ignored_.push_back(connection->publisher_id());  // there is room
    if (broken_.size() == broken_.capacity()) continue;
    broken_.push_back(connection->shared_area());
    has_broken_.store(true, std::memory_order_relaxed);
  }
}

void SubscriptionCore::complain_of_broken() noexcept
{
  for (;;) {
    std::shared_ptr<PeerArea> area;
    {
      const std::lock_guard lock(mutex_);
      has_broken_.store(!broken_.empty(), std::memory_order_relaxed);
      if (broken_.empty()) return;
      area = std::move(broken_.back());
      broken_.pop_back();
    }
    if (!area->first_complaint()) continue;
    try {
      log_warning("topic '" + endpoint_.topic + "': process " +
                  std::to_string(area->identity().pid) +
                  " published something impossible or shortened its area; its messages are ignored "
                  "from now on: end or repair that program");
    } catch (const std::bad_alloc&) {
      // Ignored they are all the same.
    }
  }
}

}  // namespace agnocast::internal
