// The sizes in which small blocks come: 32 classes up to 8 KiB, less than a quarter wasted above
// 128. Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace agnocast::internal {

// Every block starts at a multiple of this, which is also the smallest block.
inline constexpr std::size_t kGranule = 16;
inline constexpr std::size_t kPageBytes = 4096;
// Small blocks are cut from slabs: page runs of one length.
inline constexpr std::uint32_t kSlabPages = 16;
inline constexpr std::size_t kSlabBytes = kSlabPages * kPageBytes;
// Requests above this take a page run of their own.
inline constexpr std::size_t kSmallMax = 8192;

using SizeClass = std::uint8_t;

// Steps of 16 up to 128 are classes 0 to 7; then four steps for each of six doublings.
inline constexpr std::size_t kLinearClasses = 8;
inline constexpr std::size_t kClasses = kLinearClasses + 4 * 6;

// Bytes of a block of class `index`. Constant time; meant for building the tables below.
constexpr std::size_t compute_class_bytes(std::size_t index)
{
  if (index < kLinearClasses) return (index + 1) * kGranule;
  const std::size_t step = index - kLinearClasses;
  return (5 + step % 4) << (5 + step / 4);
}

// Bytes of a block of each class.
inline constexpr auto kClassBytes = [] {
  std::array<std::uint32_t, kClasses> bytes{};
  for (std::size_t i = 0; i < kClasses; ++i) {
    bytes[i] = static_cast<std::uint32_t>(compute_class_bytes(i));
  }
  return bytes;
}();

// The class that serves each number of granules.
inline constexpr auto kClassOfGranules = [] {
  std::array<SizeClass, kSmallMax / kGranule + 1> classes{};
  std::size_t current = 0;
  for (std::size_t granules = 0; granules < classes.size(); ++granules) {
    while (compute_class_bytes(current) < granules * kGranule) ++current;
    classes[granules] = static_cast<SizeClass>(current);
  }
  return classes;
}();

// The smallest class whose blocks hold `bytes`, which must be at most kSmallMax. One table look-up;
// any thread.
constexpr SizeClass class_of(std::size_t bytes)
{
  return kClassOfGranules[(bytes + kGranule - 1) / kGranule];
}

// The smallest class that holds `bytes` and whose blocks all start at a multiple of `alignment` (a
// power of two up to a page), or kClasses if none does. At most a few steps, since every doubling
// ends in a class that is a power of two; any thread.
constexpr SizeClass class_of_aligned(std::size_t bytes, std::size_t alignment)
{
  const std::size_t least = bytes < alignment ? alignment : bytes;
  if (least > kSmallMax) return static_cast<SizeClass>(kClasses);
  SizeClass index = class_of(least);
  while (index < kClasses && kClassBytes[index] % alignment != 0) ++index;
  return index;
}

// How many blocks of class `index` a thread may keep: at most 64, at most about 32 KiB.
constexpr std::uint32_t cache_capacity(std::size_t index)
{
  const std::size_t fitting = 32768 / compute_class_bytes(index);
  return fitting > 64 ? 64U : static_cast<std::uint32_t>(fitting);
}

static_assert(compute_class_bytes(kClasses - 1) == kSmallMax);

}  // namespace agnocast::internal
