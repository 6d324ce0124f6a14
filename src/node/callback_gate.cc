// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "node/callback_gate.hpp"

#include <pthread.h>

#include "os/short_lock.hpp"

namespace agnocast::internal {

namespace {

/// A thread inside close(), on its stack.
struct Waiter
{
  CallbackGate& gate;
  std::thread::id thread;
  Waiter* next;
  // Of the search that is under way:
  bool holds_up = false;  ///< the one who asks would wait for it
  bool is_done = false;
};

constinit os::ShortLock waiters_lock;
Waiter* waiters = nullptr;  // guarded by waiters_lock

// The threads that waited do not exist in a forked child.
void forget_waiters()
{
  waiters_lock.reset_in_child();
  waiters = nullptr;
}

__attribute__((constructor)) void watch_forks()
{
  pthread_atfork(nullptr, nullptr, forget_waiters);
}

}  // namespace

CallbackGate::Run::Run(CallbackGate& gate) noexcept : gate_(gate)
{
  const std::lock_guard lock(gate_.mutex_);
  if (gate_.is_closed_) return;
  is_allowed_ = true;
  next_ = gate_.runs_;
  gate_.runs_ = this;
}

CallbackGate::Run::~Run()
{
  if (!is_allowed_) return;
  const std::lock_guard lock(gate_.mutex_);
  Run** place = &gate_.runs_;
  while (*place != this) place = &(*place)->next_;
  *place = next_;
  if (gate_.is_waited_for_) gate_.left_.notify_all();
}

bool CallbackGate::is_empty()
{
  const std::lock_guard lock(mutex_);
  return runs_ == nullptr;
}

bool CallbackGate::has_run_of_others(std::thread::id self) const noexcept
{
  for (const Run* run = runs_; run != nullptr; run = run->next_) {
    if (run->thread_ != self) return true;
  }
  return false;
}

bool CallbackGate::has_run_of(std::thread::id thread)
{
  const std::lock_guard lock(mutex_);
  for (const Run* run = runs_; run != nullptr; run = run->next_) {
    if (run->thread_ == thread) return true;
  }
  return false;
}

// True if a thread that is inside of this gate waits for a callback of `self` to end, directly or
// through others. Called with the lock of all waiters: they are asleep, and their runs stay.
bool CallbackGate::is_held_up_by(std::thread::id self)
{
  for (Waiter* waiter = waiters; waiter != nullptr; waiter = waiter->next) {
    waiter->holds_up = has_run_of(waiter->thread);
    waiter->is_done = false;
  }
  for (;;) {
    Waiter* found = waiters;
    while (found != nullptr && (!found->holds_up || found->is_done)) found = found->next;
    if (found == nullptr) return false;
    if (found->gate.has_run_of(self)) return true;
    found->is_done = true;
    for (Waiter* other = waiters; other != nullptr; other = other->next) {
      other->holds_up = other->holds_up || found->gate.has_run_of(other->thread);
    }
  }
}

void CallbackGate::close()
{
  const std::thread::id self = std::this_thread::get_id();
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    if (!has_run_of_others(self)) return;
  }
  std::unique_lock all(waiters_lock);
  if (is_held_up_by(self)) return;
  Waiter own{*this, self, waiters};
  waiters = &own;
  all.unlock();
  {
    std::unique_lock lock(mutex_);
    is_waited_for_ = true;
    left_.wait(lock, [&] { return !has_run_of_others(self); });
  }
  all.lock();
  Waiter** place = &waiters;
  while (*place != &own) place = &(*place)->next;
  *place = own.next;
}

}  // namespace agnocast::internal
