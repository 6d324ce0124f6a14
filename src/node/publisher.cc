// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/publisher.hpp"

#include <new>

#include "agnocast/node.hpp"
#include "agnocast/shared_heap.hpp"
#include "base/epoch.hpp"
#include "base/log.hpp"
#include "heap/thread_window.hpp"
#include "node/endpoint.hpp"
#include "node/failure.hpp"
#include "runtime/runtime.hpp"

namespace agnocast {

PublisherBase::PublisherBase(Node& node, std::string_view topic, const TypeIdentity& type,
                             const internal::MessageFunctions& functions, const QoS& qos,
                             const PublisherOptions& options)
  : audit_{functions.audit, options.audit}
{
  const internal::LibraryWork work;
  internal::EndpointRequest endpoint =
    internal::make_endpoint(AGNOCAST_PUBLISHER, *node.core(), topic, type, qos);
  internal::Runtime& runtime = internal::Runtime::instance();
  endpoint.description_offset =
    internal::value_or_raise(runtime.store_description(*type.description));
  if (functions.needs_hook && options.require_hook && !hook_in_force()) {
    throw UsageError(
      "topic '" + endpoint.topic +
      "' cannot be published: malloc of this process is not Agnocast's, "
      "so containers in '" +
      internal::readable_type(std::string(type.name)) +
      "' would lie in private memory; link the program with libagnocast, or start it with "
      "LD_PRELOAD=libagnocast_heaphook.so");
  }
  const std::string name = endpoint.topic;
  auto core =
    runtime.create_publisher({std::move(endpoint), functions.destroy, functions.destroy_context,
                              options.keep_all_timeout, options.retention_limit});
  if (!core) {
    internal::raise(runtime.with_layouts(std::move(core.failure()), name, *type.description));
  }
  core_ = std::move(*core);
}

PublisherBase::~PublisherBase()
{
  if (!core_ || core_->epoch() != internal::current_epoch()) return;
  const internal::LibraryWork work;
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
  return core_->ticket().id;
}
std::size_t PublisherBase::subscription_count() const
{
  const internal::LibraryWork work;
  return core_->subscription_count();
}
std::size_t PublisherBase::retained_count() const
{
  return core_->epoch() == internal::current_epoch() ? core_->retained_count() : 0;
}

std::uint64_t PublisherBase::moved_count() const noexcept
{
  return core_->epoch() == internal::current_epoch() ? core_->moved_count() : 0;
}

PublishStatus PublisherBase::publish_handle(internal::Handle* handle)
{
  internal::AuditFindings findings;
  const PublishStatus status = internal::publish_loan(*core_, handle, audit_, findings);
  if (findings.moved != 0) core_->count_moved(findings.moved);
  if (!findings.path.empty() && !audit_said_.exchange(true, std::memory_order_relaxed)) {
    say_what_audit_found(findings, status);
  }
  return status;
}

void PublisherBase::say_what_audit_found(const internal::AuditFindings& findings,
                                         PublishStatus status) noexcept
try {
  const internal::LibraryWork work;
  const std::string part = "'" + findings.path + "' in a message of topic '" + topic_name() + "'";
  constexpr const char* remedy =
    ": fill messages while the loan is open, and in other threads under a SharedHeapScope; this is "
    "said once for each publisher";
  if (status == PublishStatus::refused) {
    internal::log_warning(part + " lies in private memory, so the message was not published" +
                          remedy);
  } else {
    internal::log_warning(part +
                          " lay in private memory and was moved into the shared heap, with " +
                          std::to_string(findings.moved - 1) + " other parts" + remedy);
  }
} catch (const std::bad_alloc&) {
  // The message may be out: what is lost is a warning.
}

std::size_t PublisherBase::reclaim()
{
  const internal::LibraryWork work;
  return core_->epoch() == internal::current_epoch() ? core_->reclaim_early() : 0;
}

}  // namespace agnocast
