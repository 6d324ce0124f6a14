// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/generic.hpp"

#include <map>
#include <mutex>

#include "agnocast/node.hpp"
#include "heap/thread_window.hpp"
#include "node/received.hpp"
#include "runtime/runtime.hpp"

namespace agnocast {
namespace {

/// Descriptions live for good, like those of types that are compiled in: a publisher's last message
/// may be destroyed by the control thread long after the publisher.
const TypeDescription& kept(const TypeDescription& description)
{
  static std::mutex mutex;
  static auto& all = *new std::map<std::uint64_t, const TypeDescription*>();
  const internal::LibraryWork work;
  const std::lock_guard lock(mutex);
  const TypeDescription*& place = all[description.hash()];
  if (place == nullptr) place = new TypeDescription(description);
  return *place;
}

TypeIdentity identity_of(const TypeDescription& description)
{
  const DescribedType& root = description.root();
  return {root.name, root.bytes, root.alignment, &description};
}

}  // namespace

std::optional<TypeDescription> find_description(std::string_view topic)
{
  const internal::LibraryWork work;
  return internal::Runtime::instance().find_description(topic);
}

GenericSubscription::GenericSubscription(Node& node, std::string_view topic,
                                         const TypeDescription& description, const QoS& qos,
                                         const SubscriptionOptions& options)
  : SubscriptionBase(node, topic, identity_of(kept(description)), qos, options, nullptr),
    description_(&kept(description))
{
}

GenericMessage GenericSubscription::as_message(internal::TakenMessage taken)
{
  if (taken.handle == nullptr) return {};
  const MemoryRange allowed = internal::sender_range(*taken.handle);
  return {
    internal::PointerAccess::adopt(static_cast<const std::byte*>(taken.address), taken.handle),
    *description_, allowed};
}

GenericMessage GenericSubscription::take()
{
  return as_message(take_erased(false));
}

GenericMessage GenericSubscription::take_latest()
{
  return as_message(take_erased(true));
}

GenericPublisher::GenericPublisher(Node& node, std::string_view topic,
                                   const TypeDescription& description, const QoS& qos,
                                   const PublisherOptions& options)
  : PublisherBase(node, topic, identity_of(kept(description)),
                  {[](void* message, const void* context) {
                     destroy(*static_cast<const TypeDescription*>(context), message);
                   },
                   &kept(description), nullptr, true},
                  qos, options),
    description_(&kept(description))
{
}

PublishStatus GenericPublisher::publish(const Value& value)
{
  const internal::LoanRequest loan = internal::open_loan(*core_);
  try {
    construct(*description_, loan.address);
  } catch (...) {
    internal::abandon_unconstructed_loan(loan.handle);
    throw;
  }
  auto message = internal::PointerAccess::adopt(static_cast<std::byte*>(loan.address), loan.handle);
  fill(*description_, loan.address, value);
  const PublishStatus status = publish_handle(internal::PointerAccess::handle(message));
  if (status == PublishStatus::published) message.reset();
  return status;
}

}  // namespace agnocast
