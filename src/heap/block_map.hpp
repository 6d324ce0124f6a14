// One byte for each 16 bytes of the region: does a small block start here, and who has it.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "heap/size_class.hpp"

namespace agnocast::internal {

// This byte is all that a free needs to read: it holds the class, and tells a block from a pointer
// into the middle of one and from a block that was freed already.
//
// Thread safety: every function from any thread; relaxed single bytes. A byte is written only by
// whoever has the block (the owner, a thread cache, the slab under its lock), and a block changes
// hands through a lock or through the user's own synchronisation.
// Invariants:
//   1. The byte is 0 unless a small block starts there.
//   2. It is live | class exactly while the block is in the user's hands, resting | class while it
//      is in a thread cache or was returned to its slab (0 is allowed before its first use).
class BlockMap
{
 public:
  static constexpr std::uint8_t kLive = 0x80;
  static constexpr std::uint8_t kResting = 0x40;
  static constexpr std::uint8_t kClassMask = 0x1f;
  static_assert(kClasses <= kClassMask + 1);

  // Private zeroed memory that a map for a region of `bytes` needs.
  static constexpr std::size_t metadata_bytes(std::size_t bytes) { return bytes / kGranule; }

  explicit BlockMap(std::uint8_t* metadata) noexcept : bytes_(metadata) {}

  std::uint8_t load(std::size_t offset) const noexcept
  {
    return std::atomic_ref<std::uint8_t>(bytes_[offset / kGranule]).load(std::memory_order_relaxed);
  }
  void set_live(std::size_t offset, SizeClass size_class) const noexcept
  {
    store(offset, static_cast<std::uint8_t>(kLive | size_class));
  }
  void set_resting(std::size_t offset, SizeClass size_class) const noexcept
  {
    store(offset, static_cast<std::uint8_t>(kResting | size_class));
  }
  // No block starts in [offset, offset + bytes) any more. Nobody else may use the range.
  void clear(std::size_t offset, std::size_t bytes) const noexcept
  {
    std::memset(bytes_ + offset / kGranule, 0, bytes / kGranule);
  }

 private:
  void store(std::size_t offset, std::uint8_t value) const noexcept
  {
    std::atomic_ref<std::uint8_t>(bytes_[offset / kGranule])
      .store(value, std::memory_order_relaxed);
  }

  std::uint8_t* bytes_;
};

}  // namespace agnocast::internal
