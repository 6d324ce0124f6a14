// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/publisher_core.hpp"

#include <algorithm>
#include <limits>

#include "base/atomic.hpp"
#include "base/epoch.hpp"
#include "base/stop.hpp"
#include "heap/thread_window.hpp"
#include "memory/doorbell.hpp"
#include "os/failpoint.hpp"
#include "os/futex.hpp"

namespace agnocast::internal {

namespace {

constexpr std::size_t retired_max = 16;
// Entries of the ring beyond the depth: while they last, the list of readers can be brought up to
// date by the control thread, and not by who publishes.
constexpr std::uint64_t ring_slack = 32;
// So many messages kept for want of a list are a reason to ask for it.
constexpr std::uint64_t urgent_slack = 8;

// Alone on its lines, so that two messages never share one.
std::size_t message_alignment(std::uint64_t alignment)
{
  return std::max<std::size_t>(static_cast<std::size_t>(alignment), AGNOCAST_CACHE_LINE);
}

}  // namespace

PublisherCore::PublisherCore(Context& context, PublisherSetup setup)
  : context_(context),
    setup_(std::move(setup)),
    epoch_(current_epoch()),
    ring_(std::make_unique<Ring>(*context.area)),
    readers_(std::make_unique<ReaderList>())
{
}

Result<std::shared_ptr<PublisherCore>> PublisherCore::create(Context& context, PublisherSetup setup)
{
  std::shared_ptr<PublisherCore> core(new PublisherCore(context, std::move(setup)));
  if (Status status = core->start(); !status) return std::move(status.failure());
  return core;
}

Status PublisherCore::start()
{
  EndpointRequest& endpoint = setup_.endpoint;
  if (!ring_->open()) {
    return context_.area->control_failure("another publisher", sizeof(agnocast_ring));
  }
  agnocast_ring& shared = ring_->shared();
  if (endpoint.history == AGNOCAST_KEEP_ALL) {
    waiter_ = context_.area->take_waiter();
    if (waiter_ == AGNOCAST_NO_WAITER) {
      return Failure{FailureKind::resource,
                     "no more keep_all publishers: a process can have " +
                       std::to_string(AGNOCAST_WAITERS - 1) +
                       " of them, counting wait sets and spinning nodes; destroy some"};
    }
    store_relaxed(shared.waiter, waiter_);  // pairs with the loads of who knows the former ring
  }
  if (!ring_->reserve(endpoint.depth + ring_slack)) {
    return context_.area->control_failure(
      "the ring of topic '" + endpoint.topic + "' with depth " + std::to_string(endpoint.depth),
      endpoint.depth * sizeof(agnocast_ring_entry));
  }
  endpoint.control_offset = ring_->offset();
  store_relaxed(shared.description, endpoint.description_offset);
  AGNOCAST_FAILPOINT("publisher.ring_ready");
  auto ticket = context_.registry->add_endpoint(context_.ticket, endpoint);
  if (!ticket) return std::move(ticket.failure());
  ticket_ = *ticket;
  AGNOCAST_FAILPOINT("publisher.registered");
  generation_ = context_.registry->topic_generation(ticket_.topic, AGNOCAST_SUBSCRIPTION);
  store_release(shared.publisher_id, ticket_.id);  // pairs with the load in connect()
  AGNOCAST_FAILPOINT("publisher.opened");
  return Nothing{};
}

PublisherCore::~PublisherCore()
{
  if (epoch_ != current_epoch()) {
    static_cast<void>(ring_.release());  // its memory is the parent's
    return;
  }
  if (waiter_ != AGNOCAST_NO_WAITER) context_.area->give_back_waiter(waiter_);
}

void* PublisherCore::allocate_message() noexcept
{
  const LibraryWork work;
  reclaim_before_loan();
  const std::size_t alignment = message_alignment(setup_.endpoint.type_alignment);
  const std::size_t bytes = (setup_.endpoint.type_bytes + alignment - 1) / alignment * alignment;
  void* message = context_.heap->allocate_aligned(bytes, alignment);
  if (message != nullptr || context_.reclaim_all == nullptr) return message;
  context_.reclaim_all();
  return context_.heap->allocate_aligned(bytes, alignment);
}

void PublisherCore::count_moved(std::uint64_t parts) noexcept
{
  add_relaxed(ring_->shared().moved_parts, parts);
}

std::uint64_t PublisherCore::moved_count() const noexcept
{
  return load_relaxed(ring_->shared().moved_parts);
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
  prefetch_for_write(&ring_->next_entry());
  for (;;) {
    if (waiter_ != AGNOCAST_NO_WAITER && !wait_for_room(lock)) return PublishOutcome::timed_out;
    if (!ring_->is_full()) break;
    make_room_in_ring(lock);  // gives the lock back: what was waited for may have changed
  }
  const bool is_current = this->is_current();
  // Who publishes seldom would tell a newcomer late of what it publishes now.
  if (!is_current) {
    ask_for_readers(ring_->live_count() >= depth_ + urgent_slack ||
                    os::monotonic_ns() - published_at_ns_ > LookRequest::patience_ns);
  }
  if (!is_current || retired_.is_full()) tell_live_max(~std::uint64_t{0});
  const std::uint64_t told_bytes = setup_.endpoint.type_bytes + owned_bytes;
  published_at_ns_ = os::monotonic_ns();
  ring_->publish(message, static_cast<std::uint64_t>(published_at_ns_ - context_.clock_offset_ns),
                 told_bytes, kept_bytes(told_bytes, owned_bytes != 0));
  if (is_current) retire_beyond_depth();
  if (is_current && ring_->live_count() <= depth_) tell_live_max(depth_);
  if (ring_->live_count() > setup_.endpoint.depth) retire_surplus(setup_.surplus_bytes_max);
  AGNOCAST_FAILPOINT("publish.before_wake");
  wake_sleepers();
  AGNOCAST_FAILPOINT("publish.woken");
  return retired_.new_count() < retired_max || !is_pass_due()
           ? PublishOutcome::published
           : PublishOutcome::published_and_many_retired;
}

// What a message takes of the heap: what is known of it, or else by how much the heap has grown.
std::uint64_t PublisherCore::kept_bytes(std::uint64_t told_bytes, bool is_known) const noexcept
{
  const std::size_t before = used_at_loan_.load(std::memory_order_relaxed);
  const std::size_t now = context_.heap->used_bytes();
  return is_known || now < before ? told_bytes : std::max<std::uint64_t>(told_bytes, now - before);
}

bool PublisherCore::is_current() const noexcept
{
  // (B) of the retire race; pairs with the fence after the registry's stores.
  return load_seq_cst(*generation_) == readers_->generation;
}

// A reader whose depth is less than what may be live must look how far it is behind. Told before
// the mark of the message that makes it so is stored: who sees that mark sees this.
void PublisherCore::tell_live_max(std::uint64_t messages) noexcept
{
  if (messages == live_max_) return;
  live_max_ = messages;
  store_relaxed(ring_->shared().live_max, messages);  // pairs with Connection::skip_beyond_depth
}

void PublisherCore::ask_for_readers(bool is_urgent) noexcept
{
  if (context_.poke != nullptr && readers_request_.is_due(os::monotonic_ns(), is_urgent)) {
    context_.poke();
  }
}

void PublisherCore::prepare_if_changed()
{
  {
    const std::lock_guard one(prepare_mutex_);
    if (is_current()) return;
  }
  prepare();
}

void PublisherCore::prepare()
{
  std::string complaint;
  {
    const std::lock_guard one(prepare_mutex_);
    auto list = ReaderList::make(context_, {ticket_.id, ticket_.topic, setup_.endpoint.depth},
                                 readers_.get(), broken_said_);
    if (list != nullptr) {
      complaint.swap(list->complaint);
      Room room = make_room_for(*list);
      {
        const std::lock_guard lock(mutex_);
        take_over(list, room);
      }
      ring_newcomers(*list);
    }
  }
  if (!complaint.empty()) log_warning(complaint);
  static_cast<void>(context_.registry->complain_if_broken());
}

// Without mutex_, so that who publishes does not wait: the memory of a deep ring is megabytes.
PublisherCore::Room PublisherCore::make_room_for(const ReaderList& list)
{
  std::uint64_t depth = list.depth_max;
  if (setup_.endpoint.durability != AGNOCAST_VOLATILE) {
    depth = std::max<std::uint64_t>(depth, setup_.endpoint.depth);
  }
  std::uint64_t tail = 0;
  std::size_t retired = 0;
  {
    const std::lock_guard lock(mutex_);
    tail = ring_->tail();
    retired = retired_.capacity();
  }
  // The ring grows under both locks, so its capacity stays.
  std::uint64_t capacity = ring_->capacity();
  const bool is_short = depth + ring_slack > capacity;
  const auto make_growth = [&]() -> std::optional<Ring::Growth> {
    try {
      return ring_->make_growth(depth + ring_slack, tail);
    } catch (const std::bad_alloc&) {
      return std::nullopt;  // as if the control part were full
    }
  };
  auto growth = is_short ? make_growth() : std::nullopt;
  if (growth) {
    capacity = growth->capacity();
  } else if (is_short) {
    depth = std::min(depth, capacity - 1);  // no memory for what a newcomer asks
  }
  const std::size_t wanted = capacity + list.holds_max() + 2 * retired_max;
  return {depth, std::move(growth), RetiredMessages::Room(wanted > retired ? wanted : 0)};
}

// Exchanges the list for the one in use.
void PublisherCore::take_over(std::unique_ptr<ReaderList>& list, Room& room)
{
  if (room.growth) ring_->grow(*room.growth);
  retired_.move_to(room.retired);
  readers_.swap(list);
  readers_request_.done();
  depth_ = room.depth;
  look_who_needs_care();
  // A list that is out of date already lacks somebody, who may want what it would retire.
  if (is_current()) retire_beyond_depth();
  tell_live_max(ring_->live_count() <= depth_ ? depth_ : ~std::uint64_t{0});
  if (waiting_ != 0) {
    // Whom they wait for may have left without ever connecting: nobody else tells them. Pairs with
    // the load in wait_for_room().
    ring_bell(context_.area->doorbell(), waiter_);
  }
}

// Those who were not in the former list may sleep over messages that were published meanwhile.
void PublisherCore::ring_newcomers(const ReaderList& former)
{
  for (Reader& reader : readers_->readers) {
    const bool known = std::any_of(former.readers.begin(), former.readers.end(),
                                   [&](const Reader& other) { return other.id == reader.id; });
    if (!known) ring(reader);
  }
}

// Says which of its many publishers, and which of many subscriptions, this is about. Returns the
// wait set to wake, or AGNOCAST_NO_WAITER. Under mutex_, which guards what readers remember.
std::uint32_t PublisherCore::leave_hints(Reader& reader) noexcept
{
  const agnocast_subscription& subscription = *reader.subscription;
  // Pairs with the store in SubscriptionCore::take_place, as the loads in find_connection() pair
  // with Connection's constructor. Who connects after these looks at our head itself.
  if (reader.depth != 0 && load_seq_cst(subscription.has_hinted_connections) != 0) {
    const agnocast_connection* connection = reader.find_connection(ticket_.id);
    if (connection != nullptr) reader.area->leave_hint(load_relaxed(connection->hint));
  }
  // Pairs with set_waiter(). The hint is the wait set's, or that of one it has moved to since,
  // which looks at it by itself.
  const std::uint32_t waiter = load_seq_cst(subscription.waiter);
  if (waiter >= AGNOCAST_WAITERS) return AGNOCAST_NO_WAITER;
  reader.area->leave_hint(load_seq_cst(subscription.hint));  // pairs as above
  return waiter;
}

// Under prepare_mutex_, without mutex_.
void PublisherCore::ring(Reader& reader)
{
  std::uint32_t waiter = AGNOCAST_NO_WAITER;
  {
    const std::lock_guard lock(mutex_);
    waiter = leave_hints(reader);
  }
  if (waiter < AGNOCAST_WAITERS) reader.area->ring(waiter);
}

void PublisherCore::wake_sleepers()
{
  for (Reader& reader : readers_->readers) {
    const std::uint32_t waiter = leave_hints(reader);
    if (waiter >= AGNOCAST_WAITERS) continue;
    // (B) of the sleep race; pairs with the store in WaitSetCore::wait.
    if (load_seq_cst(reader.area->waiter(waiter).sleeping) != 0) reader.area->ring(waiter);
  }
}

void PublisherCore::wake_all()
{
  const std::lock_guard one(prepare_mutex_);
  for (Reader& reader : readers_->readers) ring(reader);
}

// The list of readers was not brought up to date in time, or what it says leaves no room.
void PublisherCore::make_room_in_ring(std::unique_lock<os::ShortLock>& lock)
{
  if (!is_current()) {
    lock.unlock();
    prepare();
    lock.lock();
  }
  if (!ring_->is_full()) return;  // another thread may have published meanwhile
  if (retired_.is_full()) retired_.reserve(2 * retired_.count() + 1);
  retire_oldest();
}

bool PublisherCore::wait_for_room(std::unique_lock<os::ShortLock>& lock)
{
  // Who waits may as well look: nobody new may lose what is published.
  const auto has_room = [&] {
    if (!is_current()) {
      lock.unlock();
      prepare();
      lock.lock();
    }
    return ring_->head() + 1 - slowest_cursor(true) < setup_.endpoint.depth;
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
    // Pairs with shutdown(), which sets it and then rings who sleeps.
    const bool is_stopped = stop_requested.load();
    if (!is_stopped && !has_room()) {
      lock.unlock();
      const std::int64_t until = context_.area->look_again_at(deadline);
      woken = os::futex_wait(&word, seen, until);
      if (until != deadline) woken = os::Woken::yes;
      lock.lock();
    }
    // Pairs with the load in Connection::tell_publisher; the last of several that wait clears it.
    if (--waiting_ == 0) store_seq_cst(sleeping, 0u);
    AGNOCAST_FAILPOINT("room.awake");
    if ((is_stopped || woken == os::Woken::timed_out) && !has_room()) return false;
  }
  return true;
}

// Readers that were there first and have not connected yet. Those who have used up their patience
// are not waited for.
bool PublisherCore::awaits_reader()
{
  prepare_if_changed();
  const std::lock_guard lock(mutex_);
  return std::any_of(readers_->readers.begin(), readers_->readers.end(), [&](Reader& reader) {
    return reader.id < ticket_.id && reader.depth != 0 && !reader.area->is_gone() &&
           reader.area->has_patience() && reader.find_connection(ticket_.id) == nullptr;
  });
}

void PublisherCore::wait_for_last_readers()
{
  {
    const std::lock_guard lock(mutex_);
    if (ring_->is_empty()) return;
  }
  wait_for_readers();
}

void PublisherCore::wait_for_readers()
{
  if (!awaits_reader()) return;
  constexpr std::int64_t patience_ns = 50'000'000;
  const std::int64_t deadline = os::monotonic_ns() + patience_ns;
  wake_all();
  bool is_late = false;
  while (awaits_reader()) {
    is_late = os::monotonic_ns() >= deadline;
    if (is_late) break;
    os::sleep_ns(50'000);
  }
  const std::lock_guard lock(mutex_);
  for (Reader& reader : readers_->readers) {
    if (reader.id > ticket_.id) continue;
    const bool is_connected = reader.find_connection(ticket_.id) != nullptr;
    if (is_connected || is_late) reader.area->set_patience(is_connected);
  }
}

void PublisherCore::close() noexcept
{
  const LibraryWork work;
  try {
    wait_for_last_readers();
  } catch (const std::bad_alloc&) {
    // Who has not connected by now was not waited for.
  }
  AGNOCAST_FAILPOINT("publisher.closing");
  context_.registry->remove_endpoint(ticket_);
  AGNOCAST_FAILPOINT("publisher.unregistered");
  if (context_.announce_departure != nullptr) {
    context_.announce_departure(ticket_, AGNOCAST_SUBSCRIPTION);
  }
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  try {
    reclaim_early();
  } catch (const std::bad_alloc&) {
    // The control thread does it, for a publisher that is not finished.
  }
  wake_all();
  AGNOCAST_FAILPOINT("publisher.closed");
}

bool PublisherCore::is_finished()
{
  if (retained_count() != 0) return false;
  // Before the connections are looked at: who connects after this sees it and lets go. Pairs with
  // the load in SubscriptionCore::connect.
  store_seq_cst(ring_->shared().publisher_id, std::uint64_t{0});
  AGNOCAST_FAILPOINT("publisher.finished");
  prepare_if_changed();
  const std::lock_guard lock(mutex_);
  if (!is_current() || !readers_->unreachable.empty()) return false;
  return std::none_of(readers_->readers.begin(), readers_->readers.end(), [&](Reader& reader) {
    return !reader.area->is_gone() && reader.find_connection(ticket_.id) != nullptr;
  });
}

std::size_t PublisherCore::retained_count()
{
  const std::lock_guard lock(mutex_);
  return ring_->live_count() + retired_.count();
}

std::size_t PublisherCore::subscription_count() const
{
  const auto views = context_.registry->endpoints(ticket_.topic, AGNOCAST_SUBSCRIPTION);
  return static_cast<std::size_t>(
    std::count_if(views.begin(), views.end(), [](const EndpointView& v) { return v.depth != 0; }));
}

std::string PublisherCore::holders()
{
  const std::lock_guard lock(mutex_);
  std::string text =
    std::to_string(ring_->live_count()) + " kept on '" + setup_.endpoint.topic + "'";
  for (Reader& reader : readers_->readers) {
    const agnocast_connection* connection = reader.find_connection(ticket_.id);
    if (connection == nullptr) continue;
    const std::uint32_t end = std::min(load_relaxed(connection->holds_end), reader.holds_capacity);
    std::uint32_t held = 0;
    for (std::uint32_t i = 0; i < end; ++i) held += load_relaxed(hold_of(*connection, i)) != 0;
    if (held != 0) {
      text += ", " + std::to_string(held) + " held by process " +
              std::to_string(reader.area->identity().pid);
    }
  }
  for (const Unreachable& subscriber : readers_->unreachable) {
    text += ", and process " + std::to_string(subscriber.process.pid) +
            " may hold any of them: " + subscriber.why;
  }
  return text;
}

}  // namespace agnocast::internal
