// The hosts of the ledger that registry.cc chooses from.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "registry/registry.hpp"

namespace agnocast::internal {

Result<std::unique_ptr<Registry>> open_user_registry(const Settings& settings);

}  // namespace agnocast::internal
