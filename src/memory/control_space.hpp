// Which bytes of the own area's control part are in use: rings, entries, subscriptions,
// connections, descriptions.
//
// It decides and does nothing: it knows offsets and sizes, in private memory, and never looks at
// the area.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace agnocast::internal {

/// Blocks of whole cache lines in a range of offsets: best fit, the lowest of equals, and free
/// neighbours become one. Not thread-safe. Cost: linear in the number of free pieces, which is for
/// whom creates or destroys an endpoint.
/// Invariants: 1. The free pieces are in order of offset, not empty, and no two of them touch.
/// 2. There is room in the list for one piece more than there are blocks, so that giving back
/// allocates nothing.
class ControlSpace
{
 public:
  /// Both multiples of a cache line; 0 < begin < end.
  ControlSpace(std::uint64_t begin, std::uint64_t end);

  /// What a block of that many bytes takes.
  static std::uint64_t rounded(std::uint64_t bytes) noexcept;

  /// The offset of a block; 0 if no free piece is large enough. Throws std::bad_alloc.
  std::uint64_t allocate(std::uint64_t bytes);
  /// Exactly what was allocated, by the same number of bytes. Anything else is a bug and stops us.
  void give_back(std::uint64_t offset, std::uint64_t bytes) noexcept;

  [[nodiscard]] std::uint64_t free_bytes() const noexcept;
  [[nodiscard]] std::uint64_t largest_free() const noexcept;
  [[nodiscard]] std::size_t pieces() const noexcept { return free_.size(); }
  /// The first violated invariant, or nullptr.
  [[nodiscard]] const char* audit() const noexcept;

 private:
  struct Piece
  {
    std::uint64_t offset;
    std::uint64_t bytes;
    [[nodiscard]] std::uint64_t end() const noexcept { return offset + bytes; }
  };

  const std::uint64_t begin_, end_;
  std::size_t blocks_ = 0;
  std::vector<Piece> free_;
};

}  // namespace agnocast::internal
