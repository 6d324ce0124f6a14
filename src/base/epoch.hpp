// Which process of a line of forks this is. Objects of the library belong to the process that made
// them; in a forked child they are dead weight that must not touch anything shared.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace agnocast::internal {

/// Raised in the child of every fork.
inline std::atomic<std::uint32_t> fork_epoch{0};

[[nodiscard]] inline std::uint32_t current_epoch() noexcept
{
  return fork_epoch.load(std::memory_order_relaxed);
}

}  // namespace agnocast::internal
