// Sleeping until one of several subscriptions has a message.
//
// Who writes what: this process the `sleeping` word of its waiter; publishers, and wake(), the word
// of the doorbell. The order that makes a lost wake-up impossible stands in publisher_core.hpp.
//
// If we die here: sleeping may stay 1; publishers ring a doorbell that nobody hears until they
// learn of the death.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "topic/subscription_core.hpp"

namespace agnocast::internal {

/// Thread-safe; one thread at a time waits.
class WaitSetCore : public std::enable_shared_from_this<WaitSetCore>
{
 public:
  static Result<std::shared_ptr<WaitSetCore>> create(Context& context);
  ~WaitSetCore();
  WaitSetCore(const WaitSetCore&) = delete;
  WaitSetCore& operator=(const WaitSetCore&) = delete;

  void add(const std::shared_ptr<SubscriptionCore>& subscription);
  void remove(const SubscriptionCore& subscription);

  /// True if a subscription is ready. Returns false at `deadline_ns` of CLOCK_MONOTONIC (negative:
  /// never), after wake(), or when `*stop` is set.
  bool wait(std::int64_t deadline_ns, std::int64_t spin_ns, const std::atomic<bool>& stop);

  [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }
  /// Safe in a signal handler.
  void wake() noexcept;
  /// Makes a sleeping wait() look at its subscriptions again.
  void look_again() noexcept;

 private:
  explicit WaitSetCore(Context& context);
  bool any_ready();
  bool spin(std::int64_t deadline_ns, std::int64_t spin_ns, const std::atomic<bool>& stop);
  [[nodiscard]] bool is_stopped(const std::atomic<bool>& stop) noexcept;

  Context& context_;
  const std::uint32_t epoch_;
  std::uint32_t waiter_ = AGNOCAST_NO_WAITER;
  std::uint32_t* sleeping_ = nullptr;
  std::uint32_t* word_ = nullptr;
  std::atomic<bool> woken_{false};
  std::mutex mutex_;
  /// Not weak: each look would lock and unlock a count for each of them. They leave when closed.
  std::vector<std::shared_ptr<SubscriptionCore>> subscriptions_;
};

}  // namespace agnocast::internal
