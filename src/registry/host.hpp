// The hosts of the ledger that registry.cc chooses from.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "registry/registry.hpp"

namespace agnocast::internal {

Result<std::unique_ptr<Registry>> open_user_registry(const Settings& settings);
Result<std::unique_ptr<Registry>> open_kernel_registry(const Settings& settings);
/// Why the kernel module cannot be used; nothing if it can. Without a module, it is not there.
std::optional<Failure> kernel_obstacle(bool& is_there);

}  // namespace agnocast::internal
