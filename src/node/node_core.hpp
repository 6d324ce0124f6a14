// What a node is behind its public face: a name, and the subscriptions that it spins.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "agnocast/subscription.hpp"
#include "node/callback_gate.hpp"
#include "os/short_lock.hpp"
#include "topic/wait_set_core.hpp"

namespace agnocast::internal {

struct SpunSubscription
{
  std::weak_ptr<SubscriptionCore> subscription;
  ErasedCallback callback;
  CallbackGate gate;  ///< a message is taken, and the callback called, only inside
  bool hold_limit_said = false;
};

/// Thread-safe but for spinning, which is one thread's at a time.
class NodeCore
{
 public:
  NodeCore(std::string name, std::string namespace_name)
    : name_(std::move(name)), namespace_(std::move(namespace_name))
  {
  }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& namespace_name() const noexcept { return namespace_; }
  [[nodiscard]] std::string full_name() const
  {
    return (namespace_ == "/" ? "" : namespace_) + "/" + name_;
  }

  void add_callback(const std::shared_ptr<SubscriptionCore>& subscription, ErasedCallback callback);

  /// No call of the callback begins from now on, and none runs in another thread when this returns
  /// (but see CallbackGate). The callback is destroyed, or when it returns if it runs in this
  /// thread.
  void remove_callback(const SubscriptionCore& subscription);

  /// Runs the callback of one message of each subscription that has any that was published until
  /// then; at most `most` of them.
  std::size_t run_callbacks(std::size_t most, std::uint64_t published_until_ns);
  /// The wait set of all subscriptions with callbacks; made at the first call.
  WaitSetCore& wait_set();

 private:
  using Round = std::vector<std::shared_ptr<void>>;  ///< of SpunSubscriptions

  void find_unread(Round& round);

  const std::string name_;
  const std::string namespace_;
  os::ShortLock mutex_;  ///< guards all below; taken before the wait set's
  std::unordered_map<const SubscriptionCore*, std::shared_ptr<SpunSubscription>> spun_;
  std::size_t next_ = 0;  ///< whose turn it is when all are looked at
  std::shared_ptr<WaitSetCore> wait_set_;
  Round spare_round_;  ///< memory for the next one
};

}  // namespace agnocast::internal
