// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/subscription.hpp"

#include "agnocast/error.hpp"
#include "agnocast/message_view.hpp"
#include "agnocast/node.hpp"
#include "agnocast/wait_set.hpp"
#include "base/epoch.hpp"
#include "base/log.hpp"
#include "base/stop.hpp"
#include "heap/thread_window.hpp"
#include "node/endpoint.hpp"
#include "node/failure.hpp"
#include "node/received.hpp"
#include "node/stop.hpp"
#include "os/futex.hpp"
#include "runtime/runtime.hpp"

namespace agnocast {

namespace {

/// Looks at a message before it is handed out; says once what is wrong.
internal::SubscriptionCore::Accepts verifier(const std::string& topic,
                                             const TypeDescription& description)
{
  struct State
  {
    State(const TypeDescription& description, std::string name)
      : verifier(description), topic(std::move(name))
    {
    }
    const MessageVerifier verifier;
    const std::string topic;
    internal::Once said;
  };
  const auto state = std::make_shared<State>(description, topic);
  return [state](const void* message, const internal::PeerArea& sender) {
    const auto wrong = state->verifier.verify(message, internal::range_of(sender));
    if (wrong && state->said.first()) {
      internal::log_warning("a message of topic '" + state->topic + "' from process " +
                            std::to_string(sender.identity().pid) +
                            " was dropped, because it is not as its type says: " + *wrong +
                            "; this is said once for each subscription");
    }
    return !wrong;
  };
}

}  // namespace

SubscriptionBase::SubscriptionBase(Node& node, std::string_view topic, const TypeIdentity& type,
                                   const QoS& qos, const SubscriptionOptions& options,
                                   internal::ErasedCallback callback)
{
  const internal::LibraryWork work;
  internal::EndpointRequest endpoint =
    internal::make_endpoint(AGNOCAST_SUBSCRIPTION, *node.core(), topic, type, qos);
  if (options.hold_limit == 0 || options.hold_limit > AGNOCAST_HOLDS_MAX) {
    throw SettingError("topic '" + endpoint.topic + "': a hold_limit of " +
                       std::to_string(options.hold_limit) + " cannot be used: give 1 to " +
                       std::to_string(AGNOCAST_HOLDS_MAX));
  }
  internal::Runtime& runtime = internal::Runtime::instance();
  endpoint.description_offset =
    internal::value_or_raise(runtime.store_description(*type.description));
  const std::string name = endpoint.topic;
  auto core = runtime.create_subscription(std::move(endpoint),
                                          static_cast<std::uint32_t>(options.hold_limit));
  if (!core) {
    internal::raise(runtime.with_layouts(std::move(core.failure()), name, *type.description));
  }
  core_ = std::move(*core);
  try {
    if (options.verify) core_->set_accepts(verifier(name, *type.description));
    if (callback) {
      node_ = node.core();
      node.core()->add_callback(core_, std::move(callback));
    }
  } catch (...) {
    node.core()->remove_callback(*core_);
    core_->close();
    throw;
  }
}

SubscriptionBase::~SubscriptionBase()
{
  const internal::LibraryWork work;
  if (!core_) return;
  if (core_->epoch() != internal::current_epoch()) {
    // In a forked child: what is held leads into the core, and lives as long as it likes.
    if (core_->held_count() != 0) new std::shared_ptr<internal::SubscriptionCore>(core_);
    return;
  }
  if (const auto node = node_.lock()) node->remove_callback(*core_);
  core_->close();
}

std::string SubscriptionBase::topic_name() const
{
  return core_->endpoint().topic;
}
QoS SubscriptionBase::qos() const noexcept
{
  return internal::to_qos(core_->endpoint());
}
std::uint64_t SubscriptionBase::lost_count() const noexcept
{
  return core_->lost_count();
}
std::uint64_t SubscriptionBase::rejected_count() const noexcept
{
  return core_->rejected_count();
}
std::size_t SubscriptionBase::held_count() const noexcept
{
  return core_->held_count();
}

std::size_t SubscriptionBase::publisher_count() const
{
  const internal::LibraryWork work;
  return core_->epoch() == internal::current_epoch() ? core_->publisher_count() : 0;
}

bool SubscriptionBase::has_message() const
{
  return core_->epoch() == internal::current_epoch() && core_->is_ready();
}

internal::TakenMessage SubscriptionBase::take_erased(bool newest)
{
  const internal::LibraryWork work;
  if (core_->epoch() != internal::current_epoch()) {
    throw UsageError(
      "the subscription to '" + topic_name() +
      "' belongs to the process that this one was forked from; create one of your own");
  }
  const internal::Taken taken = core_->take(newest);
  if (taken.outcome == internal::TakeOutcome::hold_limit) {
    throw UsageError("the subscription to '" + topic_name() + "' holds " +
                     std::to_string(core_->hold_limit()) +
                     " messages already, its limit: release some, or raise "
                     "SubscriptionOptions::hold_limit");
  }
  return {taken.address, taken.handle};
}

WaitSet::WaitSet()
{
  const internal::LibraryWork work;
  core_ = internal::value_or_raise(internal::Runtime::instance().create_wait_set());
}

WaitSet::~WaitSet() = default;

namespace {

void check_own(const internal::WaitSetCore& core)
{
  if (core.epoch() != internal::current_epoch()) {
    throw UsageError(
      "a wait set belongs to the process that this one was forked from; create one of your own");
  }
}

}  // namespace

void WaitSet::add(SubscriptionBase& subscription)
{
  const internal::LibraryWork work;
  check_own(*core_);
  core_->add(subscription.core_, subscription.weak_from_this());
}

void WaitSet::remove(SubscriptionBase& subscription)
{
  const internal::LibraryWork work;
  if (core_->epoch() == internal::current_epoch()) core_->remove(*subscription.core_);
}

std::shared_ptr<SubscriptionBase> WaitSet::next_ready_subscription()
{
  const internal::LibraryWork work;
  check_own(*core_);
  return std::static_pointer_cast<SubscriptionBase>(core_->next_ready());
}

void WaitSet::wake() noexcept
{
  if (core_->epoch() == internal::current_epoch()) core_->wake();
}

bool WaitSet::wait(std::optional<std::chrono::nanoseconds> timeout,
                   std::chrono::nanoseconds spin_for)
{
  const internal::LibraryWork work;
  check_own(*core_);
  return core_->wait(internal::deadline_after(timeout), spin_for.count(), internal::stop_requested);
}

}  // namespace agnocast
