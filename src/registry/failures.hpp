// What both hosts of the registry tell the user when something is refused.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "base/settings.hpp"
#include "os/file.hpp"
#include "registry/registry.hpp"

namespace agnocast::internal {

Failure type_mismatch(const EndpointRequest& request, const std::string& carried);
Failure no_process_slot(const Settings& settings, std::uint32_t capacity);
Failure no_topic_slot(const Settings& settings);
Failure no_endpoint_slot(const Settings& settings);

/// Whoever makes the registry decides who sees all messages of the domain. Another user may only
/// decide what this process has agreed to itself. `name`: of the registry, for the message.
struct RegistryOwner
{
  std::uint32_t uid;
  Settings::Access access;
  long group;  ///< of Access::group
};
RegistryOwner owner_of(const os::FileStatus& registry);
Status admit_owner(const Settings& settings, const RegistryOwner& owner, const std::string& name);

}  // namespace agnocast::internal
