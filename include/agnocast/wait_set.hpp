// Waiting for messages on several subscriptions at once.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "agnocast/export.hpp"
#include "agnocast/subscription.hpp"

namespace agnocast {

namespace internal {
class WaitSetCore;
}

/// Sleeps until one of its subscriptions has a message, and tells which have one. A publisher makes
/// a system call for it only while it sleeps, and no wake-up is ever lost.
///
/// Cost: that of those that have messages, plus a word for each 64 that are in it.
///
/// Thread safety: wait() and next_ready_subscription() by one thread at a time; add, remove and
/// wake from any thread. A subscription is in at most one wait set; add() moves it. Subscriptions
/// that are destroyed leave.
class AGNOCAST_PUBLIC WaitSet
{
 public:
  /// Throws ResourceError if the process has 1,023 wait sets already.
  WaitSet();
  ~WaitSet();
  WaitSet(const WaitSet&) = delete;
  WaitSet& operator=(const WaitSet&) = delete;

  void add(SubscriptionBase& subscription);
  void remove(SubscriptionBase& subscription);

  /// True as soon as a subscription has a message; false after the time-out, wake() or shutdown().
  /// Spins for `spin_for` before it sleeps. No time-out: waits for ever.
  bool wait(std::optional<std::chrono::nanoseconds> timeout = std::nullopt,
            std::chrono::nanoseconds spin_for = std::chrono::nanoseconds::zero());

  /// A subscription that has a message, each at most once after each wait(); nullptr when there is
  /// no more. Only those that a shared_ptr owns, as all do that a Node creates.
  [[nodiscard]] std::shared_ptr<SubscriptionBase> next_ready_subscription();

  /// Makes a running, or else the next, wait() return. Safe in a signal handler.
  void wake() noexcept;

 private:
  std::shared_ptr<internal::WaitSetCore> core_;
};

}  // namespace agnocast
