// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "memory/control_space.hpp"

#include <algorithm>

#include "abi/area_layout.h"
#include "base/check.hpp"

namespace agnocast::internal {

ControlSpace::ControlSpace(std::uint64_t begin, std::uint64_t end) : begin_(begin), end_(end)
{
  free_.reserve(64);
  free_.push_back({begin, end - begin});
}

std::uint64_t ControlSpace::rounded(std::uint64_t bytes) noexcept
{
  const std::uint64_t lines = (bytes + AGNOCAST_CACHE_LINE - 1) / AGNOCAST_CACHE_LINE;
  return std::max<std::uint64_t>(lines, 1) * AGNOCAST_CACHE_LINE;
}

std::uint64_t ControlSpace::allocate(std::uint64_t bytes)
{
  if (bytes > end_ - begin_) return 0;
  const std::uint64_t wanted = rounded(bytes);
  auto best = free_.end();
  for (auto piece = free_.begin(); piece != free_.end(); ++piece) {
    if (piece->bytes >= wanted && (best == free_.end() || piece->bytes < best->bytes)) best = piece;
  }
  if (best == free_.end()) return 0;
  const auto place = best - free_.begin();
  if (free_.capacity() < blocks_ + 2) free_.reserve(2 * (blocks_ + 2));
  ++blocks_;
  Piece& piece = free_[static_cast<std::size_t>(place)];
  const std::uint64_t offset = piece.offset;
  piece = {offset + wanted, piece.bytes - wanted};
  if (piece.bytes == 0) free_.erase(free_.begin() + place);
  return offset;
}

void ControlSpace::give_back(std::uint64_t offset, std::uint64_t bytes) noexcept
{
  const Piece piece{offset, rounded(bytes)};
  AGNOCAST_CHECK(blocks_ != 0 && offset % AGNOCAST_CACHE_LINE == 0);
  AGNOCAST_CHECK(offset >= begin_ && piece.bytes <= end_ - offset);
  const auto after = std::lower_bound(free_.begin(), free_.end(), offset,
                                      [](const Piece& a, std::uint64_t b) { return a.offset < b; });
  const bool has_before = after != free_.begin();
  AGNOCAST_CHECK(!has_before || (after - 1)->end() <= offset);
  AGNOCAST_CHECK(after == free_.end() || piece.end() <= after->offset);
  --blocks_;
  const bool joins_before = has_before && (after - 1)->end() == offset;
  const bool joins_after = after != free_.end() && after->offset == piece.end();
  if (joins_before && joins_after) {
    (after - 1)->bytes += piece.bytes + after->bytes;
    free_.erase(after);
  } else if (joins_before) {
    (after - 1)->bytes += piece.bytes;
  } else if (joins_after) {
    *after = {offset, piece.bytes + after->bytes};
  } else {
    AGNOCAST_CHECK(free_.size() < free_.capacity());  // invariant 2
    free_.insert(after, piece);
  }
}

std::uint64_t ControlSpace::free_bytes() const noexcept
{
  std::uint64_t sum = 0;
  for (const Piece& piece : free_) sum += piece.bytes;
  return sum;
}

std::uint64_t ControlSpace::largest_free() const noexcept
{
  std::uint64_t largest = 0;
  for (const Piece& piece : free_) largest = std::max(largest, piece.bytes);
  return largest;
}

const char* ControlSpace::audit() const noexcept
{
  std::uint64_t end = 0;
  for (const Piece& piece : free_) {
    if (piece.bytes == 0) return "a free piece is empty";
    if (piece.offset < begin_ || piece.end() > end_) return "a free piece is out of range";
    if (piece.offset <= end) return "two free pieces touch or are out of order";
    end = piece.end();
  }
  if (free_.capacity() < blocks_ + 1) return "giving back would allocate";
  return nullptr;
}

}  // namespace agnocast::internal
