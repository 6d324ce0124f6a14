// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "registry/registry.hpp"

#include "registry/host.hpp"

namespace agnocast::internal {

Result<std::unique_ptr<Registry>> Registry::open(const Settings& settings)
{
  return open_user_registry(settings);
}

}  // namespace agnocast::internal
