// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/publisher.hpp"

#include "agnocast/node.hpp"
#include "agnocast/shared_heap.hpp"
#include "base/epoch.hpp"
#include "node/endpoint.hpp"
#include "node/failure.hpp"
#include "runtime/runtime.hpp"

namespace agnocast {

PublisherBase::PublisherBase(Node& node, std::string_view topic, const TypeIdentity& type,
                             internal::DestroyMessage destroy, bool needs_hook, const QoS& qos,
                             const PublisherOptions& options)
{
  internal::EndpointRequest endpoint =
    internal::make_endpoint(AGNOCAST_PUBLISHER, *node.core(), topic, type, qos);
  internal::Runtime& runtime = internal::Runtime::instance();
  if (internal::Status status = runtime.join(); !status) internal::raise(status.failure());
  if (needs_hook && options.require_hook && !hook_in_force()) {
    throw UsageError(
      "topic '" + endpoint.topic +
      "' cannot be published: malloc of this process is not Agnocast's, "
      "so containers in '" +
      internal::readable_type(std::string(type.name)) +
      "' would lie in private memory; link the program with libagnocast, or start it with "
      "LD_PRELOAD=libagnocast_heaphook.so");
  }
  core_ = internal::value_or_raise(
    runtime.create_publisher({std::move(endpoint), destroy, options.keep_all_timeout}));
}

PublisherBase::~PublisherBase()
{
  if (!core_ || core_->epoch() != internal::current_epoch()) return;
  internal::Runtime::instance().retire_publisher(std::move(core_));
}

std::string PublisherBase::topic_name() const
{
  return core_->endpoint().topic;
}
QoS PublisherBase::qos() const noexcept
{
  return internal::to_qos(core_->endpoint());
}
std::uint64_t PublisherBase::id() const noexcept
{
  return core_->id();
}
std::size_t PublisherBase::subscription_count() const
{
  return core_->subscription_count();
}
std::size_t PublisherBase::retained_count() const
{
  return core_->epoch() == internal::current_epoch() ? core_->retained_count() : 0;
}

std::size_t PublisherBase::reclaim()
{
  return core_->epoch() == internal::current_epoch() ? core_->reclaim_early() : 0;
}

}  // namespace agnocast
