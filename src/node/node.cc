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
  {
    const std::lock_guard lock(mutex_);
    spun_.push_back(std::move(spun));
  }
  waits.add(subscription);
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
    const auto place = std::find_if(spun_.begin(), spun_.end(), [&](const auto& spun) {
      return spun->subscription.lock().get() == &subscription;
    });
    if (place == spun_.end()) return;
    removed = std::move(*place);
    spun_.erase(place);
  }
  removed->gate.close();
  // A round that is under way may still know it, but not what the callback captured.
  if (removed->gate.is_empty()) removed->callback = nullptr;
}

std::size_t NodeCore::run_callbacks(std::size_t most, std::uint64_t published_until_ns)
{
  const LibraryWork work;
  std::vector<std::shared_ptr<SpunSubscription>> round;
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < spun_.size(); ++i) {
      const auto& spun = spun_[(next_ + i) % spun_.size()];
      const auto subscription = spun->subscription.lock();
      if (subscription == nullptr || subscription->epoch() != current_epoch()) continue;
      if (subscription->has_unread()) round.push_back(spun);
    }
    if (!spun_.empty()) next_ = (next_ + 1) % spun_.size();
  }
  std::size_t count = 0;
  for (auto& place : round) {
    if (count == most) break;
    // Held here, and nowhere else: the callback may destroy its own subscription.
    const auto spun = std::move(place);
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
  return count;
}

}  // namespace internal
}  // namespace agnocast
