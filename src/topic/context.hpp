// What the data path needs of the process it runs in.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "abi/area_layout.h"
#include "heap/heap.hpp"
#include "memory/area.hpp"
#include "memory/peer.hpp"
#include "registry/registry.hpp"

namespace agnocast::internal {

/// Hold `index` of a connection: there are as many as its capacity says, beyond the declared four.
inline const std::uint64_t& hold_of(const agnocast_connection& connection, std::uint32_t index)
{
  const auto* base = reinterpret_cast<const std::byte*>(&connection);
  return reinterpret_cast<const std::uint64_t*>(base + AGNOCAST_HOLDS_OFFSET)[index];
}
inline std::uint64_t& hold_of(agnocast_connection& connection, std::uint32_t index)
{
  auto* base = reinterpret_cast<std::byte*>(&connection);
  return reinterpret_cast<std::uint64_t*>(base + AGNOCAST_HOLDS_OFFSET)[index];
}

/// Belongs to the runtime; lives as long as any publisher or subscription of the process.
struct Context
{
  Area* area = nullptr;
  PeerTable* peers = nullptr;
  Registry* registry = nullptr;
  Heap* heap = nullptr;
  ProcessTicket ticket{};
  /// What CLOCK_MONOTONIC shows here more than in the time stamps of the domain.
  std::int64_t clock_offset_ns = 0;
  /// Wakes the control thread: somebody came or went. No allocation, a few system calls.
  void (*poke)() noexcept = nullptr;
  /// Tells the other ends of its topic that an endpoint is gone; a few system calls for each of
  /// their processes.
  void (*announce_departure)(const EndpointTicket& endpoint,
                             agnocast_endpoint_kind to) noexcept = nullptr;
  /// Frees whatever this process keeps without need: the heap cannot grow. Runs destructors.
  void (*reclaim_all)() noexcept = nullptr;
};

}  // namespace agnocast::internal
