// Sleeping until one of several subscriptions has a message.
//
// Who writes what: this process the `sleeping` word of its waiter; publishers, and wake(), the word
// of the doorbell and the hints in it. The order that makes a lost wake-up impossible stands in
// publisher_core.hpp.
//
// If we die here: sleeping may stay 1; publishers ring a doorbell that nobody hears until they
// learn of the death.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "memory/hint_set.hpp"
#include "topic/subscription_core.hpp"

namespace agnocast::internal {

/// Thread-safe, but for next_ready(), which is one thread's.
class WaitSetCore : public std::enable_shared_from_this<WaitSetCore>
{
 public:
  static Result<std::shared_ptr<WaitSetCore>> create(Context& context);
  ~WaitSetCore();
  WaitSetCore(const WaitSetCore&) = delete;
  WaitSetCore& operator=(const WaitSetCore&) = delete;

  /// \p owner is what next_ready() and find_unread() give for it.
  void add(const std::shared_ptr<SubscriptionCore>& subscription, std::weak_ptr<void> owner);
  void remove(const SubscriptionCore& subscription);

  /// True if a subscription is ready, and begins a round of next_ready(). Returns false at
  /// `deadline_ns` of CLOCK_MONOTONIC (negative: never), after wake(), or when `*stop` is set.
  bool wait(std::int64_t deadline_ns, std::int64_t spin_ns, const std::atomic<bool>& stop);

  /// The owner of one that is ready and was not given yet in this round, or nullptr.
  std::shared_ptr<void> next_ready();
  /// Appends the owners of all that have unread messages, also of those whose holds are at their
  /// limit. Who comes first changes with each call.
  void find_unread(std::vector<std::shared_ptr<void>>& found);
  [[nodiscard]] std::size_t size();

  [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }
  /// Safe in a signal handler.
  void wake() noexcept;
  /// Makes a sleeping wait() look at its subscriptions again.
  void look_again() noexcept;

 private:
  struct Member : Candidate
  {
    std::shared_ptr<SubscriptionCore> subscription;
    std::weak_ptr<void> owner;
    std::uint64_t round = 0;  ///< in which it was given last
  };

  explicit WaitSetCore(Context& context);
  bool any_ready();
  bool any_ready_locked();
  bool fall_asleep();
  void wake_up() noexcept;
  void look_at_all();
  void look_at_all_locked();
  [[nodiscard]] bool is_own(const Member& member) const noexcept;
  bool spin(std::int64_t deadline_ns, std::int64_t spin_ns, const std::atomic<bool>& stop);
  [[nodiscard]] bool is_stopped(const std::atomic<bool>& stop) noexcept;

  Context& context_;
  const std::uint32_t epoch_;
  std::uint32_t waiter_ = AGNOCAST_NO_WAITER;
  std::uint32_t* sleeping_ = nullptr;
  std::uint32_t* word_ = nullptr;
  std::atomic<bool> woken_{false};
  os::ShortLock mutex_;  ///< guards all below; taken before a subscription's
  /// Not weak: each look would lock and unlock a count for each of them. They leave when closed.
  std::vector<std::unique_ptr<Member>> members_;
  HintSet hints_;               ///< of members_
  std::uint32_t sleepers_ = 0;  ///< threads between fall_asleep() and wake_up()
  std::uint64_t round_ = 1;
  std::size_t next_ = 0;  ///< of those listed, to look at for next_ready()
};

}  // namespace agnocast::internal
