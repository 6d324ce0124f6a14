// A set of page numbers that finds the nearest member below any page in a few steps.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace agnocast::internal {

inline constexpr std::uint32_t kNoPage = UINT32_MAX;

// A tree of 64-bit words; a bit on one level says that the word below it is not empty.
//
// Thread safety: none, the owner locks.
// Invariants:
//   1. Bit i of level n + 1 is set if and only if word i of level n is not zero.
class PageSet
{
 public:
  // Zeroed memory that a set over [0, pages) needs.
  static constexpr std::size_t metadata_bytes(std::size_t pages)
  {
    std::size_t words = 0;
    for (std::size_t bits = pages; words == 0 || bits > 1;) {
      bits = (bits + 63) / 64;
      words += bits;
    }
    return words * sizeof(std::uint64_t);
  }

  // Of these, what stands for the single pages; the levels above follow.
  static constexpr std::size_t first_level_bytes(std::size_t pages)
  {
    return (pages + 63) / 64 * sizeof(std::uint64_t);
  }

  PageSet(void* metadata, std::uint32_t pages) noexcept
  {
    auto* word = static_cast<std::uint64_t*>(metadata);
    for (std::size_t bits = pages; levels_ == 0 || bits > 1;) {
      bits = (bits + 63) / 64;
      level_[levels_++] = word;
      word += bits;
    }
  }

  bool contains(std::uint32_t page) const noexcept
  {
    return ((level_[0][page / 64] >> (page % 64)) & 1) != 0;
  }

  // At most six words, usually one.
  void insert(std::uint32_t page) noexcept
  {
    for (std::size_t level = 0; level < levels_; ++level, page /= 64) {
      std::uint64_t& word = level_[level][page / 64];
      const std::uint64_t before = word;
      word |= std::uint64_t{1} << (page % 64);
      if (before != 0) return;
    }
  }

  // At most six words, usually one.
  void erase(std::uint32_t page) noexcept
  {
    for (std::size_t level = 0; level < levels_; ++level, page /= 64) {
      std::uint64_t& word = level_[level][page / 64];
      word &= ~(std::uint64_t{1} << (page % 64));
      if (word != 0) return;
    }
  }

  // The largest member that is not above `page`, or kNoPage. At most eleven words.
  std::uint32_t at_or_below(std::uint32_t page) const noexcept
  {
    std::uint64_t mask = ~std::uint64_t{0} >> (63 - page % 64);
    for (std::size_t level = 0; level < levels_; ++level) {
      const std::uint64_t word = level_[level][page / 64] & mask;
      if (word != 0) return descend(level, page / 64 * 64 + highest(word));
      page /= 64;
      mask = (std::uint64_t{1} << (page % 64)) - 1;
    }
    return kNoPage;
  }

  // How many members are in [0, pages). Linear; for audits.
  std::size_t count(std::uint32_t pages) const noexcept
  {
    std::size_t members = 0;
    for (std::uint32_t i = 0; i < pages / 64 + (pages % 64 != 0); ++i) {
      members += static_cast<std::size_t>(std::popcount(level_[0][i]));
    }
    return members;
  }

 private:
  static std::uint32_t highest(std::uint64_t word)
  {
    return 63U - static_cast<std::uint32_t>(std::countl_zero(word));
  }
  std::uint32_t descend(std::size_t level, std::uint32_t index) const noexcept
  {
    while (level > 0) index = index * 64 + highest(level_[--level][index]);
    return index;
  }

  std::array<std::uint64_t*, 6> level_{};
  std::size_t levels_ = 0;
};

}  // namespace agnocast::internal
