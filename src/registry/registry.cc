// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "registry/registry.hpp"

#include "base/log.hpp"
#include "registry/host.hpp"

namespace agnocast::internal {

Result<std::unique_ptr<Registry>> Registry::open(const Settings& settings)
{
  if (settings.registry == Settings::Host::user) return open_user_registry(settings);
  bool is_there = false;
  std::optional<Failure> obstacle = kernel_obstacle(is_there);
  if (!obstacle) return open_kernel_registry(settings);
  if (settings.registry == Settings::Host::kernel) return std::move(*obstacle);
  static Once said;
  if (is_there && said.first()) {
    log_warning(obstacle->text +
                "; processes that use it are not seen: set AGNOCAST_REGISTRY=user everywhere to go "
                "without it");
  }
  return open_user_registry(settings);
}

bool Registry::complain_if_broken() const
{
  if (!is_broken()) return false;
  static Once said;
  if (said.first()) {
    log_warning(
      "the registry of this domain was shortened or overwritten while processes use it: what is "
      "connected stays connected, nothing new can be; end the processes of this domain and remove "
      "its file in /dev/shm");
  }
  return true;
}

}  // namespace agnocast::internal
