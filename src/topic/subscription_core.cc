// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/subscription_core.hpp"

#include <algorithm>

#include "base/atomic.hpp"
#include "base/epoch.hpp"
#include "os/failpoint.hpp"
#include "os/futex.hpp"

namespace agnocast::internal {

namespace {

// Of its publishers. Those of so few share no more lines with the reader than they must.
constexpr std::size_t looked_at_each_time = 8;

Connection& connection_of(Candidate* candidate) noexcept
{
  return *static_cast<Connection*>(candidate);
}

}  // namespace

SubscriptionCore::SubscriptionCore(Context& context, EndpointRequest endpoint,
                                   std::uint32_t hold_limit)
  : context_(context),
    endpoint_(std::move(endpoint)),
    epoch_(current_epoch()),
    hold_limit_(hold_limit),
    hints_(*context.area, looked_at_each_time)
{
}

Result<std::shared_ptr<SubscriptionCore>> SubscriptionCore::create(Context& context,
                                                                   EndpointRequest endpoint,
                                                                   std::uint32_t hold_limit)
{
  std::shared_ptr<SubscriptionCore> core(
    new SubscriptionCore(context, std::move(endpoint), hold_limit));
  if (Status status = core->start(); !status) return std::move(status.failure());
  return core;
}

Status SubscriptionCore::start()
{
  const std::uint64_t offset = context_.area->allocate_control(sizeof(agnocast_subscription));
  if (offset == 0) {
    return context_.area->control_failure("another subscription", sizeof(agnocast_subscription));
  }
  endpoint_.control_offset = offset;
  agnocast_subscription* shared = context_.area->at<agnocast_subscription>(offset);
  // Pairs with the load in PublisherCore::ring(), of a publisher that still knows who was here
  // before.
  store_relaxed(shared->waiter, std::uint32_t{AGNOCAST_NO_WAITER});
  store_relaxed(shared->description, endpoint_.description_offset);
  AGNOCAST_FAILPOINT("subscription.allocated");
  shared_ = shared;  // the destructor's from here on
  auto ticket = context_.registry->add_endpoint(context_.ticket, endpoint_);
  if (!ticket) return std::move(ticket.failure());
  ticket_ = *ticket;
  AGNOCAST_FAILPOINT("subscription.registered");
  store_release(shared_->subscription_id, ticket_.id);  // pairs with ReaderList::make
  generation_ = context_.registry->topic_generation(ticket_.topic, AGNOCAST_PUBLISHER);
  prepare();
  {
    const std::lock_guard lock(mutex_);
    if (!lacks_place_) return Nothing{};
  }
  close();
  return context_.area->control_failure("a connection of a subscription to '" + endpoint_.topic +
                                          "' with a hold_limit of " + std::to_string(hold_limit_),
                                        connection_bytes(hold_limit_));
}

SubscriptionCore::~SubscriptionCore()
{
  if (epoch_ != current_epoch() || shared_ == nullptr) return;
  // Created, but never handed out: its creation failed later on.
  const bool is_registered = ticket_.id != 0 && !closed_.load();
  if (is_registered) context_.registry->remove_endpoint(ticket_);
  for (const auto& connection : connections_) connection->disconnect();
  if (is_registered) announce_departure();
  hints_.clear();
  store_release(shared_->subscription_id, std::uint64_t{0});  // pairs with ReaderList::make
  for (const std::uint64_t place : places_) {
    context_.area->free_control(place, connection_bytes(hold_limit_));
  }
  context_.area->free_control(endpoint_.control_offset, sizeof(agnocast_subscription));
}

bool SubscriptionCore::is_current() const
{
  // Pairs with the fence after the registry's stores.
  return load_seq_cst(*generation_) == seen_generation_;
}

void SubscriptionCore::ask_for_publishers(bool is_urgent)
{
  if (context_.poke != nullptr && publishers_request_.is_due(os::monotonic_ns(), is_urgent)) {
    context_.poke();
  }
}

// Lists the publishers that have something, of those that have a hint. (Those without are always
// listed, and their heads left alone.)
void SubscriptionCore::collect_hints_locked() noexcept
{
  if (!hints_.has_hints()) return;
  hints_.collect();
  bool any_broken = false;
  hints_.keep_ready([&](Candidate& one) {
    if (one.hint == 0) return true;
    const bool has_unread = connection_of(&one).has_unread();
    any_broken = any_broken || connection_of(&one).is_broken();
    return has_unread;
  });
  if (any_broken) drop_broken_locked();
}

void SubscriptionCore::look_at_all()
{
  const std::lock_guard lock(mutex_);
  hints_.list_all();
}

Connection* SubscriptionCore::oldest_unread(std::uint64_t published_until_ns)
{
  const auto listed = hints_.listed();
  if (listed.size() == 1 && published_until_ns == ~std::uint64_t{0}) {
    return &connection_of(listed.front());
  }
  Connection* oldest = nullptr;
  std::uint64_t oldest_stamp = 0;
  for (Candidate* const candidate : listed) {
    Connection& connection = connection_of(candidate);
    const auto peeked = connection.peek();
    if (peeked && peeked->stamp_ns <= published_until_ns &&
        (oldest == nullptr || peeked->stamp_ns < oldest_stamp)) {
      oldest = &connection;
      oldest_stamp = peeked->stamp_ns;
    }
  }
  return oldest;
}

// Over all publishers together: each connection keeps to the depth by itself. Only publishers that
// have a message to show count: what another one says of its head costs the others none of theirs.
void SubscriptionCore::skip_beyond_depth()
{
  std::uint64_t unread = 0;
  for (Candidate* const one : hints_.listed()) unread += connection_of(one).unread_count();
  if (unread <= endpoint_.depth) return;
  unread = 0;
  oldest_.clear();
  const auto add = [&](Connection* connection) {
    const auto peeked = connection->peek();
    if (!peeked) return false;
    oldest_.push_back({peeked->stamp_ns, connection->unread_count(), connection});
    unread += oldest_.back().unread;
    return true;
  };
  const auto is_later = [](const Oldest& a, const Oldest& b) { return a.stamp_ns > b.stamp_ns; };
  for (Candidate* const one : hints_.listed()) add(&connection_of(one));
  std::make_heap(oldest_.begin(), oldest_.end(), is_later);
  // No more rounds than messages that there were: a publisher may add to them without end.
  for (std::uint64_t rounds = unread; rounds > 0 && unread > endpoint_.depth; --rounds) {
    std::pop_heap(oldest_.begin(), oldest_.end(), is_later);
    const Oldest oldest = oldest_.back();
    oldest_.pop_back();
    unread -= oldest.unread;
    oldest.connection->lose_peeked();
    count_lost(oldest.connection->take_lost());
    if (add(oldest.connection)) std::push_heap(oldest_.begin(), oldest_.end(), is_later);
  }
}

Connection* SubscriptionCore::newest_unread()
{
  Connection* newest = nullptr;
  std::uint64_t newest_stamp = 0;
  // Only what was looked at is skipped: what is published meanwhile is newer.
  for (Candidate* const candidate : hints_.listed()) {
    Connection& connection = connection_of(candidate);
    connection.skip_to_newest();
    const auto peeked = connection.peek();
    if (!peeked) continue;
    if (newest == nullptr || peeked->stamp_ns >= newest_stamp) {
      if (newest != nullptr) newest->skip_peeked();
      newest = &connection;
      newest_stamp = peeked->stamp_ns;
    } else {
      connection.skip_peeked();
    }
  }
  return newest;
}

Taken SubscriptionCore::take(bool newest, std::uint64_t published_until_ns)
{
  constexpr int rejected_max = 64;  // a publisher of nonsense must not keep us here
  for (int rejected = 0; rejected < rejected_max; ++rejected) {
    const Taken taken = take_next(newest, published_until_ns);
    if (has_broken_.load(std::memory_order_relaxed)) complain_of_broken();
    if (taken.outcome != TakeOutcome::taken || !accepts_) return taken;
    auto& handle = *static_cast<ReceivedHandle*>(taken.handle);
    if (accepts_(taken.address, handle.connection->area())) return taken;
    release(handle);
    rejected_.fetch_add(1, std::memory_order_relaxed);
  }
  return {};
}

Taken SubscriptionCore::take_next(bool newest, std::uint64_t published_until_ns)
{
  const std::lock_guard lock(mutex_);
  if (is_closed()) return {};
  if (published_until_ns != ~std::uint64_t{0}) {
    published_until_ns -= static_cast<std::uint64_t>(context_.clock_offset_ns);
  }
  if (!is_current()) ask_for_publishers(false);
  collect_hints_locked();
  // Each round takes a message, or finds one gone that was there a moment ago.
  for (std::size_t round = 0; round < 64 + hints_.listed().size(); ++round) {
    if (held_count() >= hold_limit_) {
      wants_room_.store(true);
      if (held_count() >= hold_limit_) {
        return {has_unread_locked() ? TakeOutcome::hold_limit : TakeOutcome::nothing};
      }
    }
    if (hints_.listed().size() > 1 && endpoint_.history == AGNOCAST_KEEP_LAST) skip_beyond_depth();
    Connection* connection = newest ? newest_unread() : oldest_unread(published_until_ns);
    if (connection == nullptr) return {};
    Taken taken;
    ReceivedHandle* handle = connection->take(taken.address);
    count_lost(connection->take_lost());
    if (handle != nullptr) {
      taken_.store(taken_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      taken.outcome = TakeOutcome::taken;
      taken.handle = handle;
      measure_delay(handle->info.publish_time_ns);
      return taken;
    }
    if (connection->is_broken()) drop_broken_locked();
    const bool is_done = connection->is_caught_up() || connection->is_broken();
    if (connection->draining.load(std::memory_order_relaxed)) drop_finished_locked();
    if (is_done && hints_.listed().size() <= 1) return {};
  }
  return {};
}

void SubscriptionCore::count_lost(std::uint64_t messages) noexcept
{
  if (messages == 0) return;
  store_relaxed(shared_->lost, lost_.fetch_add(messages, std::memory_order_relaxed) + messages);
}

// The messages' own stamps say when it is time again, so that the clock is read that seldom.
void SubscriptionCore::measure_delay(std::uint64_t publish_time_ns) noexcept
{
  constexpr std::uint64_t period_ns = 50'000'000;
  if (publish_time_ns - measured_at_ns_ < period_ns) return;
  measured_at_ns_ = publish_time_ns;
  const auto now_ns = static_cast<std::uint64_t>(os::monotonic_ns());
  store_relaxed(shared_->delay_ns, now_ns - std::min(publish_time_ns, now_ns));
}

bool SubscriptionCore::is_ready(bool may_sleep_next)
{
  const std::lock_guard lock(mutex_);
  if (is_closed()) return false;
  if (!is_current()) ask_for_publishers(may_sleep_next);
  if (held_count() >= hold_limit_) {
    wants_room_.store(true);
    if (held_count() >= hold_limit_) return false;  // release() will tell
  }
  return has_unread_locked();
}

bool SubscriptionCore::has_unread()
{
  const std::lock_guard lock(mutex_);
  if (is_closed()) return false;
  if (!is_current()) ask_for_publishers(false);
  return has_unread_locked();
}

bool SubscriptionCore::has_unread_locked() noexcept
{
  hints_.collect();
  bool any_broken = false;
  const bool found = hints_.any_ready([&](Candidate& one) {
    Connection& connection = connection_of(&one);
    const bool has_unread = connection.has_unread();
    any_broken = any_broken || connection.is_broken();
    return has_unread;
  });
  if (any_broken) drop_broken_locked();
  return found;
}

void SubscriptionCore::release(ReceivedHandle& handle) noexcept
{
  if (epoch_ != current_epoch()) return;
  const auto self = shared_from_this();  // once it is counted, the core may be let go by others
  Connection& connection = *handle.connection;
  const bool draining = connection.draining.load(std::memory_order_acquire);
  connection.release_hold(handle.hold);
  // From here on the connection may be gone.
  if (draining && !closed_.load(std::memory_order_relaxed)) {
    const std::lock_guard lock(mutex_);
    if (!is_closed()) drop_finished_locked();
  }
  // Counted first, then asked whether somebody wants room; who wants room says so first, then looks
  // at the count. Both seq_cst, so one of the two sees the other.
  released_.fetch_add(1, std::memory_order_seq_cst);
  // The same with closed_, which close() sets before it looks at the count.
  if (closed_.load()) {
    // What is left to do may wait for other processes: not here, where there is a thread for it.
    if (context_.poke == nullptr) return finish_if_done();
    if (held_count() == 0) context_.poke();
    return;
  }
  if (wants_room_.load() && wants_room_.exchange(false)) wake_own();
}

void SubscriptionCore::close()
{
  set_waiter(AGNOCAST_NO_WAITER);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& connection : connections_) connection->skip_all();
    self_ = shared_from_this();
    closed_.store(true);  // seq_cst: see release()
  }
  AGNOCAST_FAILPOINT("subscription.closing");
  if (held_count() != 0) {
    context_.registry->close_endpoint(ticket_);
    AGNOCAST_FAILPOINT("subscription.closed_holding");
    announce_departure();
  }
  set_on_leave(nullptr);
  finish_if_done();
}

void SubscriptionCore::announce_departure() const noexcept
{
  if (context_.announce_departure != nullptr) {
    context_.announce_departure(ticket_, AGNOCAST_PUBLISHER);
  }
}

void SubscriptionCore::finish_if_done() noexcept
{
  if (!closed_.load() || held_count() != 0 || finished_.exchange(true)) return;
  context_.registry->remove_endpoint(ticket_);
  AGNOCAST_FAILPOINT("subscription.unregistered");
  std::shared_ptr<SubscriptionCore> self;
  {
    const std::lock_guard lock(mutex_);
    self.swap(self_);
    for (const auto& connection : connections_) connection->disconnect();
  }
  announce_departure();  // who looks now finds no connection
}

void SubscriptionCore::set_waiter(std::uint32_t waiter, std::uint32_t hint) noexcept
{
  // In this order: who finds the wait set finds its hint. Both pair with the loads in
  // leave_hints().
  store_seq_cst(shared_->hint, static_cast<std::uint16_t>(hint));
  store_seq_cst(shared_->waiter, waiter);
  AGNOCAST_FAILPOINT("subscription.waiter_set");
}

std::uint32_t SubscriptionCore::waiter() const noexcept
{
  return load_relaxed(shared_->waiter);
}

void SubscriptionCore::clear_waiter(std::uint32_t waiter) noexcept
{
  // Pairs with the load in leave_hints(). Another wait set may take it over meanwhile, and the hint
  // with it: that stays as it is.
  compare_exchange_seq_cst(shared_->waiter, waiter, AGNOCAST_NO_WAITER);
}

void SubscriptionCore::set_on_leave(std::function<void()> tell)
{
  {
    const std::lock_guard lock(mutex_);
    on_leave_.swap(tell);
  }
  if (tell) tell();
}

std::size_t SubscriptionCore::publisher_count()
{
  prepare_if_changed();
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(),
                                                [](const auto& c) { return !c->draining.load(); }));
}

}  // namespace agnocast::internal
