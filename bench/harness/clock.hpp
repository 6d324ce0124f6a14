// The clock of all measurements, and what reading it costs.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <time.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace bench {

inline std::uint64_t now_ns() noexcept
{
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// The median distance of two readings with nothing between them: what each measured round trip
/// contains of the clock itself.
inline std::uint64_t timer_overhead_ns()
{
  std::array<std::uint64_t, 10'001> distances{};
  for (std::uint64_t& distance : distances) {
    const std::uint64_t begin = now_ns();
    distance = now_ns() - begin;
  }
  auto* middle = distances.begin() + distances.size() / 2;
  std::nth_element(distances.begin(), middle, distances.end());
  return *middle;
}

}  // namespace bench
