// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/wait_set_core.hpp"

#include <algorithm>
#include <utility>

#include "base/atomic.hpp"
#include "base/epoch.hpp"
#include "os/failpoint.hpp"
#include "os/futex.hpp"

namespace agnocast::internal {

WaitSetCore::WaitSetCore(Context& context) : context_(context), epoch_(current_epoch()) {}

Result<std::shared_ptr<WaitSetCore>> WaitSetCore::create(Context& context)
{
  std::shared_ptr<WaitSetCore> core(new WaitSetCore(context));
  core->waiter_ = context.area->take_waiter();
  if (core->waiter_ == AGNOCAST_NO_WAITER) {
    return Failure{FailureKind::resource,
                   "no more wait sets: a process can have " + std::to_string(AGNOCAST_WAITERS - 1) +
                     ", counting spinning nodes and keep_all publishers; destroy some"};
  }
  core->sleeping_ = &context.area->waiter(core->waiter_).sleeping;
  core->word_ = &context.area->doorbell().words[core->waiter_];
  return core;
}

WaitSetCore::~WaitSetCore()
{
  if (epoch_ != current_epoch() || waiter_ == AGNOCAST_NO_WAITER) return;
  for (const auto& subscription : subscriptions_) subscription->clear_waiter(waiter_);
  context_.area->give_back_waiter(waiter_);
}

void WaitSetCore::add(const std::shared_ptr<SubscriptionCore>& subscription)
{
  subscription->set_on_leave([weak = weak_from_this(), leaver = subscription.get()] {
    if (const auto self = weak.lock()) self->remove(*leaver);
  });
  {
    const std::lock_guard lock(mutex_);
    subscriptions_.push_back(subscription);
  }
  subscription->set_waiter(waiter_);
  subscription->set_on_room([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look_again();
  });
  look_again();  // a wait() that sleeps already has not looked at this one
}

void WaitSetCore::remove(const SubscriptionCore& subscription)
{
  std::shared_ptr<SubscriptionCore> removed;  // may be the last reference: goes without the lock
  const std::lock_guard lock(mutex_);
  const auto place = std::find_if(subscriptions_.begin(), subscriptions_.end(),
                                  [&](const auto& other) { return other.get() == &subscription; });
  if (place == subscriptions_.end()) return;
  (*place)->clear_waiter(waiter_);
  removed = std::move(*place);
  subscriptions_.erase(place);
}

bool WaitSetCore::any_ready()
{
  const std::lock_guard lock(mutex_);
  return std::any_of(subscriptions_.begin(), subscriptions_.end(),
                     [this](const auto& subscription) {
                       // One that another wait set has taken over is ours no more.
                       return subscription->waiter() == waiter_ && subscription->is_ready();
                     });
}

bool WaitSetCore::is_stopped(const std::atomic<bool>& stop) noexcept
{
  return stop.load() || (woken_.load() && woken_.exchange(false));
}

bool WaitSetCore::spin(std::int64_t deadline_ns, std::int64_t spin_ns,
                       const std::atomic<bool>& stop)
{
  std::int64_t end = os::monotonic_ns() + spin_ns;
  if (deadline_ns >= 0) end = std::min(end, deadline_ns);
  do {
    for (int i = 0; i < 64; ++i) {
      if (any_ready()) return true;
      pause_spinning();
    }
  } while (!stop.load() && !woken_.load() && os::monotonic_ns() < end);
  return false;
}

bool WaitSetCore::wait(std::int64_t deadline_ns, std::int64_t spin_ns,
                       const std::atomic<bool>& stop)
{
  for (;;) {
    if (any_ready()) return true;
    if (is_stopped(stop)) return false;
    if (spin_ns > 0 && spin(deadline_ns, spin_ns, stop)) return true;
    // Before the last look: a ring after this makes futex_wait() return. Pairs with ring().
    const std::uint32_t seen = load_seq_cst(*word_);
    store_seq_cst(*sleeping_, 1u);  // (C) of the sleep race; pairs with wake_sleepers()
    AGNOCAST_FAILPOINT("wait.sleeping");
    bool ready = any_ready();  // (D)
    AGNOCAST_FAILPOINT("wait.looked");
    bool stopped = false;
    os::Woken woken = os::Woken::yes;
    const std::int64_t until = context_.area->look_again_at(deadline_ns);
    if (!ready && !(stopped = is_stopped(stop))) woken = os::futex_wait(word_, seen, until);
    store_seq_cst(*sleeping_, 0u);  // pairs with wake_sleepers()
    AGNOCAST_FAILPOINT("wait.awake");
    if (ready) return true;
    if (stopped) return false;
    if (woken == os::Woken::timed_out && until == deadline_ns) return any_ready();
  }
}

void WaitSetCore::look_again() noexcept
{
  add_seq_cst(*word_, 1u);  // pairs with the load in wait()
  AGNOCAST_FAILPOINT("wait.own_bell_rung");
  os::futex_wake_all(word_);
}

void WaitSetCore::wake() noexcept
{
  woken_.store(true);
  look_again();
}

}  // namespace agnocast::internal
