// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/node.hpp"

#include <algorithm>

#include "base/epoch.hpp"
#include "base/log.hpp"
#include "heap/thread_window.hpp"
#include "node/failure.hpp"
#include "node/names.hpp"
#include "node/node_core.hpp"
#include "runtime/runtime.hpp"

namespace agnocast {

Node::Node(std::string_view name, std::string_view namespace_)
{
  const internal::LibraryWork work;
  internal::check_node_name(name);
  core_ =
    std::make_shared<internal::NodeCore>(std::string(name), internal::full_namespace(namespace_));
}

Node::~Node() = default;

std::string Node::name() const
{
  return core_->name();
}
std::string Node::namespace_name() const
{
  return core_->namespace_name();
}
std::string Node::fully_qualified_name() const
{
  return core_->full_name();
}

namespace internal {

void NodeCore::add_callback(const std::shared_ptr<SubscriptionCore>& subscription,
                            ErasedCallback callback)
{
  const LibraryWork work;
  WaitSetCore& waits = wait_set();
  auto spun = std::make_shared<SpunSubscription>();
  spun->subscription = subscription;
  spun->callback = std::move(callback);
  const std::weak_ptr<void> owner = spun;
  {
    const std::lock_guard lock(mutex_);
    // A forked child may have left one there that its parent made, whose address is used again.
    spun_[subscription.get()].swap(spun);
  }
  waits.add(subscription, owner);
}

WaitSetCore& NodeCore::wait_set()
{
  const std::lock_guard lock(mutex_);
  // A forked child makes its own.
  if (!wait_set_ || wait_set_->epoch() != current_epoch())
    wait_set_ = value_or_raise(Runtime::instance().create_wait_set());
  return *wait_set_;
}

void NodeCore::remove_callback(const SubscriptionCore& subscription)
{
  std::shared_ptr<SpunSubscription> removed;
  {
    const std::lock_guard lock(mutex_);
    const auto place = spun_.find(&subscription);
    if (place == spun_.end()) return;
    removed = std::move(place->second);
    spun_.erase(place);
  }
  removed->gate.close();
  // A round that is under way may still know it, but not what the callback captured.
  if (removed->gate.is_empty()) removed->callback = nullptr;
}

// The wait set knows who may have a message. If it does not have all, because another wait set has
// some or another process forked this one, all are looked at.
void NodeCore::find_unread(Round& round)
{
  if (wait_set_ != nullptr && wait_set_->epoch() == current_epoch() &&
      wait_set_->size() == spun_.size()) {
    wait_set_->find_unread(round);
    return;
  }
  for (const auto& [key, spun] : spun_) {
    const auto subscription = spun->subscription.lock();
    if (subscription == nullptr || subscription->epoch() != current_epoch()) continue;
    if (subscription->has_unread()) round.push_back(spun);
  }
  if (round.size() > 1) {
    std::rotate(round.begin(), round.begin() + static_cast<std::ptrdiff_t>(++next_ % round.size()),
                round.end());
  }
}

std::size_t NodeCore::run_callbacks(std::size_t most, std::uint64_t published_until_ns)
{
  const LibraryWork work;
  Round round;
  {
    const std::lock_guard lock(mutex_);
    round.swap(spare_round_);
    find_unread(round);
  }
  std::size_t count = 0;
  for (auto& place : round) {
    if (count == most) break;
    // Held here, and nowhere else: the callback may destroy its own subscription.
    const auto spun = std::static_pointer_cast<SpunSubscription>(std::move(place));
    const CallbackGate::Run run(spun->gate);
    if (!run.is_allowed()) continue;
    const auto subscription = spun->subscription.lock();
    if (subscription == nullptr || subscription->epoch() != current_epoch()) continue;
    const Taken taken = subscription->take(false, published_until_ns);
    if (taken.outcome == TakeOutcome::hold_limit && !spun->hold_limit_said) {
      spun->hold_limit_said = true;
      log_warning("topic '" + subscription->endpoint().topic + "': its callback waits, because " +
                  std::to_string(subscription->hold_limit()) +
                  " messages are held; release some, or raise SubscriptionOptions::hold_limit");
    }
    if (taken.outcome != TakeOutcome::taken) continue;
    ++count;
    const UserWork user;
    spun->callback({taken.address, taken.handle});
  }
  round.clear();
  const std::lock_guard lock(mutex_);
  round.swap(spare_round_);
  return count;
}

}  // namespace internal
}  // namespace agnocast
