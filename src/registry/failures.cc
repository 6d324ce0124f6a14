// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "registry/failures.hpp"

#include "memory/names.hpp"
#include "os/process.hpp"

namespace agnocast::internal {

Failure type_mismatch(const EndpointRequest& request, const std::string& carried)
{
  return {FailureKind::type_mismatch,
          "topic '" + request.topic + "' carries " + carried + ", but node '" + request.node +
            "' asks for '" + readable_type(std::string(request.type_name)) + "' (" +
            std::to_string(request.type_bytes) + " bytes, alignment " +
            std::to_string(request.type_alignment) +
            "): use the same type and compile both sides from the same definition, or use another "
            "topic"};
}

Failure no_process_slot(const Settings& settings, std::uint32_t capacity)
{
  return {FailureKind::resource,
          "domain " + std::to_string(settings.domain) + " is full: its window has slots for " +
            std::to_string(capacity) +
            " processes; use another AGNOCAST_DOMAIN_ID, or start the domain with smaller slots "
            "(AGNOCAST_WINDOW=<base>:<size>:<slot size>)"};
}

Failure no_topic_slot(const Settings& settings)
{
  return {FailureKind::resource, "domain " + std::to_string(settings.domain) +
                                   " is full: it can have " +
                                   std::to_string(AGNOCAST_TOPIC_CAPACITY) +
                                   " topics; use another AGNOCAST_DOMAIN_ID for some nodes"};
}

Failure no_endpoint_slot(const Settings& settings)
{
  return {FailureKind::resource,
          "domain " + std::to_string(settings.domain) + " is full: it can have " +
            std::to_string(AGNOCAST_ENDPOINT_CAPACITY) +
            " publishers and subscriptions; use another AGNOCAST_DOMAIN_ID for some nodes"};
}

RegistryOwner owner_of(const os::FileStatus& registry)
{
  RegistryOwner owner{registry.uid, Settings::Access::owner, static_cast<long>(registry.gid)};
  if ((registry.mode & 0006) != 0) {
    owner.access = Settings::Access::all;
  } else if ((registry.mode & 0060) != 0) {
    owner.access = Settings::Access::group;
  }
  return owner;
}

Status admit_owner(const Settings& settings, const RegistryOwner& owner, const std::string& name)
{
  if (owner.uid == 0 || owner.uid == os::effective_user()) return Nothing{};
  const bool for_all = owner.access == Settings::Access::all;
  auto own = Permissions::from(settings);
  if (own &&
      (own->shared == 0666 || (own->shared == 0660 && !for_all && own->group == owner.group))) {
    return Nothing{};
  }
  return Failure{
    FailureKind::registry,
    "the registry " + name + " belongs to user " + std::to_string(owner.uid) + " and admits " +
      (for_all ? "everybody" : "group " + std::to_string(owner.group)) +
      ", who could read all that this process publishes: set AGNOCAST_ACCESS=" +
      (for_all ? "all" : "group:<name>") + " to join it, or use another AGNOCAST_DOMAIN_ID"};
}

}  // namespace agnocast::internal
