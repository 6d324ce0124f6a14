// What the data path needs of the process it runs in.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "heap/heap.hpp"
#include "memory/area.hpp"
#include "memory/peer.hpp"
#include "registry/registry.hpp"

namespace agnocast::internal {

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
};

}  // namespace agnocast::internal
