// Names and permissions of the shared objects of a process.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

#include "base/settings.hpp"
#include "os/file.hpp"

namespace agnocast::internal {

inline constexpr const char* area_prefix = "agnocast@";

inline std::string area_name(const std::string& process)
{
  return "/agnocast@" + process;
}
inline std::string doorbell_name(const std::string& process)
{
  return "/agnocast_doorbell@" + process;
}
inline std::string queue_name(const std::string& process)
{
  return "/new_publisher@" + process;
}
inline std::string registry_name(std::uint32_t domain)
{
  return domain == 0 ? "/agnocast_registry" : "/agnocast_registry." + std::to_string(domain);
}

/// Only the registry's lock itself may open that file: to close any descriptor of it gives the
/// process's lock back. tests/lint keeps it so.
inline std::string registry_lock_name(const std::string& registry)
{
  return registry + ".lock";
}

/// Modes by AGNOCAST_ACCESS. Nobody but its process may write an area, so not even the owner can
/// open one for writing; doorbells, queues and the registry are written by all who may join.
struct Permissions
{
  mode_t area = 0400;
  mode_t shared = 0600;
  long group = -1;  ///< to give the objects to, or -1

  static Result<Permissions> from(const Settings& settings)
  {
    Permissions permissions;
    if (settings.access == Settings::Access::all) return Permissions{0444, 0666, -1};
    if (settings.access == Settings::Access::group) {
      const auto group = os::group_id(settings.access_group);
      if (!group) {
        return Failure{FailureKind::setting, "AGNOCAST_ACCESS='group:" + settings.access_group +
                                               "' cannot be used: there is no such group"};
      }
      return Permissions{0440, 0660, static_cast<long>(*group)};
    }
    return permissions;
  }

  /// Applies a mode and the group to a fresh file, whatever the umask is.
  [[nodiscard]] bool apply(int fd, mode_t mode) const
  {
    return os::set_mode(fd, mode) && (group < 0 || os::set_group(fd, static_cast<gid_t>(group)));
  }
};

}  // namespace agnocast::internal
