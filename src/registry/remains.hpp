// What dead processes leave beside the registry; the same for both hosts. Without a lock: what
// keeps two from cleaning up under one name is said in memory/area_claim.hpp.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "registry/pages.hpp"

namespace agnocast::internal {

/// Removes what processes left that died before they were in a registry, and what a domain left in
/// which nobody lives. Not those that are registered in this domain, whose pages these are.
void sweep_remains(const RegistryPages& pages, std::uint32_t domain);

}  // namespace agnocast::internal
