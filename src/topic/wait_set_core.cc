// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/wait_set_core.hpp"

#include <algorithm>
#include <utility>

#include "base/atomic.hpp"
#include "base/epoch.hpp"
#include "memory/doorbell.hpp"
#include "os/failpoint.hpp"
#include "os/futex.hpp"

namespace agnocast::internal {

namespace {

// Of its subscriptions. To look at one that was not used since the last sleep takes about as long
// as ten hints.
constexpr std::size_t looked_at_each_time = 1;

}  // namespace

WaitSetCore::WaitSetCore(Context& context)
  : context_(context), epoch_(current_epoch()), hints_(*context.area, looked_at_each_time)
{
}

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
  for (const auto& member : members_) member->subscription->clear_waiter(waiter_);
  hints_.clear();
  context_.area->give_back_waiter(waiter_);
}

void WaitSetCore::add(const std::shared_ptr<SubscriptionCore>& subscription,
                      std::weak_ptr<void> owner)
{
  subscription->set_on_leave([weak = weak_from_this(), leaver = subscription.get()] {
    if (const auto self = weak.lock()) self->remove(*leaver);
  });
  auto member = std::make_unique<Member>();
  member->subscription = subscription;
  member->owner = std::move(owner);
  {
    const std::lock_guard lock(mutex_);
    members_.reserve(members_.size() + 1);
    member->hint = hints_.reserve();
    subscription->set_waiter(waiter_, member->hint);
    hints_.add(*member);  // after its publishers can see the hint
    members_.push_back(std::move(member));
  }
  look_again();  // a wait() that sleeps already has not looked at this one
}

void WaitSetCore::remove(const SubscriptionCore& subscription)
{
  std::unique_ptr<Member> removed;  // may have the last reference: goes without the lock
  const std::lock_guard lock(mutex_);
  const auto place = std::find_if(members_.begin(), members_.end(), [&](const auto& member) {
    return member->subscription.get() == &subscription;
  });
  if (place == members_.end()) return;
  (*place)->subscription->clear_waiter(waiter_);
  hints_.remove(**place);
  hints_.give_back((*place)->hint);
  removed = std::move(*place);
  members_.erase(place);
  next_ = 0;
}

// One that another wait set has taken over is ours no more.
bool WaitSetCore::is_own(const Member& member) const noexcept
{
  return member.subscription->waiter() == waiter_;
}

bool WaitSetCore::any_ready()
{
  const std::lock_guard lock(mutex_);
  return any_ready_locked();
}

// Says that a thread sleeps, before the last look. True if that found something.
bool WaitSetCore::fall_asleep()
{
  const std::lock_guard lock(mutex_);
  ++sleepers_;
  store_seq_cst(*sleeping_, 1u);  // (C) of the sleep race; pairs with wake_sleepers()
  AGNOCAST_FAILPOINT("wait.sleeping");
  return any_ready_locked();  // (D)
}

void WaitSetCore::wake_up() noexcept
{
  const std::lock_guard lock(mutex_);
  // The last of several. Pairs with wake_sleepers().
  if (--sleepers_ == 0) store_seq_cst(*sleeping_, 0u);
}

bool WaitSetCore::any_ready_locked()
{
  if (hints_.collect()) look_at_all_locked();
  const bool found = hints_.any_ready([this](const Candidate& candidate) {
    const auto& member = static_cast<const Member&>(candidate);
    return is_own(member) && member.subscription->is_ready(true);
  });
  ++round_;
  next_ = 0;
  return found;
}

std::shared_ptr<void> WaitSetCore::next_ready()
{
  const std::lock_guard lock(mutex_);
  if (next_ == 0) hints_.collect();
  while (next_ < hints_.listed().size()) {
    auto& member = static_cast<Member&>(*hints_.listed()[next_++]);
    if (member.round == round_ || !is_own(member) || !member.subscription->is_ready()) continue;
    member.round = round_;
    if (auto owner = member.owner.lock()) return owner;
  }
  return nullptr;
}

void WaitSetCore::find_unread(std::vector<std::shared_ptr<void>>& found)
{
  const std::lock_guard lock(mutex_);
  if (hints_.collect()) look_at_all_locked();
  found.reserve(found.size() + hints_.listed().size());  // no exception in the middle of the list
  hints_.rotate();
  hints_.keep_ready([&](const Candidate& candidate) {
    const auto& member = static_cast<const Member&>(candidate);
    if (!is_own(member) || !member.subscription->has_unread()) return false;
    if (auto owner = member.owner.lock()) found.push_back(std::move(owner));
    return true;
  });
}

std::size_t WaitSetCore::size()
{
  const std::lock_guard lock(mutex_);
  return members_.size();
}

// A hint may have been taken away by somebody who can write to the doorbell.
void WaitSetCore::look_at_all_locked()
{
  hints_.list_all();
  for (const auto& member : members_) member->subscription->look_at_all();
}

void WaitSetCore::look_at_all()
{
  const std::lock_guard lock(mutex_);
  look_at_all_locked();
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
    const bool ready = fall_asleep();
    AGNOCAST_FAILPOINT("wait.looked");
    bool stopped = false;
    os::Woken woken = os::Woken::yes;
    const std::int64_t until = context_.area->look_again_at(deadline_ns);
    if (!ready && !(stopped = is_stopped(stop))) woken = os::futex_wait(word_, seen, until);
    wake_up();
    AGNOCAST_FAILPOINT("wait.awake");
    if (ready) return true;
    if (stopped) return false;
    if (woken != os::Woken::timed_out) continue;
    look_at_all();
    if (until == deadline_ns) return any_ready();
  }
}

void WaitSetCore::look_again() noexcept
{
  ring_bell(context_.area->doorbell(), waiter_);
  AGNOCAST_FAILPOINT("wait.own_bell_rung");
}

void WaitSetCore::wake() noexcept
{
  woken_.store(true);
  look_again();
}

}  // namespace agnocast::internal
