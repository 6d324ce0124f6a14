// Where what belongs to a received message may lie.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agnocast/ipc_shared_ptr.hpp"
#include "agnocast/message_view.hpp"
#include "topic/connection.hpp"

namespace agnocast::internal {

inline MemoryRange range_of(const PeerArea& sender) noexcept
{
  const PeerArea::ReadableHeap heap = sender.readable_heap();
  return {heap.begin, heap.bytes};
}

inline MemoryRange sender_range(const Handle& received) noexcept
{
  return range_of(static_cast<const ReceivedHandle&>(received).connection->area());
}

}  // namespace agnocast::internal
