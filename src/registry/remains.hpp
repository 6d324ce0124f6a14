// What dead processes leave beside the registry; the same for both hosts, which call these while
// nobody else can join or clean up.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "memory/peer.hpp"

namespace agnocast::internal {

/// The queue, the doorbell and the area of a process that is dead.
void unlink_objects(const std::string& process);

/// Removes what processes left that died before they were in a registry, and what a domain left in
/// which nobody lives. Not those that are `registered` in this domain.
void sweep_remains(const std::vector<PeerIdentity>& registered, std::uint32_t domain);

}  // namespace agnocast::internal
